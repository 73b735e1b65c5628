"""S3's state is the same after a restart, whatever was done."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.sandbox import cases
from tests.sandbox.s3.alone import ACCOUNT, Alone

from stslab.sandbox.state.buckets import parts
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store


def test_a_bucket_with_an_unfinished_upload_is_deleted(tmp_path: Path) -> None:
    account = cases.Account.start(tmp_path)
    try:
        s3 = account.client("s3", "admin")
        s3.create_bucket(Bucket="gone")
        s3.create_multipart_upload(Bucket="gone", Key="k")
        s3.delete_bucket(Bucket="gone")
        account.stop()
        account = cases.Account.start(tmp_path)
        assert account.client("s3", "admin").list_buckets()["Buckets"] == []
    finally:
        account.stop()


_bucket = st.sampled_from(["one", "two"])
_key = st.sampled_from(["a", "dir/b", "dir/c"])
_body = st.binary(max_size=8)


class Started(RuleBasedStateMachine):
    """Random writes, some of them refused. `held` is what reads must return."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "account")
        self.s3 = Alone(State(Snapshot(), self.store))
        with self.s3.state.transaction() as tx:
            tx.put(ACCOUNT)
        self.client = self.s3.client
        self.held: dict[str, dict[str, bytes]] = {}
        self.versioned: set[str] = set()
        self.uploads: dict[tuple[str, str, str], int] = {}  # the write before which each began
        self.writes = 0
        self.written: dict[tuple[str, str], int] = {}  # which write a key's newest version is

    def write(self, bucket: str, key: str, body: bytes | None) -> None:
        """Note what a key has now; None: it was deleted, which leaves a marker or nothing."""
        self.writes += 1
        self.written[bucket, key] = self.writes
        if body is not None:
            self.held[bucket][key] = body
            return
        self.held[bucket].pop(key, None)
        if bucket not in self.versioned:
            del self.written[bucket, key]

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(bucket=_bucket)
    def create(self, bucket: str) -> None:
        self.client.create_bucket(Bucket=bucket)
        self.held.setdefault(bucket, {})

    @rule(bucket=_bucket)
    def delete_bucket(self, bucket: str) -> None:
        try:
            self.client.delete_bucket(Bucket=bucket)
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            empty = bucket in self.held and not self.held[bucket] and bucket not in self.versioned
            assert not empty, code
            assert code == ("BucketNotEmpty" if bucket in self.held else "NoSuchBucket")
        else:
            assert self.held.pop(bucket) == {}
            self.versioned.discard(bucket)
            self.uploads = {one: at for one, at in self.uploads.items() if one[0] != bucket}
            self.written = {one: at for one, at in self.written.items() if one[0] != bucket}

    @rule(bucket=_bucket, status=st.sampled_from(["Enabled", "Suspended"]))
    def version(self, bucket: str, status: str) -> None:
        with suppress(self.client.exceptions.NoSuchBucket):
            self.client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": status}
            )
            self.versioned.add(bucket)

    @rule(bucket=_bucket, key=_key, body=_body)
    def put(self, bucket: str, key: str, body: bytes) -> None:
        with suppress(self.client.exceptions.NoSuchBucket):
            self.client.put_object(Bucket=bucket, Key=key, Body=body, Tagging="a=b")
            self.write(bucket, key, body)

    @rule(bucket=_bucket, key=_key, to=_bucket, name=_key)
    def copy(self, bucket: str, key: str, to: str, name: str) -> None:
        with suppress(ClientError):
            source = {"Bucket": bucket, "Key": key}
            self.client.copy_object(Bucket=to, Key=name, CopySource=source)
            self.write(to, name, self.held[bucket][key])

    @rule(bucket=_bucket, key=_key)
    def delete(self, bucket: str, key: str) -> None:
        with suppress(self.client.exceptions.NoSuchBucket):
            self.client.delete_object(Bucket=bucket, Key=key)
            self.write(bucket, key, None)

    @rule(bucket=_bucket, tags=st.dictionaries(st.sampled_from(["x", "y"]), st.just("z")))
    def tag(self, bucket: str, tags: dict[str, str]) -> None:
        with suppress(self.client.exceptions.NoSuchBucket):
            tag_set = [{"Key": key, "Value": value} for key, value in tags.items()]
            self.client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})

    @rule(bucket=_bucket, key=_key)
    def begin_upload(self, bucket: str, key: str) -> None:
        with suppress(self.client.exceptions.NoSuchBucket):
            begun = self.client.create_multipart_upload(Bucket=bucket, Key=key)
            self.writes += 1
            self.uploads[bucket, key, begun["UploadId"]] = self.writes

    @rule(data=st.data(), body=_body, completes=st.booleans())
    def upload(self, data: st.DataObject, body: bytes, completes: bool) -> None:
        if not self.uploads:
            return
        chosen = data.draw(st.sampled_from([*self.uploads]))
        where = dict(zip(("Bucket", "Key", "UploadId"), chosen, strict=True))
        part = self.client.upload_part(**where, PartNumber=1, Body=body)
        if completes:
            parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
            self.client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
            bucket, key, _ = chosen
            began = self.uploads.pop(chosen)
            if self.written.get((bucket, key), 0) <= began:  # what was written since stays
                self.held[bucket][key] = body
                self.written[bucket, key] = began

    @invariant()
    def it_is_saved(self) -> None:
        saved = self.store.load()
        assert list(saved.differences(self.s3.state.snapshot)) == []
        self.store.drop_blobs_but({part.blob for part in parts(saved)})
        for bucket, objects in self.held.items():
            listed = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
            assert [one["Key"] for one in listed] == sorted(objects)
            for key, body in objects.items():
                assert self.client.get_object(Bucket=bucket, Key=key)["Body"].read() == body


Started.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
test_whatever_was_done = Started.TestCase
