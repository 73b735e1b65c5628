"""The IAM actions of S3's operations, whose names differ from the operations'.

S3 User Guide, "Required permissions for Amazon S3 API operations", and the Service
Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from collections.abc import Mapping

from stslab.sandbox.api.model import ApiRequest

# Operation on a bucket -> the action on it, where it is not the operation's own name.
_OF_BUCKETS: Mapping[str, str] = {
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
# The same of operations on an object.
_OF_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "CompleteMultipartUpload": ("PutObject",),
    "CopyObject": ("PutObject",),
    "CreateMultipartUpload": ("PutObject",),
    "GetObjectAttributes": ("GetObject", "GetObjectAttributes"),
    "HeadObject": ("GetObject",),
    "ListParts": ("ListMultipartUploadParts",),
    "UploadPart": ("PutObject",),
    "UploadPartCopy": ("PutObject",),
}
# Actions that have no other one for a version: GetObject has GetObjectVersion.
_UNVERSIONED = frozenset({"AbortMultipartUpload", "ListMultipartUploadParts", "PutObject"})

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
    own = _OF_BUCKETS.get(request.operation, request.operation)
    return (f"s3:{own}", *_further(request, _FURTHER_BUCKET))


def on_object(request: ApiRequest) -> tuple[str, ...]:
    """The actions that an operation on an object needs on that object."""
    names = _OF_OBJECTS.get(request.operation, (request.operation,))
    if request.params.get("VersionId"):
        names = tuple(map(_versioned, names))
    return (*(f"s3:{name}" for name in names), *_further(request, _FURTHER_OBJECT))


def _versioned(name: str) -> str:
    return name if name in _UNVERSIONED else name.replace("Object", "ObjectVersion")


def _further(
    request: ApiRequest, table: tuple[tuple[frozenset[str], tuple[str, ...], str], ...]
) -> tuple[str, ...]:
    return tuple(
        action
        for wanted, parameters, action in table
        if request.operation in wanted and any(request.params.get(name) for name in parameters)
    )
