"""The IAM actions of S3's operations, whose names differ from the operations'.

S3 User Guide, "Required permissions for Amazon S3 API operations", and the Service
Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping

from stslab.sandbox.api.model import ApiRequest

# Operations on a bucket whose action is called as they are.
_ALIKE = (
    "CreateBucket",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "DeleteBucketWebsite",
    "GetBucketAcl",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "PutBucketAcl",
    "PutBucketLogging",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
)
# Operation on a bucket -> the action on it.
BUCKET: Mapping[str, str] = {
    **{operation: f"s3:{operation}" for operation in _ALIKE},
    "DeleteBucketCors": "s3:PutBucketCORS",
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "DeleteBucketTagging": "s3:PutBucketTagging",
    "DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketCors": "s3:GetBucketCORS",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutBucketCors": "s3:PutBucketCORS",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}

# Operation on an object -> the actions on it, and the same with a version's id in the request.
OBJECT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "PutObject",
            "UploadPart",
            "UploadPartCopy",
        ),
        (("s3:PutObject",), ("s3:PutObject",)),
    ),
    **{
        f"{verb}{noun}": ((f"s3:{verb}{noun}",), (f"s3:{verb}ObjectVersion{noun[6:]}",))
        for verb, noun in (
            ("Delete", "Object"),
            ("Delete", "ObjectTagging"),
            ("Get", "Object"),
            ("Get", "ObjectAcl"),
            ("Get", "ObjectTagging"),
            ("Put", "ObjectAcl"),
            ("Put", "ObjectTagging"),
        )
    },
    "AbortMultipartUpload": (("s3:AbortMultipartUpload",), ("s3:AbortMultipartUpload",)),
    "GetObjectAttributes": (
        ("s3:GetObject", "s3:GetObjectAttributes"),
        ("s3:GetObjectVersion", "s3:GetObjectVersionAttributes"),
    ),
    "HeadObject": (("s3:GetObject",), ("s3:GetObjectVersion",)),
    "ListParts": (("s3:ListMultipartUploadParts",), ("s3:ListMultipartUploadParts",)),
}

# Requests that have one of these parameters need the further action on the same resource.
_GRANTS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
_STORING = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_FURTHER_OBJECT: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (_STORING, _GRANTS, "s3:PutObjectAcl"),
    (_STORING, ("Tagging",), "s3:PutObjectTagging"),
    (_STORING, ("ObjectLockMode", "ObjectLockRetainUntilDate"), "s3:PutObjectRetention"),
    (_STORING, ("ObjectLockLegalHoldStatus",), "s3:PutObjectLegalHold"),
    (
        frozenset({"DeleteObject"}),
        ("BypassGovernanceRetention",),
        "s3:BypassGovernanceRetention",
    ),
)
_CREATING = frozenset({"CreateBucket"})
_FURTHER_BUCKET: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (_CREATING, _GRANTS, "s3:PutBucketAcl"),
    (_CREATING, ("ObjectOwnership",), "s3:PutBucketOwnershipControls"),
    (_CREATING, ("ObjectLockEnabledForBucket",), "s3:PutBucketObjectLockConfiguration"),
    (_CREATING, ("ObjectLockEnabledForBucket",), "s3:PutBucketVersioning"),
)


def on_bucket(request: ApiRequest) -> tuple[str, ...]:
    """The actions that an operation on a bucket needs on that bucket."""
    return (BUCKET[request.operation], *_further(request, _FURTHER_BUCKET))


def on_object(request: ApiRequest) -> tuple[str, ...]:
    """The actions that an operation on an object needs on that object."""
    plain, versioned = OBJECT[request.operation]
    actions = versioned if request.params.get("VersionId") else plain
    return (*actions, *_further(request, _FURTHER_OBJECT))


def _further(
    request: ApiRequest, table: tuple[tuple[frozenset[str], tuple[str, ...], str], ...]
) -> tuple[str, ...]:
    return tuple(
        action
        for wanted, parameters, action in table
        if request.operation in wanted and any(request.params.get(name) for name in parameters)
    )
