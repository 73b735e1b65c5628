"""The explanation of decisions, and the findings about policies."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.policy.cases import ALICE, LAB_ROLE, allow, aws, deny, grant, policy, refuse

from stslab.policy import NamedPolicy, Policies, PolicyKind, Principal, Request, authorize, parse
from stslab.policy.conditions import OPERATORS, address
from stslab.policy.documents.document import size
from stslab.policy.explain import MARKS, node_lines, retold
from stslab.policy.findings import findings
from stslab.policy.request import Context

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/idp.example.com"
SAML_PROVIDER = "arn:aws:iam::111122223333:saml-provider/idp"
OF_ITS_USER = {"StringEquals": {"idp.example.com:sub": "ana"}}


def lines(decision, marks=MARKS):
    return list(node_lines(retold(decision.as_dict()), marks))


def named(name, kind, *statements):
    return NamedPolicy(name, parse(policy(*statements), kind))


def test_a_denied_assume_role_is_explained_side_by_side():
    condition = {"StringEquals": {"sts:ExternalId": ["abc", "def"]}}
    policies = Policies(
        identity=[
            named("inline policy p of user alice", PolicyKind.IDENTITY, allow("s3:*", Sid="S3"))
        ],
        resource=named(
            "trust policy of role lab",
            PolicyKind.TRUST,
            grant(aws("111122223333"), "sts:AssumeRole", Condition=condition),
        ),
    )
    request = Request(
        Principal.from_arn(ALICE), "sts:AssumeRole", LAB_ROLE, {"sts:ExternalId": "xyz"}
    )
    decision = authorize(request, policies)
    assert lines(decision) == [
        "✘ Implicitly denied: no identity-based policy allows the sts:AssumeRole action",
        "  ✘ Role trust policy: does not allow",
        "    · trust policy of role lab",
        "      · statement 1 (Allow) does not apply, because of its Condition:",
        "        ✘ sts:ExternalId is xyz: StringEquals abc or def does not hold",
        "  ✘ Identity-based policy: does not allow",
        "    · inline policy p of user alice",
        "      · S3 (Allow) does not apply: its Action is s3:*, and the request has sts:AssumeRole",
    ]
    assert decision.message == (
        f"User: {ALICE} is not authorized to perform: sts:AssumeRole on resource: {LAB_ROLE} "
        "because no identity-based policy allows the sts:AssumeRole action"
    )


def test_statements_that_apply_and_deny_are_marked():
    policies = Policies(
        identity=[named("own", PolicyKind.IDENTITY, allow(), deny("s3:Get*", Sid="No"))],
        scps=[[named("FullAWSAccess", PolicyKind.SCP, allow())]],
        session=[],
    )
    decision = authorize(Request(Principal.from_arn(ALICE), "s3:GetObject", "*"), policies)
    assert lines(decision, {True: "+", False: "x", None: "-"}) == [
        "x Explicitly denied in an identity-based policy",
        "  + Service control policy, level 1: allows",
        "    - FullAWSAccess",
        "      + statement 1 (Allow) applies",
        "  x Identity-based policy: denies",
        "    - own",
        "      + statement 1 (Allow) applies",
        "      x No (Deny) applies",
        "  x Session policy: none",
    ]
    assert decision.message.endswith(
        "s3:GetObject with an explicit deny in an identity-based policy"
    )


def test_long_lists_and_absent_keys_stay_readable():
    policies = Policies(
        identity=[
            named(
                "own",
                PolicyKind.IDENTITY,
                allow([f"s3:Get{each}" for each in "ABCDEF"]),
                allow(Condition={"StringEquals": {"aws:PrincipalTag/a b": ""}}),
                allow(resource=["arn:aws:s3:::${aws:username}"]),
            )
        ]
    )
    decision = authorize(
        Request(Principal.from_arn(ALICE), "s3:PutObject", "arn:aws:s3:::x"), policies
    )
    assert [line.strip() for line in lines(decision)[3:]] == [
        "· statement 1 (Allow) does not apply: its Action is s3:GetA or s3:GetB or s3:GetC or s3:GetD and 2 more, and the request has s3:PutObject",
        "· statement 2 (Allow) does not apply, because of its Condition:",
        '✘ aws:PrincipalTag/a b is not in the request: StringEquals "" does not hold',
        "· statement 3 (Allow) does not apply: its Resource is arn:aws:s3:::alice, and the request has arn:aws:s3:::x",
    ]


TRUSTED = grant(aws("111122223333"), "sts:AssumeRole")
FOUND = [
    (PolicyKind.TRUST, grant(aws(ALICE), "sts:AssumeRole"), "names-principal"),
    (PolicyKind.RESOURCE, grant("*", "s3:GetObject"), "everyone"),
    (
        PolicyKind.TRUST,
        grant(aws("*"), "sts:AssumeRole", Condition={"StringEquals": {"sts:ExternalId": "x"}}),
        "everyone",
    ),
    (
        PolicyKind.IDENTITY,
        allow(Condition={"StringNotEqualsIfExists": {"aws:PrincipalTag/a": "x"}}),
        "if-exists-idle",
    ),
    (
        PolicyKind.IDENTITY,
        deny(Condition={"ForAllValues:StringEqualsIfExists": {"aws:TagKeys": "x"}}),
        "if-exists-idle",
    ),
    (
        PolicyKind.IDENTITY,
        deny(Condition={"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "x"}}),
        "if-exists-idle",
    ),
    (
        PolicyKind.IDENTITY,
        allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
        "for-all-values-allow",
    ),
    (
        PolicyKind.IDENTITY,
        allow(Condition={"StringEquals": {"aws:CalledVia": "x.amazonaws.com"}}),
        "set-operator-missing",
    ),
    (
        PolicyKind.RESOURCE,
        refuse("*", "s3:*", Resource="*", Condition={"NumericLessThan": {"s3:max-keys": "ten"}}),
        "value-unreadable",
    ),
    (PolicyKind.IDENTITY, deny(Condition={"Null": {"aws:TagKeys": "no"}}), "value-unreadable"),
    (
        PolicyKind.IDENTITY,
        allow(resource="arn:aws:sqs:${aws:RequestedRegion}:111122223333:q"),
        "variable-literal",
    ),
    (
        PolicyKind.RESOURCE,
        refuse("*", "s3:*", Resource="*", Condition={"NumericEquals": {"s3:max-keys": "${aws:x}"}}),
        "variable-literal",
    ),
    (
        PolicyKind.IDENTITY,
        deny(Condition={"ForAnyValue:Null": {"aws:TagKeys": "true"}}),
        "null-with-set-operator",
    ),
    (PolicyKind.IDENTITY, deny(Condition={"Bool": {"aws:SecureTransport": []}}), "values-missing"),
    (PolicyKind.IDENTITY, allow("s3:GetObjekt"), "action-unknown"),
    (PolicyKind.IDENTITY, allow("nosuch:Get*"), "action-unknown"),
    *(
        (PolicyKind.IDENTITY, allow(["s3:Get*", action], resource), "resource-other")
        for action, resource in (
            ("s3:ListBucket", "arn:aws:s3:::shop/*"),
            ("s3:listbucket", ["arn:aws:s3:::shop/*", "arn:aws:s3:::${aws:username}/a"]),
            ("s3:GetObject", "arn:aws:s3:::shop"),
            ("s3:ListAllMyBuckets", "arn:aws:s3:::shop"),
            ("iam:ListRoles", "arn:aws:iam::111122223333:role/lab"),
            ("sts:AssumeRole", "arn:aws:iam::111122223333:user/ana"),
        )
    ),
    (PolicyKind.SCP, deny("s3:ListBucket", "arn:aws:s3:::shop/*"), "resource-other"),
    (
        PolicyKind.IDENTITY,
        allow(Condition={"StringEquals": {"s3:nosuchkey": "x"}}),
        "key-unknown",
    ),
    # "IAM Access Analyzer policy check reference": "Private IP address", "Private NotIpAddress",
    # "Private IP address subset", "Mismatched action for principal"
    (
        PolicyKind.IDENTITY,
        allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        "address-private",
    ),
    (
        PolicyKind.RESOURCE,
        refuse("*", "s3:*", Resource="*", Condition={"NotIpAddress": {"aws:sourceip": "FD00::/8"}}),
        "address-private",
    ),
    (
        PolicyKind.IDENTITY,
        allow(Condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "172.16.0.0/12"]}}),
        "address-private",
    ),
    (
        PolicyKind.TRUST,
        grant({"Federated": PROVIDER}, "sts:AssumeRole", Condition=OF_ITS_USER),
        "action-mismatched",
    ),
    (
        PolicyKind.TRUST,
        grant({"Federated": PROVIDER}, "sts:AssumeRoleWithSAML", Condition=OF_ITS_USER),
        "action-mismatched",
    ),
    (
        PolicyKind.TRUST,
        grant({"Federated": SAML_PROVIDER}, "sts:AssumeRoleWithWebIdentity"),
        "action-mismatched",
    ),
    (
        PolicyKind.TRUST,
        grant(aws("111122223333"), ["sts:AssumeRoleWithSAML", "sts:TagSession"]),
        "action-mismatched",
    ),
    # The same page: "Pass role with star in resource", "... with NotResource", "... and NotAction"
    (PolicyKind.IDENTITY, allow(["ec2:*", "iam:PassRole"]), "passes-any-role"),
    (
        PolicyKind.IDENTITY,
        allow("iam:Pass*", "arn:aws:iam::111122223333:role/*"),
        "passes-any-role",
    ),
    (
        PolicyKind.IDENTITY,
        {"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:iam::111122223333:role/x"},
        "passes-any-role",
    ),
    (
        PolicyKind.IDENTITY,
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        "passes-any-role",
    ),
    *(
        (PolicyKind.IDENTITY, allow("iam:PassRole", resource), "passes-any-role")
        for resource in (
            "arn:aws:iam::*",
            "arn:aws:iam::111122223333:*",
            "arn:aws-cn:iam::*:role/**",
        )
    ),
]


@pytest.mark.parametrize(("kind", "statement", "code"), FOUND)
def test_findings(kind, statement, code):
    found = findings(parse(policy(statement), kind))
    assert code in [each.code for each in found]


QUIET = [
    (PolicyKind.TRUST, TRUSTED),
    (PolicyKind.IDENTITY, allow("s3:Get*", "arn:aws:s3:::shop/${aws:username}/*")),
    (PolicyKind.IDENTITY, allow(["*", "S3:getobject"])),
    *(
        (PolicyKind.IDENTITY, allow(["s3:GetObject", "s3:ListBucket"], resource))
        for resource in (
            ["arn:aws:s3:::shop", "arn:aws:s3:::shop/*"],
            "arn:aws:s3:::shop*",
            "arn:*:s3:::shop?${aws:username}",
        )
    ),
    # Lists are allowed so in AWS's guides and managed policies, and by the embedded account.
    (PolicyKind.IDENTITY, allow("s3:ListAllMyBuckets", "arn:aws:s3:::*")),
    (PolicyKind.IDENTITY, allow(["iam:ListRoles"], ["arn:aws:iam::*:role/*", "arn:aws:iam::*:*"])),
    (
        PolicyKind.IDENTITY,
        allow(
            Condition={
                "ForAllValues:StringEquals": {"aws:TagKeys": "x"},
                "Null": {"aws:TagKeys": "false"},
                "StringEqualsIfExists": {"aws:PrincipalTag/team": "a", "s3:prefix": "b"},
                "StringEquals": {"iam:ResourceTag/team": "a", "accounts.google.com:sub": "1"},
            }
        ),
    ),
    (
        PolicyKind.RESOURCE,
        grant("*", "s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ),
    (
        PolicyKind.IDENTITY,
        allow(
            Condition={
                "IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "100.64.0.0/10", "172.32.0.0/16"]},
                "NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"},
            }
        ),
    ),
    (PolicyKind.TRUST, grant({"Federated": PROVIDER}, "sts:*Identity", Condition=OF_ITS_USER)),
    (PolicyKind.TRUST, grant({"Federated": PROVIDER}, "sts:TagSession", Condition=OF_ITS_USER)),
    (
        PolicyKind.TRUST,
        grant(
            {"Federated": SAML_PROVIDER},
            "sts:AssumeRoleWithSAML",
            Condition={"StringEquals": {"SAML:aud": "x"}},
        ),
    ),
    (PolicyKind.TRUST, grant({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")),
    (PolicyKind.IDENTITY, allow("iam:PassRole", "arn:aws:iam::111122223333:role/app-*")),
    (
        PolicyKind.IDENTITY,
        allow(
            "iam:PassRole",
            Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
    ),
    (PolicyKind.IDENTITY, deny("iam:PassRole")),
    (PolicyKind.IDENTITY, allow("iam:*", "arn:aws:iam::111122223333:user/*")),
    (
        PolicyKind.IDENTITY,
        {"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:iam::*:role/*"},
    ),
    (PolicyKind.BOUNDARY, allow("iam:*")),
]


@pytest.mark.parametrize(("kind", "statement"), QUIET)
def test_sound_policies_have_no_findings(kind, statement):
    assert findings(parse(policy(statement), kind)) == ()


def test_a_misspelt_action_gets_the_right_one():
    (found,) = findings(parse(policy(allow("s3:GetObjekt")), PolicyKind.IDENTITY))
    assert found.message == "There is no action s3:GetObjekt; did you mean s3:GetObject?"


def test_variables_in_the_older_version_are_a_finding():
    document = policy(allow(resource="arn:aws:s3:::${aws:username}")) | {"Version": "2008-10-17"}
    (found,) = findings(parse(document, PolicyKind.IDENTITY))
    assert found.code == "variable-literal"


WANTED = """
    ten 5 2026-01-01 true false yes 10.0.0.0/8 10.0.0.0/40 YQ== nowhere * arn:aws:iam::1:user/alice
    arn:aws:iam::1:* ${aws:username} ${x:none} ${x:none,'true'} ${*} ${$} arn:aws:iam:${aws:username}
    """.split()
GIVEN = (
    "5 6 2026-01-01 true no 10.1.1.1 11.1.1.1 a alice arn:aws:iam::1:user/alice a:b:c:d:e:f".split()
)


def one_condition(effect, operator, values, version):
    statement = effect("*", "s3:*", Resource="*", Condition={operator: {"x:k": values}})
    return parse(policy(statement) | {"Version": version}, PolicyKind.RESOURCE)


def holds_with(read, found):
    request = Request(Principal.from_arn(ALICE), "s3:GetObject", "*", {"x:k": found})
    (condition,) = read.statements[0].conditions
    return condition.holds(Context(request))


def said(read):
    """What the findings say of each value that can't be read."""
    about = [one.message for one in findings(read) if one.code == "value-unreadable"]
    split = [re.fullmatch(r"(.*) is not [^:]*: (.*)\.", message) for message in about]
    return {one: each[2] for one in WANTED for each in split if each and repr(one) in each[1]}


@given(
    st.sampled_from([grant, refuse]),
    st.sampled_from(sorted(row.name for row in OPERATORS.values())),
    st.lists(st.sampled_from(WANTED), min_size=1, max_size=4, unique=True),
    st.sampled_from(GIVEN),
    st.sampled_from(["2008-10-17", "2012-10-17"]),
)
@example(grant, "Bool", ["${aws:username}"], "no", "2008-10-17")
@example(refuse, "ArnNotLike", ["${aws:username}"], "arn:aws:iam::1:user/alice", "2008-10-17")
@example(refuse, "ArnLike", ["${*}"], "arn:aws:iam::1:user/alice", "2012-10-17")
@example(refuse, "ArnLike", ["nowhere", "${aws:username}"], "a:b:c:d:e:f", "2012-10-17")
@example(refuse, "NumericNotEquals", ["ten"], "5", "2012-10-17")
def test_a_finding_says_what_a_value_of_the_wrong_type_does(effect, name, values, found, version):
    notes, negated = (
        said(one_condition(effect, name, values, version)),
        OPERATORS[name.lower()].negated,
    )
    expected = negated
    for value in values:
        so = notes.get(value, "")
        if so.startswith("where") and found.count(":") >= 5:  # an ARN
            expected = effect is refuse
            break
        if so == "it excludes nothing":
            result = "IpAddress" not in name or address(found) is not None
        elif so.startswith("where") or so == f"{name} never matches it":
            result = False
        else:
            assert so in ("", "taken as false")
            read = one_condition(effect, name, ["false" if so else value], version)
            result = holds_with(read, found)
        if result is not negated:
            expected = result
            break
    assert holds_with(one_condition(effect, name, values, version), found) is expected


def test_size_is_counted_without_white_space_and_has_limits():
    long = [allow(f"s3:Get{number}", Sid=f"S{number}") for number in range(200)]
    session = parse(policy(*long), PolicyKind.SESSION)
    assert size(session.text()) == len("".join(session.text().split()))
    assert findings(session)[0].code == "too-long"


@pytest.mark.parametrize(
    ("version", "resource"),
    [
        ("2008-10-17", "arn:aws:iam::*:user/${aws:username}"),
        ("2012-10-17", "arn:aws:iam::*:user/${aws:PrincipalTag/none}"),
    ],
)
def test_a_literal_variable_is_explained(version, resource):
    statement = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": resource}
    text = json.dumps({"Version": version, "Statement": statement})
    found = NamedPolicy("p", parse(text, PolicyKind.IDENTITY))
    request = Request(Principal.from_arn(ALICE), "iam:GetUser", ALICE, {"aws:username": "alice"})
    told = "\n".join(lines(authorize(request, Policies(identity=[found]))))
    assert (
        f"its Resource is {resource}, and the request has {ALICE} (a variable is literal text"
        in told
    )


def test_the_id_of_one_that_was_deleted_is_explained():
    gone = {"AWS": ["AIDACKCEVSQ6C2EXAMPLE", "arn:aws:iam::111122223333:user/bob"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": gone}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    trust = NamedPolicy("t", parse(text, PolicyKind.TRUST))
    role = "arn:aws:iam::111122223333:role/r"
    request = Request(Principal.from_arn(ALICE), "sts:AssumeRole", role, {})
    told = "\n".join(lines(authorize(request, Policies(resource=trust))))
    assert "AIDACKCEVSQ6C2EXAMPLE" in told
    assert f"has {ALICE} (AWS shows an id in place of the ARN of one that was deleted)" in told
