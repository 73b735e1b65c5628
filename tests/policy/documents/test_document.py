"""Policies are refused with IAM's messages; garbage is never read, and never allows."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy import strategies as made

from stslab.errors import MalformedPolicy, PolicyError
from stslab.policy import (
    NamedPolicy,
    Policies,
    PolicyKind,
    Principal,
    PrincipalKind,
    Request,
    authorize,
    parse,
)

IDENTITY, RESOURCE, TRUST = PolicyKind.IDENTITY, PolicyKind.RESOURCE, PolicyKind.TRUST
SCP, RCP, SESSION = PolicyKind.SCP, PolicyKind.RCP, PolicyKind.SESSION
GOOD = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
GOOD_TRUST = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
SYNTAX = "Syntax errors in policy."
BAD_SID = (
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
    "expression [0-9A-Za-z]*"
)
LEGACY = "The policy failed legacy parsing"
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
NO_PATH = (
    'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
    "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, "
    "oidc-provider/, report/, access-report/."
)
EMPTY = "Missing required field Principal cannot be empty!"
NO_PRINCIPALS = (
    "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in "
    "policy has a statement with no principals!"
)
OMIT = object()


def changed(base, **changes):
    statement = {**base, **changes}
    return {key: value for key, value in statement.items() if value is not OMIT}


def document(*statements, **elements):
    return {"Version": "2012-10-17", "Statement": list(statements), **elements}


REFUSED = [
    (IDENTITY, [], SYNTAX),
    (IDENTITY, {}, SYNTAX),
    (IDENTITY, {"Version": "2012-10-17"}, SYNTAX),
    (IDENTITY, document(), SYNTAX),
    (IDENTITY, document(GOOD, Version="2012-10-18"), SYNTAX),
    (IDENTITY, document(GOOD, Version=["2012-10-17"]), SYNTAX),
    (SCP, document(GOOD, Id="x"), SYNTAX),
    (TRUST, document(GOOD_TRUST, Id=1), SYNTAX),
    (IDENTITY, document(GOOD, Statements=[]), SYNTAX),
    (IDENTITY, document("x"), SYNTAX),
    (IDENTITY, document(changed(GOOD, Effect=OMIT)), SYNTAX),
    (IDENTITY, document(changed(GOOD, Effect="allow")), LEGACY),
    (IDENTITY, document(changed(GOOD, Effect="Permit")), SYNTAX),
    (RESOURCE, document(changed(GOOD, Effect="allow", Principal="*")), "Invalid effect: allow"),
    (IDENTITY, document(changed(GOOD, Effekt="Allow")), SYNTAX),
    (IDENTITY, document(changed(GOOD, Sid=1)), SYNTAX),
    (
        IDENTITY,
        document(changed(GOOD, Sid="a b")),
        BAD_SID,
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Sid="a b")),
        "The following Statement Ids are invalid: a b",
    ),
    (
        IDENTITY,
        document(changed(GOOD, Sid="a"), changed(GOOD, Sid="a")),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    (IDENTITY, document(changed(GOOD, Action=OMIT)), "Policy statement must contain actions."),
    (IDENTITY, document(changed(GOOD, Action=[])), "Policy statement must contain actions."),
    (IDENTITY, document(changed(GOOD, NotAction="s3:*")), SYNTAX),
    (IDENTITY, document(changed(GOOD, Action=1)), SYNTAX),
    (IDENTITY, document(changed(GOOD, Action=["s3:Get", 1])), SYNTAX),
    (IDENTITY, document(changed(GOOD, Action="GetObject")), VENDOR),
    (IDENTITY, document(changed(GOOD, Action="")), VENDOR),
    (
        IDENTITY,
        document(changed(GOOD, Action="s3:Get:Object")),
        "Actions/Condition can contain only one colon.",
    ),
    (IDENTITY, document(changed(GOOD, Action="s_3:GetObject")), "Vendor s_3 is not valid"),
    (IDENTITY, document(changed(GOOD, Action=":GetObject")), "Vendor  is not valid"),
    (IDENTITY, document(changed(GOOD, Resource=OMIT)), "Policy statement must contain resources."),
    (IDENTITY, document(changed(GOOD, Resource=[])), "Policy statement must contain resources."),
    (IDENTITY, document(changed(GOOD, NotResource="*")), SYNTAX),
    (IDENTITY, document(changed(GOOD, Resource="")), 'Resource  must be in ARN format or "*".'),
    (
        IDENTITY,
        document(changed(GOOD, Resource="bucket/x")),
        'Resource bucket/x must be in ARN format or "*".',
    ),
    *(
        (IDENTITY, document(changed(GOOD, Resource=resource)), message)
        for resource, message in (
            *(
                (arn, LEGACY)
                for arn in (
                    "arn:aws:s3:bucket",
                    "arn:aws:s3::bucket",
                    "arn:aws:iam::1111:user/x",
                    "arn:aws:iam::xxx:role/x",
                    "arn:aws:glue:eu-north-1:111122223333able/default",
                )
            ),
            ("arn:aws:iam::111122223333:user", NO_PATH),
            ("arn:aws:iam:::foo/x", NO_PATH),
            # Without "arn": as moto's list of refused policies has it, whose messages are AWS's.
            ("aws:s3:::x", 'Partition "s3" is not valid for resource "arn:s3:::x:*".'),
            ("x:aws:s3:::y", 'Resource x:aws:s3:::y must be in ARN format or "*".'),
            ("a:b:c", 'Partition "b" is not valid for resource "arn:b:c:*:*:*".'),
            ("arn::s3:::b", 'Partition "" is not valid for resource "arn::s3:::b".'),
            ("arn:asw:s3:::b", 'Partition "asw" is not valid for resource "arn:asw:s3:::b".'),
            ("arn:${p}:s3:::b", 'Partition "${p}" is not valid for resource "arn:${p}:s3:::b".'),
            (
                "arn:aws:iam:us-east-1:111122223333:user/u",
                (
                    "IAM resource arn:aws:iam:us-east-1:111122223333:user/u"
                    " cannot contain region information."
                ),
            ),
        )
    ),
    (IDENTITY, document(changed(GOOD, Resource="arn:aws:s3:::\u20ac")), SYNTAX),
    (
        IDENTITY,
        document(changed(GOOD, Principal="*")),
        "Policy document should not specify a principal.",
    ),
    (
        SCP,
        document(changed(GOOD, Principal="*")),
        "Policy document should not specify a principal.",
    ),
    (IDENTITY, document(changed(GOOD, Condition=[])), SYNTAX),
    (IDENTITY, document(changed(GOOD, Condition={"Bool": "x"})), SYNTAX),
    (IDENTITY, document(changed(GOOD, Condition={"Bool": {"aws:x": {}}})), SYNTAX),
    (IDENTITY, document(changed(GOOD, Condition={"Bool": {"aws:x": None}})), SYNTAX),
    (IDENTITY, document(changed(GOOD, Condition={"Bool": {":x": "true"}})), VENDOR),
    (
        IDENTITY,
        document(changed(GOOD, Condition={"Like": {"aws:x": "true"}})),
        SYNTAX,
    ),
    (IDENTITY, document(changed(GOOD, Condition={"NullIfExists": {"aws:x": "true"}})), SYNTAX),
    (
        RESOURCE,
        document(changed(GOOD, Principal="*", Condition={"StringEqual": {"aws:x": "true"}})),
        "Invalid Condition type : StringEqual.",
    ),
    (TRUST, document(changed(GOOD_TRUST, Resource="*")), "Has prohibited field Resource"),
    (
        TRUST,
        document(changed(GOOD_TRUST, NotResource="*")),
        "AssumeRole policy must not contain resources.",
    ),
    (TRUST, document(changed(GOOD_TRUST, Principal=OMIT)), "Missing required field Principal"),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal=OMIT, NotPrincipal={"AWS": "*"})),
        "Allow with NotPrincipal is not allowed.",
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Action="s3:GetObject")),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (  # github.com/hashicorp/terraform-provider-aws/issues/32872: sts:TagSessions
        TRUST,
        document(changed(GOOD_TRUST, Action=["sts:AssumeRole", "sts:TagSessions"])),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Action="*")),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal={"AWS": "arn:aws:iam::111122223333:user/*"})),
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"',
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal={"AWS": "1111"})),
        'Invalid principal in policy: "AWS":"1111"',
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal={"AWS": "arn:aws:iam::111122223333:group/g"})),
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/g"',
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal={"Aws": "*"})),
        'Invalid principal in policy: "Aws":"*"',
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal={"CanonicalUser": "79a5"})),
        'Invalid principal in policy: "CanonicalUser":"79a5"',
    ),
    (
        TRUST,
        document(changed(GOOD_TRUST, Principal="arn:aws:iam::111122223333:root")),
        'Invalid principal in policy: "arn:aws:iam::111122223333:root"',
    ),
    (TRUST, document(changed(GOOD_TRUST, Principal={})), EMPTY),
    (TRUST, document(changed(GOOD_TRUST, Principal={"AWS": []})), NO_PRINCIPALS),
    (RESOURCE, document(GOOD), "Missing required field Principal"),
    (RCP, document(changed(GOOD, Principal={"AWS": "111122223333"})), SYNTAX),
]


@pytest.mark.parametrize(("kind", "given_document", "message"), REFUSED)
def test_refusals_have_iams_messages(kind, given_document, message):
    for source in (given_document, json.dumps(given_document)):
        with pytest.raises(MalformedPolicy) as refused:
            parse(source, kind)
        assert refused.value.message == message


ACCEPTED = [
    (IDENTITY, document(GOOD)),
    (IDENTITY, {"Statement": GOOD}),
    (IDENTITY, document(GOOD, Version="2008-10-17")),
    (TRUST, document(GOOD_TRUST, Id="x")),
    (SCP, document(changed(GOOD, Action=["*:*", "Code*:List*"]))),
    (
        IDENTITY,
        document(
            changed(GOOD, Condition={"Bool": {"aws:x": True}, "NumericEquals": {"aws:y": [1, 2.5]}})
        ),
    ),
    (IDENTITY, document(changed(GOOD, Condition={}))),
    (IDENTITY, document(changed(GOOD, Condition={"Bool": {"aws:x": []}}))),
    *(
        (IDENTITY, document(changed(GOOD, Resource=resource)))
        for resource in (
            "arn:aws:s3:*",
            "arn:aws-us-gov:s3:::b",
            "arn:*:s3:::b",
            "arn:aws:iam::111122223333:role/r",
            "arn:aws:iam:*:111122223333:role/r",
            "arn:aws:iam::${aws:PrincipalAccount}:role/r",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::*:*",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
        )
    ),
    (IDENTITY, document(changed(GOOD, Resource="arn:aws:s3:::\u00e9"))),
    (TRUST, document(GOOD_TRUST)),
    (TRUST, document(changed(GOOD_TRUST, Action=["sts:AssumeRole", "sts:TagSession"]))),
    (TRUST, document(changed(GOOD_TRUST, Principal={"AWS": ["*", "AROA1234567890123456"]}))),
    (
        TRUST,
        document(
            changed(GOOD_TRUST, Principal={"Service": ["a.amazonaws.com"], "Federated": "x.com"})
        ),
    ),
    (RESOURCE, document(changed(GOOD, Sid="with space", Principal={"CanonicalUser": "79a5"}))),
    (
        RESOURCE,
        document(
            changed(GOOD, Effect="Deny", Resource=OMIT, NotPrincipal={"AWS": "*"}),
        ),
    ),
    (RCP, document(changed(GOOD, Effect="Deny", Principal="*"))),
    (SCP, document(changed(GOOD, Action=OMIT, NotAction="iam:*"))),
    (SESSION, document(GOOD)),
]


@pytest.mark.parametrize(("kind", "given_document"), ACCEPTED)
def test_policies_that_iam_accepts_are_read(kind, given_document):
    policy = parse(given_document, kind)
    assert parse(policy.text(), kind).document == policy.document
    assert parse(json.dumps(policy.document, indent=2), kind).document == policy.document
    assert parse(copy.deepcopy(given_document), kind) is policy


@pytest.mark.parametrize("text", ["", "{", "[]]", "nul", '{"Statement": NaN}', "[" * 100_000])
def test_invalid_json_is_refused(text):
    with pytest.raises(MalformedPolicy):
        parse(text, IDENTITY)


def test_repeated_elements_are_refused():
    text = '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}'
    with pytest.raises(MalformedPolicy) as refused:
        parse(text, IDENTITY)
    assert "'Effect' is there twice" in refused.value.hint


def test_the_hint_says_where():
    with pytest.raises(MalformedPolicy) as refused:
        parse(document(GOOD, changed(GOOD, Action="x")), IDENTITY)
    assert refused.value.hint == "Statement 2: 'x'"


def test_values_that_json_cant_hold_are_refused():
    with pytest.raises(MalformedPolicy):
        parse({"Statement": object()}, IDENTITY)


def test_the_same_document_of_another_kind_is_another_policy():
    assert parse(document(GOOD), IDENTITY) is not parse(document(GOOD), SESSION)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
elements = st.sampled_from(
    [
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
        "Sid",
    ]
)
plausible = st.sampled_from(
    [
        "Allow",
        "Deny",
        "*",
        "s3:*",
        ["s3:*"],
        {"AWS": "*"},
        {"Bool": {"aws:x": "true"}},
        "arn:aws:s3:::x",
    ]
)
garbled = st.fixed_dictionaries(
    {"Statement": st.dictionaries(elements, plausible | json_values, max_size=6) | json_values},
    optional={"Version": st.just("2012-10-17") | json_values},
)


@given(st.text(max_size=40) | json_values | garbled, st.sampled_from(PolicyKind))
def test_the_parser_only_raises_malformed_policy(source, kind):
    if not isinstance(source, str):
        source = json.dumps(source)
    try:
        policy = parse(source, kind)
    except MalformedPolicy:
        return
    assert policy.statements
    assert parse(policy.text(), kind).document == policy.document


@given(made.requests, garbled)
def test_garbage_never_allows(request, source):
    try:
        policies = Policies(identity=[NamedPolicy("p", parse(json.dumps(source), IDENTITY))])
    except MalformedPolicy:
        return
    statement = source["Statement"]
    if authorize(request, policies).allowed and not request.principal.unlimited:
        allowing = statement if isinstance(statement, list) else [statement]
        assert any(each["Effect"] == "Allow" for each in allowing)


@given(made.documents(), st.data())
def test_a_missing_element_is_noticed(source, data):
    statement = copy.deepcopy(data.draw(st.sampled_from(source["Statement"])))
    del statement[data.draw(st.sampled_from(["Effect", "Action", "Resource"]))]
    with pytest.raises(MalformedPolicy):
        parse(document(statement), IDENTITY)


def test_a_principals_arn_is_checked():
    for text in (
        "",
        "alice",
        "arn:aws:s3:::x",
        "arn:aws:iam::1:user/x",
        "arn:aws:iam::111122223333:user/",
    ):
        with pytest.raises(PolicyError):
            Principal.from_arn(text)


def test_requests_have_defaults():
    request = Request(Principal(PrincipalKind.ANONYMOUS, "anonymous"), "s3:GetObject", "*")
    assert (dict(request.context), request.resource_account) == ({}, None)
