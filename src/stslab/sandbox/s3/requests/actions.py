"""The IAM actions of S3's operations, whose names differ from the operations'.

S3 User Guide, "Required permissions for Amazon S3 API operations", and the Service
Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping

from stslab.sandbox.api.model import ApiRequest

# Operation on a bucket -> the action on it.
BUCKET: Mapping[str, str] = {
    "CreateBucket": "s3:CreateBucket",
    "CreateBucketMetadataConfiguration": "s3:CreateBucketMetadataTableConfiguration",
    "CreateBucketMetadataTableConfiguration": "s3:CreateBucketMetadataTableConfiguration",
    "CreateSession": "s3express:CreateSession",
    "DeleteBucket": "s3:DeleteBucket",
    "DeleteBucketAnalyticsConfiguration": "s3:PutAnalyticsConfiguration",
    "DeleteBucketCors": "s3:PutBucketCORS",
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteBucketMetadataConfiguration": "s3:DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetadataTableConfiguration": "s3:DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetricsConfiguration": "s3:PutMetricsConfiguration",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "DeleteBucketPolicy": "s3:DeleteBucketPolicy",
    "DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "DeleteBucketTagging": "s3:PutBucketTagging",
    "DeleteBucketWebsite": "s3:DeleteBucketWebsite",
    "DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketAbac": "s3:GetBucketAbac",
    "GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "GetBucketAcl": "s3:GetBucketAcl",
    "GetBucketAnalyticsConfiguration": "s3:GetAnalyticsConfiguration",
    "GetBucketCors": "s3:GetBucketCORS",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration": "s3:GetIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration": "s3:GetInventoryConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketLocation": "s3:GetBucketLocation",
    "GetBucketLogging": "s3:GetBucketLogging",
    "GetBucketMetadataConfiguration": "s3:GetBucketMetadataTableConfiguration",
    "GetBucketMetadataTableConfiguration": "s3:GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration": "s3:GetMetricsConfiguration",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
    "GetBucketPolicy": "s3:GetBucketPolicy",
    "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "GetBucketRequestPayment": "s3:GetBucketRequestPayment",
    "GetBucketTagging": "s3:GetBucketTagging",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketWebsite": "s3:GetBucketWebsite",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "ListBucketAnalyticsConfigurations": "s3:GetAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "s3:GetInventoryConfiguration",
    "ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutBucketAbac": "s3:PutBucketAbac",
    "PutBucketAccelerateConfiguration": "s3:PutAccelerateConfiguration",
    "PutBucketAcl": "s3:PutBucketAcl",
    "PutBucketAnalyticsConfiguration": "s3:PutAnalyticsConfiguration",
    "PutBucketCors": "s3:PutBucketCORS",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
    "PutBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutBucketLogging": "s3:PutBucketLogging",
    "PutBucketMetricsConfiguration": "s3:PutMetricsConfiguration",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "PutBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "PutBucketPolicy": "s3:PutBucketPolicy",
    "PutBucketReplication": "s3:PutReplicationConfiguration",
    "PutBucketRequestPayment": "s3:PutBucketRequestPayment",
    "PutBucketTagging": "s3:PutBucketTagging",
    "PutBucketVersioning": "s3:PutBucketVersioning",
    "PutBucketWebsite": "s3:PutBucketWebsite",
    "PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "UpdateBucketMetadataAnnotationTableConfiguration": (
        "s3:UpdateBucketMetadataAnnotationTableConfiguration"
    ),
    "UpdateBucketMetadataInventoryTableConfiguration": (
        "s3:UpdateBucketMetadataInventoryTableConfiguration"
    ),
    "UpdateBucketMetadataJournalTableConfiguration": (
        "s3:UpdateBucketMetadataJournalTableConfiguration"
    ),
}

# Operation on an object -> the actions on it, and the same with a version's id in the request.
OBJECT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "AbortMultipartUpload": (("s3:AbortMultipartUpload",), ("s3:AbortMultipartUpload",)),
    "CompleteMultipartUpload": (("s3:PutObject",), ("s3:PutObject",)),
    "CopyObject": (("s3:PutObject",), ("s3:PutObject",)),
    "CreateMultipartUpload": (("s3:PutObject",), ("s3:PutObject",)),
    "DeleteObject": (("s3:DeleteObject",), ("s3:DeleteObjectVersion",)),
    "DeleteObjectAnnotation": (
        ("s3:DeleteObjectAnnotation",),
        ("s3:DeleteObjectVersionAnnotation",),
    ),
    "DeleteObjectTagging": (("s3:DeleteObjectTagging",), ("s3:DeleteObjectVersionTagging",)),
    "GetObject": (("s3:GetObject",), ("s3:GetObjectVersion",)),
    "GetObjectAcl": (("s3:GetObjectAcl",), ("s3:GetObjectVersionAcl",)),
    "GetObjectAnnotation": (("s3:GetObjectAnnotation",), ("s3:GetObjectVersionAnnotation",)),
    "GetObjectAttributes": (
        ("s3:GetObject", "s3:GetObjectAttributes"),
        ("s3:GetObjectVersion", "s3:GetObjectVersionAttributes"),
    ),
    "GetObjectLegalHold": (("s3:GetObjectLegalHold",), ("s3:GetObjectLegalHold",)),
    "GetObjectRetention": (("s3:GetObjectRetention",), ("s3:GetObjectRetention",)),
    "GetObjectTagging": (("s3:GetObjectTagging",), ("s3:GetObjectVersionTagging",)),
    "GetObjectTorrent": (("s3:GetObjectTorrent",), ("s3:GetObjectVersionTorrent",)),
    "HeadObject": (("s3:GetObject",), ("s3:GetObjectVersion",)),
    "ListObjectAnnotations": (("s3:ListObjectAnnotations",), ("s3:ListObjectVersionAnnotations",)),
    "ListParts": (("s3:ListMultipartUploadParts",), ("s3:ListMultipartUploadParts",)),
    "PutObject": (("s3:PutObject",), ("s3:PutObject",)),
    "PutObjectAcl": (("s3:PutObjectAcl",), ("s3:PutObjectVersionAcl",)),
    "PutObjectAnnotation": (("s3:PutObjectAnnotation",), ("s3:PutObjectVersionAnnotation",)),
    "PutObjectLegalHold": (("s3:PutObjectLegalHold",), ("s3:PutObjectLegalHold",)),
    "PutObjectRetention": (("s3:PutObjectRetention",), ("s3:PutObjectRetention",)),
    "PutObjectTagging": (("s3:PutObjectTagging",), ("s3:PutObjectVersionTagging",)),
    "RenameObject": (("s3express:CreateSession",), ("s3express:CreateSession",)),
    "RestoreObject": (("s3:RestoreObject",), ("s3:RestoreObject",)),
    "SelectObjectContent": (("s3:GetObject",), ("s3:GetObject",)),
    "UpdateObjectEncryption": (("s3:UpdateObjectEncryption",), ("s3:UpdateObjectEncryption",)),
    "UploadPart": (("s3:PutObject",), ("s3:PutObject",)),
    "UploadPartCopy": (("s3:PutObject",), ("s3:PutObject",)),
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
        frozenset({"DeleteObject", "PutObjectRetention"}),
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
