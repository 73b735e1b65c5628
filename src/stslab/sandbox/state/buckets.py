"""The records of S3: buckets, objects, uploads. Bodies of objects are blobs named by hash."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated

import msgspec
from msgspec.structs import replace

from stslab.sandbox.state.snapshot import Moment, Record, Transaction, View, stored

NULL = "null"  # the version id of an object in a bucket without versioning


class Grant(msgspec.Struct, frozen=True):
    """A permission in an access control list. The grantee is a canonical id or a group's URI."""

    grantee: str
    permission: str


class PublicAccessBlock(msgspec.Struct, frozen=True, kw_only=True):
    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


@stored("bucket", "name")
class Bucket(Record, frozen=True, kw_only=True):
    """A bucket. Its name is unique across accounts, and finds it without one."""

    account: str = ""
    name: str
    owner: str  # the id of its account
    region: str
    place: str = ""  # the LocationConstraint of CreateBucket, if it is not the region
    created: Moment
    policy: str = ""  # the text, with unique ids as principals
    public_access_block: PublicAccessBlock | None = None
    ownership: str = ""
    grants: tuple[Grant, ...] | None = None  # None if only the owner has access
    versioning: str = ""  # or Enabled, Suspended
    mfa_delete: str = ""  # or Disabled, if that was said
    tags: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}  # those without effect here (cors, website), as JSON

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def block(self) -> PublicAccessBlock:
        """Its Block Public Access settings; all are off if it has none."""
        return self.public_access_block or PublicAccessBlock()


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an object's content. ``checksums`` are by member name (``ChecksumCRC32``)."""

    number: int
    size: int
    etag: str
    blob: str
    modified: Moment
    checksums: Mapping[str, str] = {}


class ObjectVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an object, or a delete marker, which has no content."""

    version_id: str = NULL
    modified: Moment
    marker: bool = False
    etag: str = ""  # without quotes
    parts: tuple[Part, ...] = ()
    headers: Mapping[str, str] = {}  # these and encryption by their names in GetObject's output
    metadata: Mapping[str, str] = {}
    storage_class: str = "STANDARD"
    encryption: Mapping[str, str] = {}
    checksums: Mapping[str, str] = {}
    checksum_type: str = ""
    tags: Mapping[str, str] = {}
    grants: tuple[Grant, ...] | None = None  # None if only the owner has access
    upload: str = ""  # the id of the multipart upload that made it
    # The canonical id of the account that wrote it, if the object is not the bucket's owner's.
    owner: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32,64})?\Z")] = ""

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


@stored("object", "bucket", "name")
class Object(Record, frozen=True, kw_only=True):
    """An object with all its versions, in the account of the bucket's owner."""

    bucket: str
    name: str
    versions: Annotated[tuple[ObjectVersion, ...], msgspec.Meta(min_length=1)]  # the oldest first

    @property
    def current(self) -> ObjectVersion:
        """The newest version, which may be a delete marker."""
        return self.versions[-1]


@stored("upload", "upload_id")
class Upload(Record, frozen=True, kw_only=True):
    """An unfinished multipart upload, in the account of the bucket's owner."""

    bucket: str
    name: str
    upload_id: str
    initiator: str  # a user's unique id, or an ARN
    draft: ObjectVersion  # what it will create, without content, modified when the upload started
    asked: Mapping[str, str] = {}  # parameters of what parts become (encryption, ACL)
    algorithm: str = ""
    parts: tuple[Part, ...] = ()  # in order
    # The identity of its key's current version when it began, or empty; None in older accounts.
    current: str | None = None


def parts(view: View) -> Iterator[Part]:
    """All parts of objects and uploads."""
    for item in view.everywhere(Object):
        yield from (part for version in item.versions for part in version.parts)
    for upload in view.everywhere(Upload):
        yield from upload.parts


def drop(tx: Transaction, blobs: AbstractSet[str]) -> Iterator[Object | Upload]:
    """Remove the versions and parts with one of these bodies. Yields the old records of each."""
    for item in tuple(tx.everywhere(Object)):
        kept = tuple(one for one in item.versions if not blobs & {part.blob for part in one.parts})
        if kept != item.versions:
            tx.put(replace(item, versions=kept)) if kept else tx.delete(item)
            yield item
    for upload in tuple(tx.everywhere(Upload)):
        there = tuple(part for part in upload.parts if part.blob not in blobs)
        if there != upload.parts:
            tx.put(replace(upload, parts=there))
            yield upload
