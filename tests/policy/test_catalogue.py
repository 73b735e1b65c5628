"""Condition keys that are misspelt get a finding with a fix, and those that exist get none."""

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from tests.policy.cases import allow, policy

from stslab.policy import PolicyKind, catalogue, parse
from stslab.policy.findings import findings

MISSPELT = [
    ("aws:SourceIpp", "aws:SourceIp"),
    ("aws:MultiFactorAuthPresnt", "aws:MultiFactorAuthPresent"),
    ("AWS:TagKey", "aws:TagKeys"),
    ("aws:TagKeys/team", "aws:TagKeys"),
    ("aws:PrincipalTag", "aws:PrincipalTag/tag-key"),
    ("aws:PrincipaTag/team", "aws:PrincipalTag/team"),
    ("aws:RequestTag:team", "aws:RequestTag/team"),
    ("s3:prefx", "s3:prefix"),
    ("s3:ExistingObjectTags/a/b", "s3:ExistingObjectTag/a/b"),
    ("kms:EncryptionContxt:a:b", "kms:EncryptionContext:a:b"),
    ("iam:PermissionBoundary", "iam:PermissionsBoundary"),
    ("sts:RoleSesionName", "sts:RoleSessionName"),
    ("aws:nothing", ""),
    ("s3:", ""),
]
KNOWN = [
    "aws:SourceIP",
    "aws:PrincipalOrgId",
    "AWS:username",
    "aws:VpceOrgPaths",
    "aws:SourceOwner",
    "aws:PrincipalTag/a:b/c",
    "S3:Prefix",
    "s3:ExistingObjectTag/x",
    "kms:EncryptionContext:aws:s3:arn",
    "ec2:RoleDelivery",
    "identitystore:UserId",
    "saml:aud",
    "accounts.google.com:anything",
    "nosuchservice:anything",
]


@pytest.mark.parametrize(("key", "fix"), MISSPELT)
def test_a_misspelt_key_is_found_with_the_nearest_that_exists(key, fix):
    assert not catalogue.is_known_key(key)
    assert catalogue.similar_key(key) == fix
    if fix.endswith("tag-key"):
        fix = fix.replace("tag-key", "team")
    assert catalogue.is_known_key(fix) or not fix


@pytest.mark.parametrize("key", KNOWN)
def test_a_key_that_exists_or_may_exist_has_no_finding(key):
    assert catalogue.is_known_key(key)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("s3:prefx", "; did you mean s3:prefix?"),
        ("SourceIp", "; did you mean aws:SourceIp?"),
        ("ExternalId", "; did you mean sts:ExternalId?"),
        ("Nothing", "."),
    ],
)
def test_the_finding_says_the_fix(key, meant):
    document = policy(allow(Condition={"StringEquals": {key: "x"}}))
    found = [each.message for each in findings(parse(document, PolicyKind.IDENTITY))]
    assert f"There is no condition key {key}: no request has it{meant}" in found


@pytest.mark.soak
def test_no_policy_that_aws_manages_has_an_unknown_key():
    """AWS's own 1,500 policies: what the tables lack would show here."""
    documents = [each["Document"] for each in json.loads(aws_managed_policies_data).values()]
    assert len(documents) > 1000
    unknown = [
        found.message
        for document in documents
        for found in findings(parse(document, PolicyKind.IDENTITY))
        if found.code == "key-unknown"
    ]
    assert unknown == []
