"""An account that is started again after any writes is the same as before."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.sandbox.direct import Direct, has_ended
from tests.sandbox.furnished import EVERYTHING, TRUST

from stslab.sandbox.pipeline import accounts
from stslab.sandbox.state import archive, buckets, store
from stslab.sandbox.state.snapshot import Snapshot, Transaction
from stslab.sandbox.state.stacks import Stack
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store

NAMES = st.sampled_from(["ann", "bob", "Cleo"])
BUCKETS = st.sampled_from(["buck-one", "buck-two"])
KEYS = st.sampled_from(["a", "b/c", "ü %2F"])
TAGS = st.dictionaries(st.sampled_from(["team", "cost"]), st.text("xyz", max_size=2), max_size=2)
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}
TEMPLATES = [json.dumps({"Resources": dict.fromkeys(names, ROLE)}) for names in ("A", "B", "AB")]
PROVIDER = "arn:aws:iam::111122223333:{}-provider/{}"
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}


@cache
def metadata() -> str:
    minting = pytest.importorskip("stslab.sandbox.federation.saml.minting")
    text: str = minting.metadata(minting.provider_of(Transaction(Snapshot()), minting.OWN))
    return text


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Kept(RuleBasedStateMachine):
    """Calls of all services, some of which are refused; and starts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "account.sqlite"
        self.opened: Store | None = None

    @initialize()
    def begin(self) -> None:
        self._open()
        with self.direct.state.transaction() as tx:
            for record in accounts.new():
                tx.put(record)
        self._open()

    def _open(self) -> None:
        self._close()
        self.opened = Store(self.file)
        self.direct = Direct(State(self.opened.load(), self.opened))

    def _close(self) -> None:
        if self.opened is not None:
            self.direct.stop()
            self.direct.state.close()
            self.opened.close()
            self.opened = None

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """The answer; None where it is refused, as many calls here are."""
        try:
            return getattr(self.direct.client(service), operation)(**params)
        except ClientError as refused:
            if refused.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
            return None

    @rule(name=NAMES, tags=TAGS)
    def user(self, name: str, tags: dict[str, str]) -> None:
        self.call("iam", "create_user", UserName=name, Tags=listed(tags))
        self.call("iam", "create_access_key", UserName=name)
        self.call("iam", "create_login_profile", UserName=name, Password="Hush-Hush-123!")

    @rule(name=NAMES, tags=TAGS)
    def tagged(self, name: str, tags: dict[str, str]) -> None:
        self.call("iam", "tag_user", UserName=name, Tags=listed(tags))
        self.call("iam", "untag_role", RoleName=name, TagKeys=["team"])

    @rule(name=NAMES, policy=NAMES)
    def policies(self, name: str, policy: str) -> None:
        self.call(
            "iam", "put_user_policy", UserName=name, PolicyName=policy, PolicyDocument=EVERYTHING
        )
        made = self.call("iam", "create_policy", PolicyName=policy, PolicyDocument=EVERYTHING)
        arn = made["Policy"]["Arn"] if made else ADMINISTRATOR
        self.call("iam", "attach_user_policy", UserName=name, PolicyArn=arn)
        self.call("iam", "put_user_permissions_boundary", UserName=name, PermissionsBoundary=arn)
        self.call(
            "iam",
            "create_policy_version",
            PolicyArn=arn,
            PolicyDocument=EVERYTHING,
            SetAsDefault=True,
        )

    @rule(name=NAMES, other=NAMES)
    def renamed(self, name: str, other: str) -> None:
        self.call("iam", "update_user", UserName=name, NewUserName=other)

    @rule(name=NAMES, group=NAMES)
    def group(self, name: str, group: str) -> None:
        self.call("iam", "create_group", GroupName=group)
        self.call("iam", "add_user_to_group", GroupName=group, UserName=name)
        self.call("iam", "delete_group", GroupName=name)

    @rule(name=NAMES)
    def role(self, name: str) -> None:
        arn = f"arn:aws:iam::111122223333:role/{name}"
        self.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=TRUST)
        self.call("iam", "create_instance_profile", InstanceProfileName=name)
        self.call("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=name)
        self.call("sts", "assume_role", RoleArn=arn, RoleSessionName="s", Tags=listed({"a": "b"}))

    @rule(name=NAMES)
    def removed(self, name: str) -> None:
        self.call("iam", "delete_user_policy", UserName=name, PolicyName=name)
        self.call("iam", "delete_user_permissions_boundary", UserName=name)
        self.call("iam", "delete_user", UserName=name)
        self.call("iam", "delete_role", RoleName=name)
        self.call("iam", "delete_login_profile", UserName=name)

    @rule(name=NAMES)
    def mfa(self, name: str) -> None:
        made = self.call("iam", "create_virtual_mfa_device", VirtualMFADeviceName=name)
        if made:
            serial = made["VirtualMFADevice"]["SerialNumber"]
            self.call("iam", "tag_mfa_device", SerialNumber=serial, Tags=listed({"a": "b"}))

    @rule(seconds=st.sampled_from([900, 3600]))
    def sessions(self, seconds: int) -> None:
        self.call("sts", "get_session_token", DurationSeconds=seconds)
        self.call("sts", "get_federation_token", Name="fed", Policy=EVERYTHING)

    @rule(bucket=BUCKETS, tags=TAGS)
    def bucket(self, bucket: str, tags: dict[str, str]) -> None:
        self.call("s3", "create_bucket", Bucket=bucket)
        self.call("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": listed(tags)})
        self.call(
            "s3",
            "put_bucket_versioning",
            Bucket=bucket,
            VersioningConfiguration={"Status": "Enabled"},
        )

    @rule(bucket=BUCKETS, key=KEYS, body=st.binary(max_size=20))
    def stored(self, bucket: str, key: str, body: bytes) -> None:
        if self.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, Metadata={"a": "b"}):
            got = self.call("s3", "get_object", Bucket=bucket, Key=key)
            assert got["Body"].read() == body

    @rule(bucket=BUCKETS, name=NAMES)
    def shared(self, bucket: str, name: str) -> None:
        self.call("s3", "create_bucket", Bucket=bucket)
        self.call("iam", "create_user", UserName=name)
        policy = json.loads(TRUST)
        policy["Statement"] |= {
            "Principal": {"AWS": f"arn:aws:iam::111122223333:user/{name}"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        self.call("s3", "put_bucket_policy", Bucket=bucket, Policy=json.dumps(policy))
        self.call("s3", "put_bucket_cors", Bucket=bucket, CORSConfiguration=CORS)
        self.call(
            "s3",
            "put_public_access_block",
            Bucket=bucket,
            PublicAccessBlockConfiguration={"BlockPublicAcls": name == "ann"},
        )
        self.call("s3", "delete_bucket_policy", Bucket="buck-two")

    @rule(bucket=BUCKETS, key=KEYS, completes=st.booleans())
    def uploaded(self, bucket: str, key: str, completes: bool) -> None:
        begun = self.call("s3", "create_multipart_upload", Bucket=bucket, Key=key)
        if begun:
            where = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
            made = self.call("s3", "upload_part", **where, PartNumber=1, Body=b"part")
            if completes:
                parts = {"Parts": [{"PartNumber": 1, "ETag": made["ETag"]}]}
                self.call("s3", "complete_multipart_upload", **where, MultipartUpload=parts)

    @rule(bucket=BUCKETS, key=KEYS)
    def dropped(self, bucket: str, key: str) -> None:
        self.call("s3", "delete_object", Bucket=bucket, Key=key)
        self.call("s3", "delete_bucket", Bucket=bucket)

    @rule(name=NAMES)
    def stack(self, name: str) -> None:
        self._stack("create_stack", name, TEMPLATES[0])
        self.call("cloudformation", "delete_stack", StackName="ann")

    @rule(name=NAMES, template=st.sampled_from(TEMPLATES), tags=TAGS)
    def stack_updated(self, name: str, template: str, tags: dict[str, str]) -> None:
        self._stack("create_stack", name, TEMPLATES[0])
        for stack in self.direct.state.snapshot.everywhere(Stack):
            has_ended(self.direct.inside.engine, stack.stack_id, 5)
        self._stack("update_stack", name, template, Tags=listed(tags))

    def _stack(self, operation: str, name: str, template: str, **params: Any) -> None:
        iam = ["CAPABILITY_IAM"]
        made = {"StackName": name, "TemplateBody": template, "Capabilities": iam, **params}
        self.call("cloudformation", operation, **made)

    @rule(host=st.sampled_from(["one.example", "two.example/path"]), tags=TAGS)
    def web_identity(self, host: str, tags: dict[str, str]) -> None:
        where = {"OpenIDConnectProviderArn": PROVIDER.format("oidc", host)}
        self.call(
            "iam",
            "create_open_id_connect_provider",
            Url=f"https://{host}",
            ClientIDList=["app"],
            ThumbprintList=["0" * 40],
            Tags=listed(tags),
        )
        self.call(
            "iam", "add_client_id_to_open_id_connect_provider", **where, ClientID=f"app-{len(tags)}"
        )
        self.call(
            "iam",
            "update_open_id_connect_provider_thumbprint",
            **where,
            ThumbprintList=[f"{len(tags)}" * 40],
        )
        if not tags:
            gone = PROVIDER.format("oidc", "one.example")
            self.call("iam", "delete_open_id_connect_provider", OpenIDConnectProviderArn=gone)

    @rule(name=NAMES, tags=TAGS)
    def saml(self, name: str, tags: dict[str, str]) -> None:
        arn = PROVIDER.format("saml", name)
        self.call(
            "iam",
            "create_saml_provider",
            Name=name,
            SAMLMetadataDocument=metadata(),
            Tags=listed(tags),
        )
        self.call(
            "iam", "update_saml_provider", SAMLProviderArn=arn, SAMLMetadataDocument=metadata()
        )
        if not tags:
            gone = PROVIDER.format("saml", "ann")
            self.call("iam", "delete_saml_provider", SAMLProviderArn=gone)

    @rule()
    def started_again(self) -> None:
        self._close()  # stacks stay where they are
        before = self.direct.state.snapshot
        self.opened = Store(self.file)
        after = self.opened.load()
        assert list(before.differences(after)) == []
        self.direct = Direct(State(after, self.opened))
        self._readable(after)

    def _readable(self, now: Snapshot) -> None:
        for one in now.everywhere(buckets.Object):
            if not one.current.marker:
                got = self.call("s3", "get_object", Bucket=one.bucket, Key=one.name)
                assert len(got["Body"].read()) == one.current.size

    @rule()
    def handed_out(self) -> None:
        path = self.folder / "exported"
        with store.opened(self.file) as (now, body):
            archive.write(path, now, body)
        read = archive.read(path)
        assert list(now.differences(read.account)) == []
        assert {name for name, _ in read.bodies()} == {
            part.blob for part in buckets.parts(read.account)
        }

    def teardown(self) -> None:
        self._close()
        shutil.rmtree(self.folder)


Kept.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_it_is_what_it_was = Kept.TestCase
