"""S3's buckets and what is in them. The bodies of objects are blobs, named by their hash."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.snapshot import Moment, Record, View

NULL = "null"
"""The id of the version that an object has where its bucket keeps no versions."""


class Grant(msgspec.Struct, frozen=True):
    """A permission in an access control list, for a canonical id or for a group by its URI."""

    grantee: str
    permission: str


class PublicAccessBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The four settings of Block Public Access."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


class Bucket(Record, frozen=True, kw_only=True):
    """A bucket. ``owner`` is its account's id.

    No two accounts can have buckets of one name. So buckets are kept under no account: whoever
    has a name finds the bucket and its owner with one look.

    ``policy`` is its text with principals by their unique ids, ``versioning`` is empty,
    Enabled or Suspended, ``grants`` are None where only the owner has access. ``settings`` are
    the configurations that nothing here depends on (``cors``, ``website``), as JSON.
    """

    table: ClassVar[str] = "bucket"
    keyed_by: ClassVar[str] = "name"

    account: str = ""
    name: str
    owner: str
    region: str
    place: str = ""  # the LocationConstraint that it was made with, where that is not the region
    created: Moment
    policy: str = ""
    public_access_block: PublicAccessBlock | None = None
    ownership: str = ""
    grants: tuple[Grant, ...] | None = None
    versioning: str = ""
    tags: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def block(self) -> PublicAccessBlock:
        """Its Block Public Access, with all settings off where it has none."""
        return self.public_access_block or PublicAccessBlock()


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of an object's content. ``checksums`` are by their member (``ChecksumCRC32``)."""

    number: int
    size: int
    etag: str
    blob: str
    modified: Moment
    checksums: Mapping[str, str] = {}


class ObjectVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an object; or, with ``marker``, a delete marker, which has no content.

    ``headers`` and ``encryption`` have the names that GetObject's output has for them.
    ``grants`` are None where only the owner has access. ``upload`` is the id of the multipart
    upload that it came by. ``etag`` has no quotes.
    """

    version_id: str = NULL
    modified: Moment
    marker: bool = False
    etag: str = ""
    parts: tuple[Part, ...] = ()
    headers: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    storage_class: str = "STANDARD"
    encryption: Mapping[str, str] = {}
    checksums: Mapping[str, str] = {}
    checksum_type: str = ""
    tags: Mapping[str, str] = {}
    grants: tuple[Grant, ...] | None = None
    upload: str = ""

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


class Object(Record, frozen=True, kw_only=True):
    """What a bucket has under one key, in the account of the bucket's owner.

    ``versions`` are from the oldest to the current one. There is always one.
    """

    table: ClassVar[str] = "object"

    bucket: str
    name: str
    versions: tuple[ObjectVersion, ...]

    @property
    def key(self) -> str:
        """The bucket, which has no slash, and S3's key."""
        return f"{self.bucket}/{self.name}"

    @property
    def current(self) -> ObjectVersion:
        """The newest version, which may be a delete marker."""
        return self.versions[-1]


class Upload(Record, frozen=True, kw_only=True):
    """A multipart upload that goes on, in the account of the bucket's owner.

    ``draft`` is the object that it is to be, but for its content; ``draft.modified`` is when it
    was begun. ``initiator`` is the ARN of who began it. ``parts`` stand in order.
    """

    table: ClassVar[str] = "upload"
    keyed_by: ClassVar[str] = "upload_id"

    bucket: str
    name: str
    upload_id: str
    initiator: str
    draft: ObjectVersion
    algorithm: str = ""
    parts: tuple[Part, ...] = ()


def blobs(view: View) -> Iterator[str]:
    """The names of the bodies that some object or upload has."""
    for one in view.everywhere(Object):
        yield from (part.blob for version in one.versions for part in version.parts)
    for upload in view.everywhere(Upload):
        yield from (part.blob for part in upload.parts)
