"""S3: its operations, on the records of buckets and objects.

Operations that are in neither table are refused, as those on inventories and S3 Select are:
no lab has a use for them.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Judge, Needs, Reads, Writes
from stslab.sandbox.s3 import buckets, listing, objects, settings, uploads
from stslab.sandbox.s3.access import policies
from stslab.sandbox.s3.requests import arguments, needs
from stslab.sandbox.s3.versions import Blob
from stslab.sandbox.state.snapshot import View

V = TypeVar("V")


class Bodies(Protocol):
    """Keeps the bodies of objects."""

    def blob(self, name: str) -> bytes:
        """The body of this name."""
        ...


class S3Service:
    """The operations of S3. ``bodies`` gives the content of objects that are read."""

    def __init__(self, bodies: Bodies, judge: Judge) -> None:
        self._judge = judge
        self.reads: Reads = {
            name: functools.partial(_checked, read)
            for name, read in _reads(bodies.blob, judge).items()
        }
        self.writes: Writes = {
            name: functools.partial(_checked, write)
            for name, write in _writes(bodies.blob, judge).items()
        }

    def needs(self, view: View, request: ApiRequest) -> Needs:
        """What a request needs."""
        return needs.of(view, self._judge.seen(view), request)


def _checked(handler: Callable[[V, ApiRequest], Answer], view: V, request: ApiRequest) -> Answer:
    arguments.check(request)
    return handler(view, request)


def _reads(blob: Blob, judge: Judge) -> Mapping[str, Callable[[View, ApiRequest], Answer]]:
    return {
        **settings.READS,
        "GetBucketAcl": buckets.get_acl,
        "GetBucketLocation": buckets.location,
        "GetBucketOwnershipControls": buckets.ownership,
        "GetBucketPolicy": functools.partial(policies.get, judge),
        "GetBucketPolicyStatus": policies.status,
        "GetBucketRequestPayment": buckets.payer,
        "GetBucketVersioning": buckets.versioning,
        "GetObject": functools.partial(objects.get, blob),
        "GetObjectAcl": objects.get_acl,
        "GetObjectAttributes": objects.attributes,
        "GetObjectTagging": objects.get_tags,
        "GetPublicAccessBlock": policies.get_block,
        "HeadBucket": buckets.head,
        "HeadObject": objects.head,
        "ListBuckets": buckets.list_all,
        "ListMultipartUploads": uploads.list_all,
        "ListObjectVersions": listing.versions,
        "ListObjects": listing.objects,
        "ListObjectsV2": listing.objects_v2,
        "ListParts": uploads.list_parts,
    }


def _writes(blob: Blob, judge: Judge) -> Writes:
    return {
        **settings.WRITES,
        "AbortMultipartUpload": uploads.abort,
        "CompleteMultipartUpload": functools.partial(uploads.complete, blob),
        "CopyObject": functools.partial(objects.copy, blob),
        "CreateBucket": buckets.create,
        "CreateMultipartUpload": uploads.begin,
        "DeleteBucket": buckets.delete,
        "DeleteBucketOwnershipControls": buckets.delete_ownership,
        "DeleteBucketPolicy": policies.delete,
        "DeleteObject": objects.delete,
        "DeleteObjectTagging": objects.delete_tags,
        "DeleteObjects": functools.partial(objects.delete_objects, judge),
        "DeletePublicAccessBlock": policies.delete_block,
        "PutBucketAcl": buckets.put_acl,
        "PutBucketOwnershipControls": buckets.set_ownership,
        "PutBucketPolicy": functools.partial(policies.put, judge),
        "PutBucketVersioning": buckets.set_versioning,
        "PutObject": objects.put,
        "PutObjectAcl": objects.put_acl,
        "PutObjectTagging": objects.put_tags,
        "PutPublicAccessBlock": policies.put_block,
        "UploadPart": uploads.put_part,
        "UploadPartCopy": functools.partial(uploads.copy_part, blob),
    }
