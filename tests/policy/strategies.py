"""Random requests and policies, from so few values that they often match."""

from hypothesis import strategies as st

from stslab.policy import (
    NamedPolicy,
    Policies,
    PolicyKind,
    Principal,
    PrincipalKind,
    Request,
    parse,
)

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/night"

ACTIONS = ["s3:GetObject", "s3:PutObject", "ec2:RunInstances"]
RESOURCES = ["arn:aws:s3:::shop/a", "arn:aws:s3:::shop/b/c", "arn:aws:s3:::other/a"]
CONDITIONS = [
    {"StringEquals": {"aws:PrincipalTag/team": "red"}},
    {"StringNotEquals": {"aws:PrincipalTag/team": ["red", "blue"]}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"ForAnyValue:StringLike": {"aws:TagKeys": "t*"}},
    {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}},
    {"Null": {"aws:PrincipalTag/team": "true"}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:*/a*"}},
]
PRINCIPALS = [
    "*",
    {"AWS": ACCOUNT},
    {"AWS": USER},
    {"AWS": [ROLE, SESSION]},
    {"AWS": SESSION},
    {"Service": "ec2.amazonaws.com"},
]

principals = st.sampled_from(
    [
        Principal.from_arn(USER),
        Principal.from_arn(ROLE),
        Principal.from_arn(SESSION),
        Principal.from_arn("arn:aws:iam::444455556666:user/eve"),
        Principal.from_arn(f"arn:aws:iam::{ACCOUNT}:root"),
        Principal(PrincipalKind.SERVICE, "ec2.amazonaws.com"),
        Principal(PrincipalKind.ANONYMOUS, "anonymous"),
    ]
)

contexts = st.fixed_dictionaries(
    {},
    optional={
        "aws:PrincipalTag/team": st.sampled_from(["red", "blue", "green", ""]),
        "aws:SecureTransport": st.sampled_from(["true", "false"]),
        "aws:TagKeys": st.lists(st.sampled_from(["team", "cost", "x"]), max_size=3),
    },
)

requests = st.builds(
    Request,
    principals,
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    contexts,
    st.sampled_from([None, ACCOUNT]),
)


def statements(*, named=False, effects=("Allow", "Deny")):
    """Statements of policies, with a Principal where they are ``named``."""
    parts = {
        "Effect": st.sampled_from(effects),
        "Action": st.sampled_from(["*", "s3:*", "s3:Get*", *ACTIONS, ["s3:P*", "ec2:*"]]),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::shop/*", "arn:aws:s3:::*/a", *RESOURCES]),
    }
    optional = {"Condition": st.sampled_from(CONDITIONS)}
    if named:
        parts["Principal"] = st.sampled_from(PRINCIPALS)
    return st.fixed_dictionaries(parts, optional=optional)


def documents(**kwargs):
    """Policy documents of one to three statements."""
    return st.lists(statements(**kwargs), min_size=1, max_size=3).map(
        lambda found: {"Version": "2012-10-17", "Statement": found}
    )


def named(kind, **kwargs):
    """Named policies of one kind."""
    return documents(**kwargs).map(lambda document: NamedPolicy("p", parse(document, kind)))


policies = st.builds(
    Policies,
    identity=st.lists(named(PolicyKind.IDENTITY), max_size=2),
    resource=st.none() | named(PolicyKind.RESOURCE, named=True),
    boundaries=st.none() | st.lists(named(PolicyKind.BOUNDARY), max_size=1),
    session=st.none() | st.lists(named(PolicyKind.SESSION), max_size=2),
    scps=st.lists(st.lists(named(PolicyKind.SCP), max_size=2), max_size=2),
    rcps=st.just(()),
)
