"""What a call makes of its thing, and where a look-up shows it: rows for comparing the two.

Only what decides who may do what is compared, and what else the thing is called by: policies,
boundaries, tags, and a stack's parameters. Sources: the pages of the operations in the API
references of IAM, Amazon S3 and CloudFormation. Expressions are JMESPath over the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stslab.kinds.creations import CREATIONS
from stslab.kinds.table import KINDS

_OWNERS = ("User", "Role", "Group")


@dataclass(frozen=True, slots=True)
class Effect:
    """What one operation makes of a thing of ``kind``.

    ``shows`` maps a parameter to where the look-up's answer has it; ``made`` tells when the
    thing was made. ``more`` is a second look-up, whose answer is added to the first's: an
    operation, and its parameters as expressions over ``{answer, thing}``. ``put_back`` gives
    the thing its document again: an operation, and its parameters beside the thing's names,
    each a value or a document's ``{}``.
    """

    kind: str
    shows: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    more: tuple[str, Mapping[str, str]] | None = None
    put_back: tuple[str, Mapping[str, object]] | None = None

    def names(self, params: Mapping[str, object]) -> dict[str, str]:
        """What names the thing that a call with these parameters is about, as far as they tell."""
        return {name: str(params[name]) for name in KINDS[self.kind].names if name in params}


DOCUMENT = "{}"
"""In ``put_back``: where the policy document goes."""

_BOUNDARY = "{0}.PermissionsBoundary.PermissionsBoundaryArn"
_TRUST = "Role.AssumeRolePolicyDocument"
_TRUST_BACK = ("UpdateAssumeRolePolicy", {"PolicyDocument": DOCUMENT})
_VERSION = (
    "GetPolicyVersion",
    {"PolicyArn": "thing.PolicyArn", "VersionId": "answer.Policy.DefaultVersionId"},
)
_VERSION_BACK = ("CreatePolicyVersion", {"PolicyDocument": DOCUMENT, "SetAsDefault": True})


def _entity(owner: str, **more: str) -> dict[str, str]:
    return {"Path": f"{owner}.Path", "Tags": f"{owner}.Tags", **more}


_TOLD: Mapping[str, Effect] = {
    "iam.CreateUser": Effect(
        "iam.user",
        _entity("User", PermissionsBoundary=_BOUNDARY.format("User")),
        made="User.CreateDate",
    ),
    "iam.CreateRole": Effect(
        "iam.role",
        _entity(
            "Role",
            PermissionsBoundary=_BOUNDARY.format("Role"),
            AssumeRolePolicyDocument=_TRUST,
            MaxSessionDuration="Role.MaxSessionDuration",
        ),
        made="Role.CreateDate",
        put_back=_TRUST_BACK,
    ),
    "iam.UpdateAssumeRolePolicy": Effect(
        "iam.role", {"PolicyDocument": _TRUST}, put_back=_TRUST_BACK
    ),
    "iam.CreateGroup": Effect("iam.group", {"Path": "Group.Path"}, made="Group.CreateDate"),
    "iam.CreateInstanceProfile": Effect(
        "iam.instance_profile",
        _entity("InstanceProfile"),
        made="InstanceProfile.CreateDate",
    ),
    "iam.CreatePolicy": Effect(
        "iam.policy",
        {"PolicyDocument": "PolicyVersion.Document", "Tags": "Policy.Tags"},
        made="Policy.CreateDate",
        more=_VERSION,
        put_back=_VERSION_BACK,
    ),
    "iam.CreatePolicyVersion": Effect(
        "iam.policy",
        {"PolicyDocument": "PolicyVersion.Document"},
        more=_VERSION,
        put_back=_VERSION_BACK,
    ),
    "iam.CreateOpenIDConnectProvider": Effect(
        "iam.oidc_provider", {"ClientIDList": "ClientIDList", "Tags": "Tags"}, made="CreateDate"
    ),
    "iam.CreateSAMLProvider": Effect("iam.saml_provider", {"Tags": "Tags"}, made="CreateDate"),
    **{
        f"iam.Put{owner}Policy": Effect(
            f"iam.{owner.lower()}_policy",
            {"PolicyDocument": "PolicyDocument"},
            put_back=(f"Put{owner}Policy", {"PolicyDocument": DOCUMENT}),
        )
        for owner in _OWNERS
    },
    **{
        f"iam.Put{owner}PermissionsBoundary": Effect(
            f"iam.{owner.lower()}_boundary", {"PermissionsBoundary": _BOUNDARY.format(owner)}
        )
        for owner in ("User", "Role")
    },
    **{
        f"iam.Tag{one}": Effect(f"iam.{one.lower()}", {"Tags": f"{one}.Tags"})
        for one in ("User", "Role")
    },
    "s3.CreateBucket": Effect(
        "s3.bucket",
        made="Buckets[0].CreationDate",
        more=("ListBuckets", {"Prefix": "thing.Bucket"}),
    ),
    "s3.PutBucketPolicy": Effect(
        "s3.bucket_policy",
        {"Policy": "Policy"},
        put_back=("PutBucketPolicy", {"Policy": DOCUMENT}),
    ),
    "cloudformation.CreateStack": Effect(
        "cloudformation.stack",
        {"Parameters": "Stacks[0].Parameters", "Tags": "Stacks[0].Tags"},
        made="Stacks[0].CreationTime",
    ),
}
EFFECTS: Mapping[str, Effect] = {
    **{call: Effect(creation.kind) for call, creation in CREATIONS.items()},
    **_TOLD,
}
