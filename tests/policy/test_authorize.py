"""How the types of policies combine, layer by layer, with the reasons."""

import pytest
from tests.policy.cases import (
    ACCOUNT,
    ALICE,
    BUCKET,
    EVE,
    FEDERATED,
    KEY,
    LAB_ROLE,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    all_but,
    allow,
    aws,
    case,
    decide,
    deny,
    grant,
    policy,
    refuse,
)

YES, NO, NEVER = "Allowed", "ImplicitlyDenied", "ExplicitlyDenied"
NOTHING = [allow("iam:ListUsers")]
ASSUME = {"action": "sts:AssumeRole", "resource": LAB_ROLE}
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"

ROWS = {
    "nothing allows": (case(), NO),
    "identity allows": (case(identity=[allow()]), YES),
    "identity denies": (case(identity=[allow(), deny("s3:*")]), NEVER),
    # Same account: a resource-based policy alone
    "bucket names user": (case(shared=[grant(aws(ALICE))]), YES),
    "bucket names account": (case(shared=[grant(aws(ACCOUNT))]), NO),
    "bucket names account, identity allows": (
        case(shared=[grant(aws(ACCOUNT))], identity=[allow()]),
        YES,
    ),
    "bucket names everyone": (case(shared=[grant("*")]), YES),
    "bucket names someone else": (case(shared=[grant(aws(EVE))]), NO),
    "bucket denies account": (case(shared=[refuse(aws(ACCOUNT))], identity=[allow()]), NEVER),
    "bucket has NotPrincipal": (
        case(shared=[all_but(ALICE, ACCOUNT)], identity=[allow()]),
        YES,
    ),
    "bucket denies all but someone else": (
        case(shared=[all_but(EVE)], identity=[allow()]),
        NEVER,
    ),
    "NotPrincipal denies everyone who has a boundary": (
        case(
            shared=[all_but(ALICE, ACCOUNT)],
            identity=[allow()],
            boundary=[allow()],
        ),
        NEVER,
    ),
    # What implicit denies still limit
    "user by ARN, boundary silent": (case(shared=[grant(aws(ALICE))], boundary=NOTHING), YES),
    "role by ARN, boundary silent": (
        case(SESSION, shared=[grant(aws(ROLE))], boundary=NOTHING),
        NO,
    ),
    "role by ARN, no identity policy": (case(SESSION, shared=[grant(aws(ROLE))]), YES),
    "role by ARN, boundary allows": (
        case(SESSION, shared=[grant(aws(ROLE))], boundary=[allow()]),
        YES,
    ),
    "role by ARN, session policy silent": (
        case(SESSION, shared=[grant(aws(ROLE))], session=NOTHING),
        NO,
    ),
    "session by ARN, boundary and session policy silent": (
        case(SESSION, shared=[grant(aws(SESSION))], boundary=NOTHING, session=NOTHING),
        YES,
    ),
    "everyone, boundary and session policy silent": (
        case(SESSION, shared=[grant("*")], boundary=NOTHING, session=NOTHING),
        YES,
    ),
    "session by ARN, boundary denies": (
        case(SESSION, shared=[grant(aws(SESSION))], boundary=[deny()]),
        NEVER,
    ),
    "user by ARN, service control policy silent": (
        case(shared=[grant(aws(ALICE))], scps=[NOTHING]),
        NO,
    ),
    "another role's session": (
        case(SESSION.replace("worker", "other"), shared=[grant(aws(ROLE))]),
        NO,
    ),
    "another session of the role": (case(f"{SESSION}x", shared=[grant(aws(SESSION))]), NO),
    "a role with a path": (
        case(SESSION, shared=[grant(aws(ROLE.replace("role/", "role/team/")))]),
        YES,
    ),
    # Boundaries and session policies over identity policies
    "boundary silent": (case(identity=[allow()], boundary=NOTHING), NO),
    "boundary allows alone": (case(boundary=[allow()]), NO),
    "session policy silent": (case(SESSION, identity=[allow()], session=NOTHING), NO),
    "session policy allows alone": (case(SESSION, session=[allow()]), NO),
    "all three allow": (
        case(SESSION, identity=[allow()], boundary=[allow()], session=[allow()]),
        YES,
    ),
    # Federated users
    "federated without session policy": (case(FEDERATED, identity=[allow()]), NO),
    "federated with session policy": (
        case(FEDERATED, identity=[allow()], session=[allow()]),
        YES,
    ),
    "federated by its own ARN": (case(FEDERATED, shared=[grant(aws(FEDERATED))]), YES),
    "federated by the user's ARN": (case(FEDERATED, shared=[grant(aws(ALICE))]), NO),
    "federated by the user's ARN, session policy allows": (
        case(FEDERATED, shared=[grant(aws(ALICE))], session=[allow()]),
        YES,
    ),
    # Cross-account
    "cross-account, both": (
        case(EVE, shared=[grant(aws(EVE))], identity=[allow()], resource_account=ACCOUNT),
        YES,
    ),
    "cross-account, account and identity": (
        case(EVE, shared=[grant(aws(OTHER))], identity=[allow()], resource_account=ACCOUNT),
        YES,
    ),
    "cross-account, resource only": (
        case(EVE, shared=[grant(aws(EVE))], resource_account=ACCOUNT),
        NO,
    ),
    "cross-account, everyone but no identity": (
        case(EVE, shared=[grant("*")], resource_account=ACCOUNT),
        NO,
    ),
    "cross-account, identity only": (case(EVE, identity=[allow()], resource_account=ACCOUNT), NO),
    "cross-account, boundary silent": (
        case(
            EVE,
            shared=[grant(aws(EVE))],
            identity=[allow()],
            boundary=NOTHING,
            resource_account=ACCOUNT,
        ),
        NO,
    ),
    # Organizations
    "every level allows": (case(identity=[allow()], scps=[[allow()], [allow("s3:*")]]), YES),
    "one level does not": (case(identity=[allow()], scps=[[allow()], NOTHING]), NO),
    "a level without policies": (case(identity=[allow()], scps=[[allow()], []]), NO),
    "a level denies": (case(identity=[allow()], scps=[[allow(), deny("s3:Get*")]]), NEVER),
    "the root user too": (case(ROOT, scps=[[allow(), deny()]]), NEVER),
    "but no service-linked role": (
        case(
            SERVICE_ROLE,
            identity=[allow()],
            scps=[[deny()]],
            rcps=[[refuse("*", "s3:*", Resource="*")]],
        ),
        YES,
    ),
    "nor one said to be": (
        case(SESSION, identity=[allow()], scps=[[deny()]], principal_is_service_linked=True),
        YES,
    ),
    "resource control policies only deny": (
        case(identity=[allow()], rcps=[[refuse("*", "s3:Put*", Resource="*")], []]),
        YES,
    ),
    "a resource control policy denies": (
        case(identity=[allow()], rcps=[[refuse("*", "s3:*", Resource="*")]]),
        NEVER,
    ),
    "service control policies do not bind strangers": (
        case("anonymous", shared=[grant("*")], scps=[[deny()]]),
        YES,
    ),
    "resource control policies do": (
        case("anonymous", shared=[grant("*")], rcps=[[refuse("*", "s3:*", Resource="*")]]),
        NEVER,
    ),
    # Everyone and nobody
    "anonymous": (case("anonymous"), NO),
    "anonymous, AWS star": (case("anonymous", shared=[grant(aws("*"))]), YES),
    "anonymous, account": (case("anonymous", shared=[grant(aws(ACCOUNT))]), NO),
    "a service, star": (case("ec2.amazonaws.com", shared=[grant("*")]), YES),
    "a service, AWS star": (case("ec2.amazonaws.com", shared=[grant(aws("*"))]), NO),
    "a service, itself": (
        case("ec2.amazonaws.com", shared=[grant({"Service": "ec2.amazonaws.com"})]),
        YES,
    ),
    # The root user
    "root": (case(ROOT), YES),
    "root, bucket denies": (case(ROOT, shared=[refuse("*")]), NEVER),
    "root fixes the bucket policy": (
        case(ROOT, "s3:PutBucketPolicy", "arn:aws:s3:::shop", shared=[refuse("*")]),
        YES,
    ),
    "but not another account's": (
        case(
            ROOT,
            "s3:PutBucketPolicy",
            "arn:aws:s3:::shop",
            shared=[refuse("*")],
            resource_account=OTHER,
        ),
        NEVER,
    ),
    "root elsewhere": (case(ROOT, resource_account=OTHER), NO),
    "root elsewhere, its account allowed": (
        case(ROOT, shared=[grant(aws(ACCOUNT))], resource_account=OTHER),
        YES,
    ),
    "root may not assume roles": (
        case(ROOT, **ASSUME, shared=[grant(aws("*"), "sts:AssumeRole")]),
        NO,
    ),
    # Trust policies
    "trust names the user": (case(**ASSUME, shared=[grant(aws(ALICE), "sts:AssumeRole")]), YES),
    "trust names the account": (case(**ASSUME, shared=[grant(aws(ACCOUNT), "sts:AssumeRole")]), NO),
    "trust names the account, identity allows": (
        case(
            **ASSUME,
            shared=[grant(aws(ACCOUNT), "sts:AssumeRole")],
            identity=[allow("sts:AssumeRole")],
        ),
        YES,
    ),
    "identity allows, trust is silent": (
        case(**ASSUME, shared=[grant(aws(EVE), "sts:AssumeRole")], identity=[allow()]),
        NO,
    ),
    "identity allows, trust unknown": (case(**ASSUME, identity=[allow()]), NO),
    "trust denies": (
        case(
            **ASSUME,
            shared=[grant(aws(ALICE), "sts:AssumeRole"), refuse(aws(ALICE), "sts:AssumeRole")],
            identity=[allow()],
        ),
        NEVER,
    ),
    "identity denies, trust names the user": (
        case(**ASSUME, shared=[grant(aws(ALICE), "sts:AssumeRole")], identity=[deny("sts:*")]),
        NEVER,
    ),
    "a session assumes on": (
        case(SESSION, **ASSUME, shared=[grant(aws(ROLE), "sts:AssumeRole")]),
        YES,
    ),
    "a service assumes": (
        case(
            "ec2.amazonaws.com",
            **ASSUME,
            shared=[grant({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")],
        ),
        YES,
    ),
    "a web identity assumes": (
        case(
            "accounts.google.com",
            "sts:AssumeRoleWithWebIdentity",
            LAB_ROLE,
            shared=[grant({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity")],
        ),
        YES,
    ),
    "a provider by its ARN": (
        case(
            f"arn:aws:iam::{ACCOUNT}:saml-provider/corp",
            "sts:AssumeRoleWithSAML",
            LAB_ROLE,
            shared=[
                grant(
                    {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"},
                    "sts:AssumeRoleWithSAML",
                )
            ],
        ),
        YES,
    ),
    "another provider": (
        case(
            "accounts.google.com",
            "sts:AssumeRoleWithWebIdentity",
            LAB_ROLE,
            shared=[grant({"Federated": "graph.facebook.com"}, "sts:AssumeRoleWithWebIdentity")],
        ),
        NO,
    ),
    # KMS keys
    "key without policy": (case(ALICE, "kms:Decrypt", KEY, identity=[allow()]), NO),
    "key policy enables IAM policies": (
        case(ALICE, "kms:Decrypt", KEY, identity=[allow()], shared=[grant(aws(ROOT))]),
        YES,
    ),
    "key policy enables, identity silent": (
        case(ALICE, "kms:Decrypt", KEY, shared=[grant(aws(ROOT))]),
        NO,
    ),
    "key policy names the user": (case(ALICE, "kms:Decrypt", KEY, shared=[grant(aws(ALICE))]), YES),
    "no key": (case(ALICE, "kms:ListKeys", "*", identity=[allow()]), YES),
    "root without key policy": (case(ROOT, "kms:Decrypt", KEY), NO),
    # What no policy decides
    "who am I": (case(ALICE, "sts:GetCallerIdentity", "*", identity=[deny()]), YES),
    "who am I, in any case": (case(SESSION, "STS:getcalleridentity", "*", session=[deny()]), YES),
    "session token": (case(ALICE, "sts:GetSessionToken", "*", identity=[deny()]), YES),
    "session token of a session": (case(SESSION, "sts:GetSessionToken", "*"), NO),
    # What AWS keeps
    "policies that AWS manages": (
        case(
            ALICE,
            "iam:CreatePolicyVersion",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            identity=[allow()],
        ),
        NO,
    ),
    "another partition": (
        case(
            resource="arn:aws-cn:s3:::shop/a",
            identity=[allow()],
            shared=[grant(aws(ALICE))],
            resource_account=OTHER,
        ),
        NO,
    ),
    # Resources
    "star asks for star": (
        case(ALICE, "s3:ListAllMyBuckets", "*", identity=[allow(resource="arn:aws:s3:::*")]),
        NO,
    ),
    "NotResource": (
        case(
            identity=[
                {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::shop/secret/*"}
            ]
        ),
        YES,
    ),
    "NotAction": (
        case(identity=[{"Effect": "Allow", "NotAction": "s3:get*", "Resource": "*"}]),
        NO,
    ),
    "a variable without value in NotResource matches no resource": (
        case(
            identity=[
                {
                    "Effect": "Allow",
                    "Action": "s3:*",
                    "NotResource": "arn:aws:s3:::shop/${aws:PrincipalTag/none}",
                }
            ]
        ),
        YES,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_combination(name):
    asked, expected = ROWS[name]
    found = decide(asked)
    assert found.get("decision") == expected, found


REASONS = [
    (case(), "no identity-based policy allows the s3:GetObject action"),
    (case(identity=[deny()]), "with an explicit deny in an identity-based policy"),
    (case(shared=[refuse("*")]), "with an explicit deny in a resource-based policy"),
    (
        case(EVE, identity=[allow()], resource_account=ACCOUNT),
        "no resource-based policy allows the s3:GetObject action",
    ),
    (
        case(identity=[allow()], boundary=NOTHING),
        "no permissions boundary allows the s3:GetObject action",
    ),
    (case(boundary=[deny()]), "with an explicit deny in a permissions boundary"),
    (
        case(SESSION, identity=[allow()], session=NOTHING),
        "no session policy allows the s3:GetObject action",
    ),
    (case(SESSION, session=[deny()]), "with an explicit deny in a session policy"),
    (case(scps=[NOTHING]), "no service control policy allows the s3:GetObject action"),
    (case(scps=[[deny()]]), "with an explicit deny in a service control policy"),
    (
        case(rcps=[[refuse("*", "s3:*", Resource="*")]]),
        "with an explicit deny in a resource control policy",
    ),
    (
        case(**ASSUME, identity=[allow()]),
        "no role trust policy allows the sts:AssumeRole action",
    ),
    (
        case(**ASSUME, shared=[grant(aws(ACCOUNT), "sts:AssumeRole")]),
        "no identity-based policy allows the sts:AssumeRole action",
    ),
    (
        case(**ASSUME, shared=[refuse(aws("*"), "sts:AssumeRole")]),
        "with an explicit deny in the role trust policy",
    ),
    (case(identity=[allow()]), "an identity-based policy allows the s3:GetObject action"),
    (
        case(EVE, shared=[grant(aws(EVE))], identity=[allow()], resource_account=ACCOUNT),
        "an identity-based policy and a resource-based policy allow the s3:GetObject action",
    ),
    (case(shared=[grant("*")]), "a resource-based policy allows the s3:GetObject action"),
    (
        case(ALICE, "sts:GetCallerIdentity", "*"),
        "no permissions are required to perform sts:GetCallerIdentity",
    ),
]


@pytest.mark.parametrize(("asked", "reason"), REASONS)
def test_reasons_are_in_the_words_of_aws(asked, reason):
    assert decide(asked)["reason"] == reason


def blocking(found):
    return [layer["layer"] for layer in found["layers"] if layer["blocks"]]


def test_a_refused_assume_role_names_each_side_that_refuses():
    both = decide(case(**ASSUME, shared=[grant(aws(EVE), "sts:AssumeRole")]))
    assert blocking(both) == ["role trust policy", "identity-based policy"]
    trust = decide(case(**ASSUME, shared=[grant(aws(EVE), "sts:AssumeRole")], identity=[allow()]))
    assert blocking(trust) == ["role trust policy"]
    identity = decide(case(**ASSUME, shared=[grant(aws(ACCOUNT), "sts:AssumeRole")]))
    assert blocking(identity) == ["identity-based policy"]


def test_a_trust_condition_that_fails_shows_the_values_compared():
    condition = {"StringEquals": {"sts:ExternalId": "right"}, "Bool": {"aws:x": "true"}}
    found = decide(
        case(
            **ASSUME,
            shared=[grant(aws(ALICE), "sts:AssumeRole", Condition=condition)],
            context={"sts:ExternalId": "wrong", "aws:x": True},
        )
    )
    trust = next(each for each in found["layers"] if each["layer"] == "role trust policy")
    assert trust["policies"][0]["statements"] == [
        {
            "statement": "statement 1",
            "effect": "Allow",
            "matches": False,
            "mismatch": {
                "element": "Condition",
                "conditions": [
                    {
                        "operator": "StringEquals",
                        "key": "sts:ExternalId",
                        "wanted": ["right"],
                        "found": "wrong",
                        "holds": False,
                    },
                    {
                        "operator": "Bool",
                        "key": "aws:x",
                        "wanted": ["true"],
                        "found": "true",
                        "holds": True,
                    },
                ],
            },
        }
    ]


def test_each_statement_says_which_element_differs():
    found = decide(
        case(
            identity=[
                allow("s3:PutObject", Sid="Put"),
                allow(resource="arn:aws:s3:::${aws:username}/*"),
                allow(Sid="Fits"),
            ],
            shared=[grant(aws(EVE))],
        )
    )
    shared, identity = found["layers"]
    assert [each.get("mismatch") for each in identity["policies"][0]["statements"]] == [
        {"element": "Action", "wanted": "s3:PutObject", "found": "s3:GetObject"},
        {"element": "Resource", "wanted": ["arn:aws:s3:::alice/*"], "found": BUCKET},
        None,
    ]
    assert shared["policies"][0]["statements"][0]["mismatch"] == {
        "element": "Principal",
        "wanted": {"AWS": [EVE]},
        "found": ALICE,
    }


@pytest.mark.parametrize("text_only", [True, False])
def test_policies_may_be_texts(text_only):
    import json

    document = policy(allow())
    found = decide(
        case() | {"identity_policies": [json.dumps(document) if text_only else document]}
    )
    assert found["decision"] == YES
