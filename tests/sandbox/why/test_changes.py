"""The advice of `stslab why` is right: after the advised change, the refused call is allowed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.runner.journal.test_journal import CLAIM, a_run
from tests.sandbox.cases import LEARNER, PARTNER, Account, Keys

from stslab.cli.run.refusals import explained
from stslab.home import Home
from stslab.policy import PolicyKind, Principal, Request
from stslab.runner.journal.records import CheckRecord
from stslab.runner.journal.store import Journal
from stslab.sandbox.pipeline.log_file import is_refused, newest_first
from stslab.sandbox.why.changes import Situation, additions
from stslab.sandbox.why.explanation import explain

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
Call = Callable[[], Any]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def user(account: Account, name: str, *statements: dict[str, Any], whose: str = "admin") -> Keys:
    iam = account.client("iam", whose)
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    return Keys.of(iam.create_access_key(UserName=name)["AccessKey"])


def role(account: Account, name: str, principal: Any, *actions: str, **more: Any) -> str:
    trust = {"Effect": "Allow", "Principal": principal, "Action": list(actions) or "sts:AssumeRole"}
    made = account.client("iam", "admin").create_role(
        RoleName=name, AssumeRolePolicyDocument=document({**trust, **more})
    )
    return made["Role"]["Arn"]


def nothing_allows(account: Account, name: str) -> Call:
    keys = user(account, name)
    return account.client("iam", keys).list_users


def another_resource(account: Account, name: str) -> Call:
    keys = user(account, name, {**EVERYTHING, "Resource": "arn:aws:iam::111122223333:user/else"})
    return lambda: account.client("iam", keys).get_user(UserName="admin")


def explicit_deny(account: Account, name: str) -> Call:
    deny = {"Sid": "No", "Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    keys = user(account, name, EVERYTHING, deny)
    return account.client("iam", keys).list_users


def group_policy(account: Account, name: str) -> Call:
    keys, iam = user(account, name, EVERYTHING), account.client("iam", "admin")
    iam.create_group(GroupName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    deny = {"Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"}
    iam.put_group_policy(
        GroupName=name, PolicyName="limits", PolicyDocument=document(EVERYTHING, deny)
    )
    return account.client("iam", keys).list_roles


def policies_of_one_denial(account: Account, name: str) -> Call:
    """A bucket's policy, an inline and a managed one: of none of them something would be left."""
    s3, iam = account.client("s3", "admin"), account.client("iam", "admin")
    deny = {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::b-{name}"}
    keys = user(account, name, EVERYTHING)
    iam.put_user_policy(UserName=name, PolicyName="not", PolicyDocument=document(deny))
    made = iam.create_policy(PolicyName=name, PolicyDocument=document(deny))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=made)
    s3.create_bucket(Bucket=f"b-{name}")
    theirs = {"Principal": {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}}
    s3.put_bucket_policy(Bucket=f"b-{name}", Policy=document(deny | theirs))
    return lambda: account.client("s3", keys).list_objects_v2(Bucket=f"b-{name}")


def trust_names_another(account: Account, name: str) -> Call:
    keys = user(account, name, EVERYTHING)
    arn = role(account, name, {"AWS": f"arn:aws:iam::{LEARNER}:user/admin"})
    return lambda: account.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ss")


def trust_condition(account: Account, name: str) -> Call:
    keys = user(account, name)
    mine = {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}
    condition = {"StringEquals": {"sts:ExternalId": "abc"}}
    arn = role(account, name, mine, Condition=condition)
    return lambda: account.client("sts", keys).assume_role(
        RoleArn=arn, RoleSessionName="ss", ExternalId="xyz"
    )


def made_again(account: Account, name: str, *statements: dict[str, Any], whose: str) -> Keys:
    """The keys of a user of this name after an earlier one, whose id policies keep, is gone."""
    iam = account.client("iam", whose)
    keys = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    iam.delete_access_key(UserName=name, AccessKeyId=keys[0]["AccessKeyId"])
    iam.delete_user(UserName=name)
    return user(account, name, *statements, whose=whose)


def trust_names_one_that_is_gone(account: Account, name: str) -> Call:
    user(account, name)
    arn = role(account, name, {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"})
    keys = made_again(account, name, whose="admin")
    return lambda: account.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ss")


def bucket_names_one_that_is_gone(account: Account, name: str) -> Call:
    s3, where = account.client("s3", "admin"), {"Bucket": f"b-{name}"}
    s3.create_bucket(**where)
    s3.put_object(**where, Key="a.txt", Body=b"a")
    user(account, name, whose="partner")
    names = [
        f"arn:aws:iam::{account_}:{who}"
        for account_, who in ((PARTNER, f"user/{name}"), (PARTNER, "user/admin"))
    ]
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::b-{name}/*"}
    s3.put_bucket_policy(**where, Policy=document({**allow, "Principal": {"AWS": names}}))
    keys = made_again(account, name, EVERYTHING, whose="partner")
    return lambda: account.client("s3", keys).get_object(**where, Key="a.txt")


def no_tags_trusted(account: Account, name: str) -> Call:
    keys = user(account, name)
    arn = role(account, name, {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"})
    return lambda: account.client("sts", keys).assume_role(
        RoleArn=arn, RoleSessionName="ss", Tags=[{"Key": "team", "Value": "a"}]
    )


def tags_under_an_external_id(account: Account, name: str) -> Call:
    keys = user(account, name)
    mine = {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}
    condition = {"StringEquals": {"sts:ExternalId": "abc"}}
    arn = role(account, name, mine, "sts:AssumeRole", "sts:TagSession", Condition=condition)
    return lambda: account.client("sts", keys).assume_role(
        RoleArn=arn, RoleSessionName="ss", ExternalId="abc", Tags=[{"Key": "team", "Value": "a"}]
    )


def across_accounts(account: Account, name: str) -> Call:
    keys = user(account, name, whose="partner")
    arn = role(account, name, {"AWS": LEARNER})
    return lambda: account.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ss")


def boundary(account: Account, name: str, effect: str = "Allow", action: str = "s3:*") -> Call:
    keys, iam = user(account, name, EVERYTHING), account.client("iam", "admin")
    limit = {**EVERYTHING, "Effect": effect, "Action": action}
    made = iam.create_policy(PolicyName=name, PolicyDocument=document(limit))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=made)
    return account.client("iam", keys).list_users


def trust_that_only_denies(account: Account, name: str) -> Call:
    keys, arn = user(account, name, EVERYTHING), role(account, name, {"AWS": LEARNER})
    deny = {"Effect": "Deny", "Principal": {"AWS": LEARNER}, "Action": "sts:AssumeRole"}
    account.client("iam", "admin").update_assume_role_policy(
        RoleName=name, PolicyDocument=document(deny)
    )
    return lambda: account.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ss")


def boundary_that_only_denies(account: Account, name: str) -> Call:
    return boundary(account, name, "Deny", "*")


def bucket_policy(account: Account, name: str) -> Call:
    s3, keys = account.client("s3", "admin"), user(account, name, EVERYTHING)
    s3.create_bucket(Bucket=f"b-{name}")
    s3.put_object(Bucket=f"b-{name}", Key="a.txt", Body=b"a")
    everything = [f"arn:aws:s3:::b-{name}", f"arn:aws:s3:::b-{name}/*"]
    deny = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}}
    open_to_me = {"Effect": "Allow", "Principal": {"AWS": LEARNER}, "Action": "s3:ListBucket"}
    s3.put_bucket_policy(
        Bucket=f"b-{name}",
        Policy=document(
            {**open_to_me, "Resource": everything[0]},
            {**deny, "Action": "s3:GetObject", "Resource": everything},
        ),
    )
    return lambda: account.client("s3", keys).get_object(Bucket=f"b-{name}", Key="a.txt")


def bucket_of_another(account: Account, name: str) -> Call:
    s3, keys = account.client("s3", "admin"), user(account, name, whose="partner")
    s3.create_bucket(Bucket=f"b-{name}")
    return lambda: account.client("s3", keys).list_objects_v2(Bucket=f"b-{name}")


def bucket_for_both(account: Account, name: str, *denials: dict[str, Any]) -> Any:
    """The client of a user with every permission; the partner may put objects in its bucket."""
    s3, keys = account.client("s3", "admin"), user(account, name, EVERYTHING)
    s3.create_bucket(Bucket=f"b-{name}", ObjectOwnership="ObjectWriter")
    theirs, arn = {"Principal": {"AWS": PARTNER}}, f"arn:aws:s3:::b-{name}/*"
    allow = {"Effect": "Allow", **theirs, "Action": "s3:PutObject*", "Resource": arn}
    denials = tuple({"Effect": "Deny", "Principal": "*", "Resource": arn, **one} for one in denials)
    s3.put_bucket_policy(Bucket=f"b-{name}", Policy=document(allow, *denials))
    return account.client("s3", keys)


def object_of_another(account: Account, name: str) -> Call:
    s3, where = bucket_for_both(account, name), {"Bucket": f"b-{name}", "Key": "a b.txt"}
    account.client("s3", "partner").put_object(**where, Body=b"a")
    return lambda: s3.get_object(**where)


def version_of_another(account: Account, name: str) -> Call:
    s3, where = bucket_for_both(account, name), {"Bucket": f"b-{name}", "Key": "a.txt"}
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=f"b-{name}", VersioningConfiguration=status)
    partner = account.client("s3", "partner")
    version = partner.put_object(**where, Body=b"a")["VersionId"]
    partner.put_object(**where, Body=b"b")
    return lambda: s3.get_object(**where, VersionId=version)


def role_session(account: Account, name: str) -> Call:
    arn = role(account, name, {"AWS": LEARNER})
    given = account.client("sts", "admin").assume_role(RoleArn=arn, RoleSessionName="ss")
    keys = Keys.of(given["Credentials"])
    return account.client("iam", keys).list_users


def source_identity_in_a_chain(account: Account, name: str) -> Call:
    first = role(account, f"{name}-1", {"AWS": LEARNER}, "sts:AssumeRole", "sts:SetSourceIdentity")
    trusted = {"AWS": first}
    arn = role(account, f"{name}-2", trusted, "sts:AssumeRole", "sts:SetSourceIdentity")
    given = account.client("sts", "admin").assume_role(
        RoleArn=first, RoleSessionName="ss", SourceIdentity="ana"
    )
    sts = account.client("sts", Keys.of(given["Credentials"]))
    return lambda: sts.assume_role(RoleArn=arn, RoleSessionName="ss")


SCENES = [
    nothing_allows,
    another_resource,
    explicit_deny,
    group_policy,
    policies_of_one_denial,
    trust_names_another,
    trust_names_one_that_is_gone,
    bucket_names_one_that_is_gone,
    trust_condition,
    no_tags_trusted,
    tags_under_an_external_id,
    across_accounts,
    boundary,
    trust_that_only_denies,
    boundary_that_only_denies,
    bucket_policy,
    bucket_of_another,
    object_of_another,
    version_of_another,
    role_session,
    source_identity_in_a_chain,
]


@dataclass(frozen=True)
class Shell:
    """A shell that runs the commands in the advice."""

    environ: dict[str, str]

    def run(self, command: str) -> None:
        words = shlex.split(command)
        words[0] = str(Path(sys.executable).with_name(words[0]))
        done = subprocess.run(
            words, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def shell(account: Account) -> Shell:
    environ = {**os.environ, "STSLAB_HOME": str(account.folder.parent)}
    said = subprocess.run(
        [sys.executable, "-m", "stslab", "env", "--shell", "sh"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    exports = [line.removeprefix("export ").split("=", 1) for line in said.splitlines()]
    return Shell(environ | {each[0]: each[1].strip("'") for each in exports if len(each) == 2})


def refused(account: Account, call: Call) -> dict[str, Any]:
    """The explanation of the call, which must be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    return explain(found(account, caught.value))


def found(account: Account, error: ClientError) -> Any:
    """The event of the request that was answered with this error."""
    wanted = error.response["ResponseMetadata"]["RequestId"]
    return next(one for one in newest_first(account.folder) if one["requestID"] == wanted)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_after_the_advised_change_the_call_is_allowed(account, shell, fresh, scene):
    call = scene(account, f"why-{fresh}")
    told = refused(account, call)
    assert told["complete"] is True
    for change in told["changes"]:
        commands = [one["command"] for one in change["options"] if one["command"]]
        shell.run(commands[0])
    call()


@pytest.mark.parametrize("sent", ["q*q", "q?q", "${aws:username}"])
@pytest.mark.parametrize("condition", [None, {"StringLike": {"s3:prefix": "else"}}])
def test_a_wildcard_or_variable_in_a_name_is_allowed_as_it_is_written(
    account, shell, fresh, sent, condition
):
    """Source: IAM policy elements: Variables and tags ("${*}", "${?}", "${$}")."""
    name = f"why-{fresh}"
    admin, bucket = account.client("s3", "admin"), f"b-{name}"
    admin.create_bucket(Bucket=bucket)
    others = {"qxq", name}
    for key in (sent, *others):
        admin.put_object(Bucket=bucket, Key=key, Body=b"a")
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    s3 = account.client("s3", user(account, name, {**listing, "Condition": condition or {}}))

    def call(text: str) -> Any:
        if condition:
            return s3.list_objects_v2(Bucket=bucket, Prefix=text)
        return s3.get_object(Bucket=bucket, Key=text)

    for change in refused(account, partial(call, sent))["changes"]:
        shell.run(change["options"][-1]["command"])
    call(sent)
    for other in others:
        refused(account, partial(call, other))


def test_parts_with_gaps_are_named_where_s3_says_nothing(account, fresh):
    """Source: S3 User Guide, Checking object integrity for data uploads in Amazon S3."""
    s3, bucket = account.client("s3", "admin"), f"b-{fresh}"
    s3.create_bucket(Bucket=bucket)
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
    sent = {"Body": b"a", "ChecksumAlgorithm": "SHA256", "PartNumber": 2}
    part = s3.upload_part(**where, UploadId=upload, **sent)
    row = {"PartNumber": 2, **{name: part[name] for name in ("ETag", "ChecksumSHA256")}}
    with pytest.raises(ClientError, match="InternalError") as caught:
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": [row]})
    assert "not numbered 1, 2, 3" in explain(found(account, caught.value))["why"]


def test_no_policy_is_written_for_an_object_of_another_account(account, fresh):
    name = f"why-{fresh}"
    deny = {"Sid": "NoReading", "Action": "s3:GetObject"}
    s3, where = bucket_for_both(account, name, deny), {"Bucket": f"b-{name}", "Key": "a.txt"}
    handed = {"ACL": "bucket-owner-full-control"}
    account.client("s3", "partner").put_object(**where, Body=b"a", **handed)
    told = refused(account, lambda: s3.get_object(**where))
    (option,) = told["changes"][0]["options"]
    assert option["statement"]["Sid"] == "NoReading"


def test_a_policy_that_names_who_federated_the_caller_is_told(account, shell, fresh):
    name = f"why-{fresh}"
    keys, s3 = user(account, name, EVERYTHING), account.client("s3", "admin")
    policy = document(EVERYTHING)
    made = account.client("sts", keys).get_federation_token(Name="guest", Policy=policy)
    s3.create_bucket(Bucket=f"b-{name}")
    deny = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}}
    deny |= {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::b-{name}"}
    other = {**deny, "Action": "s3:DeleteBucket"}
    s3.put_bucket_policy(Bucket=f"b-{name}", Policy=document(deny, other))
    guest = account.client("s3", Keys.of(made["Credentials"]))
    told = refused(account, lambda: guest.list_objects_v2(Bucket=f"b-{name}"))
    shell.run(told["changes"][0]["options"][0]["command"])
    guest.list_objects_v2(Bucket=f"b-{name}")


def restricted_bucket(account: Account, name: str) -> tuple[Any, dict[str, str], dict[str, Any]]:
    """A client of the owner, the bucket, and its public statement, which the setting restricts."""
    s3, where = bucket_for_both(account, name), {"Bucket": f"b-{name}"}
    s3.delete_public_access_block(**where)
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    public["Resource"] = f"arn:aws:s3:::b-{name}/*"
    s3.put_bucket_policy(**where, Policy=document(public))
    closed = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(**where, PublicAccessBlockConfiguration=closed)
    return s3, where, public


def test_no_policy_is_written_over_one_that_is_restricted_as_public(account, fresh):
    s3, where, public = restricted_bucket(account, f"why-{fresh}")
    s3.put_object(**where, Key="a.txt", Body=b"a")

    def call() -> Any:
        return account.client("s3", "partner").get_object(**where, Key="a.txt")

    told = refused(account, call)
    (option,) = told["changes"][0]["options"]
    assert told["complete"] is True
    assert "RestrictPublicBuckets" in option["what"]
    assert not option["command"]
    named = {**public, "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:root"}}
    s3.put_bucket_policy(**where, Policy=document(named))
    call()


def test_nothing_is_added_to_a_policy_that_is_restricted_as_public(account, shell, fresh):
    s3, where, public = restricted_bucket(account, f"why-{fresh}")

    def call() -> Any:
        return account.client("s3", "partner").put_object(**where, Key="a.txt", Body=b"a")

    told = refused(account, call)
    (change,) = told["changes"]
    assert "RestrictPublicBuckets" in change["options"][0]["what"]
    assert told["complete"] is False
    named = {**public, "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:root"}}
    s3.put_bucket_policy(**where, Policy=document(named))
    told = refused(account, call)
    shell.run(told["changes"][0]["options"][0]["command"])
    call()


def test_statements_named_like_those_of_acls_are_the_users_own(account, shell, fresh):
    name = f"why-{fresh}"
    deny = {"Sid": "AccessControlListsStay", "Effect": "Deny", "Resource": "*"}
    keys = user(account, name, EVERYTHING, {**deny, "Action": "iam:ListRoles"})
    told = refused(account, account.client("iam", keys).list_roles)
    shell.run(told["changes"][0]["options"][0]["command"])
    account.client("iam", keys).list_roles()
    where = {"Bucket": f"b-b{name}"}
    denials = {"Sid": deny["Sid"], "Action": "s3:PutObjectAcl"}, {"Action": "s3:GetObject"}
    s3 = bucket_for_both(account, f"b{name}", *denials)
    s3.put_object(**where, Key="a.txt", Body=b"a")
    told = refused(account, lambda: s3.get_object(**where, Key="a.txt"))
    shell.run(told["changes"][0]["options"][0]["command"])
    assert deny["Sid"] in s3.get_bucket_policy(**where)["Policy"]


@pytest.mark.parametrize("sid", ["AccessControlList1", "AllowedByS3", "RestrictPublicBuckets"])
def test_a_denial_named_like_what_s3_adds_is_the_users_own(account, shell, fresh, sid):
    name = f"why-{fresh}"
    where = {"Bucket": f"b-{name}"}
    denials = {"Sid": sid, "Action": "s3:PutObjectAcl"}, {"Action": "s3:GetObject"}
    s3 = bucket_for_both(account, name, *denials)
    s3.put_object(**where, Key="a.txt", Body=b"a")
    told = refused(account, lambda: s3.get_object(**where, Key="a.txt"))
    shell.run(told["changes"][0]["options"][0]["command"])
    assert sid in s3.get_bucket_policy(**where)["Policy"]
    told = refused(account, lambda: s3.put_object_acl(**where, Key="a.txt", ACL="private"))
    shell.run(told["changes"][0]["options"][0]["command"])
    s3.put_object_acl(**where, Key="a.txt", ACL="private")


def test_what_denies_both_deletions_is_written_as_it_is(account, shell, fresh):
    name = f"why-{fresh}"
    both = {"NotAction": "s3:PutObject", "Resource": f"arn:aws:s3:::b-{name}/safe/*"}
    s3 = bucket_for_both(account, name, both, {"Action": "s3:DeleteObject"})
    where = {"Bucket": f"b-{name}"}
    s3.put_object(**where, Key="a.txt", Body=b"a")
    told = refused(account, lambda: s3.delete_object(**where, Key="a.txt"))
    shell.run(told["changes"][0]["options"][0]["command"])
    s3.delete_object(**where, Key="a.txt")
    assert "NotAction" in s3.get_bucket_policy(**where)["Policy"]


def test_the_acl_of_an_object_of_another_account_is_shown(account, shell, fresh):
    name = f"why-{fresh}"
    s3, where = bucket_for_both(account, name), {"Bucket": f"b-{name}", "Key": "a.txt"}
    s3.delete_public_access_block(Bucket=f"b-{name}")
    account.client("s3", "partner").put_object(**where, Body=b"a")
    anyone = account.client("s3", "anonymous")
    told = refused(account, lambda: anyone.get_object_acl(**where))
    shell.run(told["changes"][0]["options"][-1]["command"])
    anyone.get_object_acl(**where)


def test_an_object_that_is_nobodys_is_taken_over(account, shell, fresh):
    name = f"why-{fresh}"
    s3, where = bucket_for_both(account, name), {"Bucket": f"b-{name}", "Key": "a.txt"}
    s3.delete_public_access_block(Bucket=f"b-{name}")
    s3.put_bucket_acl(Bucket=f"b-{name}", ACL="public-read-write")
    account.client("s3", "anonymous").put_object(**where, Body=b"a")
    told = refused(account, lambda: s3.get_object(**where))
    (option,) = told["changes"][0]["options"]
    s3.put_bucket_acl(Bucket=f"b-{name}", ACL="private")  # else ACLs can't be disabled
    shell.run(option["command"])
    s3.get_object(**where)


def test_both_sides_of_two_accounts_are_named(account, fresh):
    told = refused(account, across_accounts(account, f"why-{fresh}"))
    layers = sorted(one["layer"] for one in told["changes"])
    assert layers == ["identity-based policy", "role trust policy"]
    (ours,) = [
        one["options"][0] for one in told["changes"] if one["layer"] == "identity-based policy"
    ]
    assert "--profile partner" in ours["command"]


def test_the_advice_meets_a_condition_of_the_trust_policy(account, fresh):
    name = f"why-{fresh}"
    told = refused(account, trust_condition(account, name))
    (change,) = told["changes"]
    assert change["options"][0]["what"] == "Call it with --external-id abc."
    (test,) = told["decision"]["layers"][0]["policies"][0]["statements"][0]["mismatch"][
        "conditions"
    ]
    assert (test["key"], test["wanted"], test["found"]) == ("sts:ExternalId", ["abc"], "xyz")


def test_a_key_that_the_action_never_has_is_not_asked_for(account, fresh):
    told = refused(account, tags_under_an_external_id(account, f"why-{fresh}"))
    own, statement = told["changes"][0]["options"]
    assert own["what"] == (
        "sts:TagSession never has sts:ExternalId: allow it in a statement of its own."
    )
    assert statement["statement"]["Action"] == "sts:TagSession"
    named = {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/PowerUserAccess"}}
    keys = user(account, f"why-{fresh}-2", {**EVERYTHING, "Condition": named})
    told = refused(account, partial(account.client("iam", keys).create_group, GroupName="g"))
    (own, _) = told["changes"][0]["options"]
    assert own["what"].startswith("iam:CreateGroup never has iam:PolicyARN: allow it in a")


PRESENT = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
FRESH = {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}}


def trust_wants_mfa(account: Account, name: str, condition: Any = PRESENT) -> Call:
    """The trust policy names the user, who has no policy. Its condition fails."""
    keys = user(account, name)
    mine = {"AWS": f"arn:aws:iam::{LEARNER}:user/{name}"}
    arn = role(account, name, mine, Condition=condition)
    return lambda: account.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ss")


def test_only_gates_that_refused_are_named(account, fresh):
    told = refused(account, trust_wants_mfa(account, f"why-{fresh}"))
    assert told["decision"]["refused"]["gates"] == ["trust policy"]
    assert "identity" not in told["why"]
    assert told["why"].startswith("Denied: no role trust policy allows")
    assert [one["layer"] for one in told["decision"]["layers"] if one["blocks"]] == [
        "role trust policy"
    ]
    assert [one["layer"] for one in told["changes"]] == ["role trust policy"]


def test_who_has_shown_no_mfa_code_is_not_told_to_wait(account, fresh):
    told = refused(account, trust_wants_mfa(account, f"why-{fresh}", FRESH))
    ((asking, relaxing),) = (one["options"] for one in told["changes"])
    assert asking["what"].startswith("Call it with a new MFA code: --serial-number")
    assert "shown no MFA code, or not lately" in relaxing["what"]


@pytest.mark.parametrize(
    ("condition", "first"),
    [
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, "The Condition on aws:Multi"),
        ({"Null": {"sts:ExternalId": "false"}}, "Call it with --external-id VALUE."),
    ],
)
def test_a_value_that_nobody_can_choose_is_not_asked_for(account, fresh, condition, first):
    told = refused(account, trust_wants_mfa(account, f"why-{fresh}", condition))
    assert told["changes"][0]["options"][0]["what"].startswith(first)


def test_a_region_is_only_asked_for_where_there_is_a_choice(account, fresh):
    elsewhere = {**EVERYTHING, "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}
    keys = user(account, f"why-{fresh}", elsewhere)
    told = refused(account, account.client("iam", keys).list_users)
    assert told["changes"][0]["options"][0]["what"].startswith("The Condition on aws:Requested")
    told = refused(account, account.client("cloudformation", keys).list_stacks)
    assert told["changes"][0]["options"][0]["what"] == "Call it in the region eu-west-1."


HOME = {"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}}


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        (HOME, "with --prefix home/{}/."),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, "with --max-keys 10."),
        ({"StringEquals": {"aws:PrincipalTag/team": "a"}}, "as a caller that has the tag team=a."),
        (
            {"DateGreaterThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}},
            "with a new session: assume the role again, or call get-session-token.",
        ),
    ],
)
def test_a_list_that_meets_the_condition_is_asked_for(account, fresh, condition, asked):
    name = f"why-{fresh}"
    account.client("s3", "admin").create_bucket(Bucket=f"b-{name}")
    keys = user(account, name, {**EVERYTHING, "Condition": condition})
    listing = account.client("s3", keys).list_objects_v2
    told = refused(account, lambda: listing(Bucket=f"b-{name}"))
    assert told["changes"][0]["options"][0]["what"] == f"Call it {asked.format(name)}"


def test_who_has_a_revoked_session_is_told_to_get_a_new_one(account, fresh):
    name, iam = f"why-{fresh}", account.client("iam", "admin")
    arn = role(account, name, {"AWS": f"arn:aws:iam::{LEARNER}:root"})
    made = account.client("sts", "admin").assume_role(RoleArn=arn, RoleSessionName="ss")
    account.control("POST", "clock", {"seconds": 2})
    older = {"DateLessThan": {"aws:TokenIssueTime": account.control("GET", "clock")["now"]}}
    revoked = document(EVERYTHING, {**EVERYTHING, "Effect": "Deny", "Condition": older})
    account.control("POST", "clock", {"seconds": 2})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=revoked)
    told = refused(account, account.client("iam", Keys.of(made["Credentials"])).list_users)
    assert told["changes"][0]["options"][0]["what"].startswith("Call it with a new session: ")


def test_a_tag_that_the_resource_lacks_is_named(account, fresh):
    tagged = {"StringEquals": {"aws:ResourceTag/developer": "true"}}
    keys = user(account, f"why-{fresh}", {**EVERYTHING, "Condition": tagged})
    told = refused(account, lambda: account.client("iam", keys).get_user(UserName="admin"))
    asking = told["changes"][0]["options"][0]
    assert asking["what"] == "Call it for a resource that has the tag developer=true."


def test_a_key_that_a_denial_wants_is_asked_for(account, fresh):
    name, s3 = f"why-{fresh}", account.client("s3", "admin")
    s3.create_bucket(Bucket=f"b-{name}")
    deny = {"Effect": "Deny", "Principal": "*", "Resource": f"arn:aws:s3:::b-{name}/*"}
    plain = {"Null": {"s3:x-amz-server-side-encryption": "true"}}
    policy = document({**deny, "Action": "s3:PutObject", "Condition": plain})
    s3.put_bucket_policy(Bucket=f"b-{name}", Policy=policy)
    told = refused(account, lambda: s3.put_object(Bucket=f"b-{name}", Key="k", Body=b""))
    asking = told["changes"][0]["options"][0]
    assert asking["what"] == "Call it with --server-side-encryption VALUE."


def unless(action: str, key: str, *values: str) -> dict[str, Any]:
    """A Deny of the action, unless the key has one of the values."""
    condition = {"StringNotEquals": {key: list(values)}}
    return {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}


def advised(account: Account, name: str, service: str, operation: str, *policy: Any, **given: Any):
    """What `why` says first to a user with this policy who makes the call."""
    keys = user(account, name, *policy)
    call = getattr(account.client(service, keys), operation)
    return refused(account, partial(call, **given))["changes"][0]["options"][0]["what"]


LIMIT = {"NumericGreaterThan": {"s3:max-keys": "10"}}
FEW = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": LIMIT}


STORED = unless("s3:PutObject", "s3:x-amz-storage-class", "ONEZONE*", "GLACIER")
NEW = unless("s3:PutObject", "s3:if-none-match", "*")
TAGGED = unless("s3:PutObjectTagging", "s3:RequestObjectTag/a", "b")


@pytest.mark.parametrize(
    ("denial", "call", "option"),
    [
        (STORED, {"put_object": {"Key": "k"}}, "--storage-class GLACIER"),
        (TAGGED, {"put_object": {"Key": "k", "Tagging": "a=c"}}, "--tagging that sets a to b"),
        (FEW, {"list_objects_v2": {}}, "--max-keys 10"),
        (NEW, {"put_object": {"Key": "k"}}, "--if-none-match '*'"),
    ],
)
def test_the_option_that_a_denial_wants_is_named(account, fresh, denial, call, option):
    name = f"why-{fresh}"
    account.client("s3", "admin").create_bucket(Bucket=f"b-{name}")
    ((operation, given),) = call.items()
    given = {"Bucket": f"b-{name}", **given}
    told = advised(account, name, "s3", operation, EVERYTHING, denial, **given)
    assert told == f"Call it with {option}."


def test_several_tags_are_behind_one_option_and_a_value_is_quoted(account, fresh):
    tags = {"aws:RequestTag/a": "1", "aws:RequestTag/b": "$(two) words"}
    wanted = {"Action": "iam:CreateUser", "Condition": {"StringEquals": tags}}
    allow = {"Effect": "Allow", "Resource": "*", **wanted}
    told = advised(account, f"why-{fresh}", "iam", "create_user", allow, UserName="none")
    assert told == "Call it with --tags Key=a,Value=1 Key=b,Value='$(two) words'."


def test_an_option_that_the_call_does_not_have_is_not_asked_for(account, fresh):
    """Of a missing object, of a part of an upload, and of the boundary that a user has."""
    name, s3 = f"why-{fresh}", account.client("s3", "admin")
    s3.create_bucket(Bucket=f"b-{name}")
    part: dict[str, Any] = {"Bucket": f"b-{name}", "Key": "k", "PartNumber": 1, "Body": b""}
    part["UploadId"] = s3.create_multipart_upload(Bucket=f"b-{name}", Key="k")["UploadId"]
    bounded = "arn:aws:iam::aws:policy/PowerUserAccess"
    to_attach = {"UserName": "admin", "PolicyArn": bounded}
    others = unless("*", "iam:PermissionsBoundary", bounded)
    missing = {"Bucket": f"b-{name}", "Key": "missing"}
    calls: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("s3", "get_object", unless("s3:ListBucket", "s3:prefix", "home/"), missing),
        ("s3", "upload_part", unless("s3:PutObject", "s3:x-amz-acl", "private"), part),
        ("iam", "attach_user_policy", others, to_attach),
    ]
    for service, operation, denial, given in calls:
        who = f"{name}-{operation}"
        told = advised(account, who, service, operation, EVERYTHING, denial, **given)
        assert told.startswith("Take statement 2 out of")


def test_advice_about_a_second_resource_keeps_what_the_first_one_added(account, shell, fresh):
    name, iam = f"why-{fresh}", account.client("iam", "admin")
    keys = user(account, name)
    iam.create_group(GroupName=f"{name}-old")

    def call() -> Any:
        groups = {"GroupName": f"{name}-old", "NewGroupName": f"{name}-new"}
        return account.client("iam", keys).update_group(**groups)

    for _ in range(2):  # a new name needs permission for both
        told = refused(account, call)
        shell.run(told["changes"][0]["options"][0]["command"])
    call()


def test_a_federated_caller_is_let_in_with_its_claims(account, shell, fresh):
    name, iam = f"why-{fresh}", account.client("iam", "admin")
    url = f"https://token.actions.githubusercontent.com/{name}"
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}}}
    asked = {"issuer": url, "claims": {"sub": "repo:${a}", "aud": "app", **tags}}
    token = account.control("POST", "oidc/token", asked)["token"]
    made = iam.create_open_id_connect_provider(Url=url, ClientIDList=["app"])
    arn = role(account, name, {"Service": "ec2.amazonaws.com"})

    def call() -> Any:
        assume = account.client("sts", "anonymous").assume_role_with_web_identity
        return assume(RoleArn=arn, RoleSessionName="ss", WebIdentityToken=token)

    for action in ("sts:TagSession", "sts:AssumeRoleWithWebIdentity"):
        told = refused(account, call)
        (option,) = told["changes"][0]["options"]
        issuer = url.removeprefix("https://")
        assert option["statement"] == {
            "Effect": "Allow",
            "Principal": {"Federated": made["OpenIDConnectProviderArn"]},
            "Action": action,
            "Condition": {
                "StringEquals": {f"{issuer}:sub": "repo:${$}{a}", f"{issuer}:aud": "app"}
            },
        }
        shell.run(option["command"])
    call()


def test_mfa_is_advised_only_to_callers_who_can_have_it(account, fresh):
    name, iam = f"why-{fresh}", account.client("iam", "admin")
    claims, url = {"sub": "me", "aud": "app"}, f"https://{name}.example.com"
    token = account.control("POST", "oidc/token", {"issuer": url, "claims": claims})["token"]
    iam.create_open_id_connect_provider(Url=url, ClientIDList=["app"])
    federated = {"Federated": f"arn:aws:iam::{LEARNER}:oidc-provider/{url[8:]}"}
    arn = role(account, name, federated, "sts:AssumeRoleWithWebIdentity")
    with_mfa = {**EVERYTHING, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(with_mfa))
    keys = user(account, f"{name}-u", with_mfa)
    made = account.client("sts", "anonymous").assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="me", WebIdentityToken=token
    )
    for caller, advised in ((keys, True), (Keys.of(made["Credentials"]), False)):
        told = refused(account, account.client("iam", caller).list_users)
        first = told["changes"][0]["options"][0]["what"]
        assert first.startswith("Call it with MFA") == advised
        assert "aws:MultiFactorAuthPresent" in told["changes"][0]["options"][advised]["what"]


def test_a_service_and_the_names_it_makes_up_are_let_in(account, shell, fresh):
    name = f"why-{fresh}"
    arn = role(account, name, {"Service": "ec2.amazonaws.com"})
    cloudformation = account.client("cloudformation", "admin")

    def advice(event: str) -> Any:
        found = (one for one in newest_first(account.folder) if one["eventName"] == event)
        return explain(next(one for one in found if is_refused(one)))["changes"][0]["options"][0]

    def call() -> Any:
        body = json.dumps({"Resources": {"G": {"Type": "AWS::IAM::Group"}}})
        capable = {"Capabilities": ["CAPABILITY_IAM"], "RoleARN": arn}
        return cloudformation.create_stack(StackName=name, TemplateBody=body, **capable)

    with pytest.raises(ClientError, match="cannot be assumed"):
        call()
    option = advice("AssumeRole")
    assert option["statement"]["Principal"] == {"Service": "cloudformation.amazonaws.com"}
    shell.run(option["command"])
    call()
    done = cloudformation.get_waiter("stack_create_complete")
    with pytest.raises(WaiterError):
        done.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    made = advice("CreateGroup")["statement"]["Resource"]
    assert made == f"arn:aws:iam::{LEARNER}:group/{name}-G-*"


@pytest.mark.parametrize(
    "where",
    [
        {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"IpAddress": {"aws:SourceIp": "127.0.0.1"}, "Bool": {"aws:ViaAWSService": "false"}},
    ],
)
def test_a_bucket_policy_that_keeps_out_the_administrator_is_changed_by_root(
    account, shell, fresh, where
):
    name, s3 = f"why-{fresh}", account.client("s3", "admin")
    s3.create_bucket(Bucket=f"b-{name}")
    bucket = [f"arn:aws:s3:::b-{name}", f"arn:aws:s3:::b-{name}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": bucket}
    spared = {"Sid": "Spared", "Effect": "Deny", "Principal": "*", "Resource": bucket[0]}
    spared["Action"] = "s3:PutBucketWebsite"
    policy = document(spared, {**deny, "Condition": where})
    s3.put_bucket_policy(Bucket=f"b-{name}", Policy=policy)
    told = refused(account, lambda: s3.list_objects_v2(Bucket=f"b-{name}"))
    command = told["changes"][0]["options"][0]["command"]
    assert command.endswith("--profile root")
    shell.run(command)
    s3.list_objects_v2(Bucket=f"b-{name}")


def test_an_accounts_id_at_the_end_of_a_name_is_no_part_that_cloudformation_made_up():
    caller = Principal.from_arn(f"arn:aws:iam::{LEARNER}:user/alice")
    via = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
    resources = [f"arn:aws:s3:::b-{LEARNER}", "arn:aws:s3:::s-b-1a2b3c4d5e6f"]
    for resource, advised in zip(resources, [resources[0], "arn:aws:s3:::s-b-*"], strict=True):
        asked = Request(caller, "s3:CreateBucket", resource, via, LEARNER)
        situation = Situation(asked, {PolicyKind.IDENTITY: ()})
        (option,) = additions(situation, situation.decide().layers[0])
        assert (option.statement or {})["Resource"] == advised


def test_a_conditions_purpose_comes_before_how_to_relax_it(account, fresh):
    told = refused(account, trust_wants_mfa(account, f"why-{fresh}"))
    ((asking, relaxing),) = (one["options"] for one in told["changes"])
    assert asking["what"].startswith("Call it with MFA")
    before, _, after = relaxing["what"].partition("If this request should be allowed all the same")
    assert "keeps out anyone who has only a stolen key" in before
    assert after
    assert not relaxing["what"].startswith("Or ")


def test_a_trust_policy_is_not_widened_to_a_user_that_needs_no_policy(account, fresh):
    told = refused(account, trust_names_another(account, f"why-{fresh}"))
    (option,) = told["changes"][0]["options"]
    assert option["statement"]["Principal"] == {"AWS": f"arn:aws:iam::{LEARNER}:root"}
    assert option["statement"]["Condition"]["ArnEquals"] == {
        "aws:PrincipalArn": f"arn:aws:iam::{LEARNER}:user/why-{fresh}"
    }


DELETIONS = ["DeleteAccessKey", "UpdateAccessKey", "DeleteRole", "DeleteUser"]


@pytest.mark.parametrize("deleted", DELETIONS)
def test_who_deleted_a_key_or_its_owner_is_known_from_the_log(account, fresh, deleted):
    name, iam = f"why-{fresh}", account.client("iam", "admin")
    if deleted == "DeleteRole":
        arn = role(account, name, {"AWS": LEARNER})
        given = account.client("sts", "admin").assume_role(RoleArn=arn, RoleSessionName="ss")
        keys = Keys.of(given["Credentials"])
        done = iam.delete_role(RoleName=name)
    elif deleted == "DeleteUser":
        own = user(account, name)
        keys = Keys.of(account.client("sts", own).get_session_token()["Credentials"])
        iam.delete_access_key(UserName=name, AccessKeyId=own.access_key_id)
        done = iam.delete_user(UserName=name)
    elif deleted == "DeleteAccessKey":
        keys = user(account, name)
        done = iam.delete_access_key(UserName=name, AccessKeyId=keys.access_key_id)
    else:
        keys = user(account, name)
        done = iam.update_access_key(
            UserName=name, AccessKeyId=keys.access_key_id, Status="Inactive"
        )
    with pytest.raises(ClientError) as caught:
        account.client("s3", keys).list_buckets()
    event = found(account, caught.value)
    facts = account.control("GET", f"key?id={keys.access_key_id}")
    told = explain(event, key=lambda _: facts, events=lambda: newest_first(account.folder))
    request = done["ResponseMetadata"]["RequestId"][:8]
    assert f"by user/admin (iam:{deleted}, request {request})." in told["why"]
    assert (event["eventName"], "?" in told["why"]) == ("ListBuckets", False)


def test_a_deleted_role_is_explained(account, fresh):
    name = f"why-{fresh}"
    arn = role(account, name, {"AWS": LEARNER})
    account.client("iam", "admin").delete_role(RoleName=name)
    with pytest.raises(ClientError) as caught:
        account.client("sts", "admin").assume_role(RoleArn=arn, RoleSessionName="ss")
    event = found(account, caught.value)
    told = explain(event, events=lambda: newest_first(account.folder))
    assert f"The role {name} was deleted on " in told["why"]


def test_a_session_policy_is_for_the_next_session(account, fresh):
    name = f"why-{fresh}"
    arn = role(account, name, {"AWS": LEARNER})
    iam = account.client("iam", "admin")
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(EVERYTHING))
    narrow = document({**EVERYTHING, "Action": "s3:*"})
    sts = account.client("sts", "admin")
    given = sts.assume_role(RoleArn=arn, RoleSessionName="ss", Policy=narrow)["Credentials"]
    told = refused(account, account.client("iam", Keys.of(given)).list_users)
    (change,) = told["changes"]
    (option,) = change["options"]
    assert change["layer"] == "session policy"
    assert option["command"] == ""
    wider = document(json.loads(narrow)["Statement"][0], option["statement"])
    given = sts.assume_role(RoleArn=arn, RoleSessionName="ss", Policy=wider)["Credentials"]
    account.client("iam", Keys.of(given)).list_users()


def test_a_missing_role_is_explained(account, fresh):
    sts = account.client("sts", "admin")
    arn = f"arn:aws:iam::{LEARNER}:role/none-{fresh}"
    told = refused(account, lambda: sts.assume_role(RoleArn=arn, RoleSessionName="ss"))
    assert told["why"].startswith("There is no role with this ARN.")


def test_an_object_that_is_not_there_is_explained(account, fresh):
    """S3 API Reference, "GetObject": "If you don't have the s3:ListBucket permission ..."."""
    account.client("s3", "admin").create_bucket(Bucket=f"b-{fresh}")
    s3 = account.client("s3", user(account, f"why-{fresh}"))
    told = refused(account, lambda: s3.get_object(Bucket=f"b-{fresh}", Key="none"))
    assert "There is no such object" in told["why"]
    told = refused(account, lambda: s3.list_objects_v2(Bucket=f"b-{fresh}"))
    assert "There is no such object" not in told["why"]


def test_an_anonymous_request_is_told_to_sign(account, fresh):
    account.client("s3", "admin").create_bucket(Bucket=f"b-{fresh}")
    anonymous = account.client("s3", "anonymous")
    told = refused(account, lambda: anonymous.list_objects_v2(Bucket=f"b-{fresh}"))
    sign, allow = told["changes"][0]["options"]
    assert "--no-sign-request" in sign["what"]
    assert "if nothing blocks public policies" in allow["what"]
    assert told["complete"] is None  # something does: the bucket is new


def test_the_advice_about_a_refused_token_fixes_it(account, fresh):
    url = f"https://why-{fresh}.example.com"
    anyone, iam = account.client("sts", "anonymous"), account.client("iam", "admin")
    arn = f"arn:aws:iam::{LEARNER}:oidc-provider/{url[8:]}"
    name = role(account, f"why-{fresh}", {"Federated": arn}, "sts:AssumeRoleWithWebIdentity")

    def token(audience: str = "app", seconds: int = 3600) -> str:
        claims = {"sub": "me", "aud": audience}
        asked = {"issuer": url, "claims": claims, "seconds": seconds}
        return account.control("POST", "oidc/token", asked)["token"]

    def told(given: str) -> str:
        """The advice about the token; empty if it is accepted."""
        try:
            anyone.assume_role_with_web_identity(
                RoleArn=name, RoleSessionName="me", WebIdentityToken=given
            )
        except ClientError as error:
            event = found(account, error)
            assert is_refused(event)
            why = explain(event)
            assert [one["layer"] for one in why["changes"]] == ["identity provider"]
            assert given not in json.dumps(why)
            return " ".join(option["what"] for option in why["changes"][0]["options"])
        return ""

    assert "aws iam create-open-id-connect-provider" in told(token())
    iam.create_open_id_connect_provider(Url=url, ThumbprintList=["0" * 40])
    assert "update-open-id-connect-provider-thumbprint" in told(token())
    shown = account.control("POST", "oidc/issuer", {"issuer": url})
    iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=arn, ThumbprintList=[shown["thumbprint"]]
    )
    assert "add-client-id-to-open-id-connect-provider" in told(token())
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="app")
    assert "stslab sandbox token" in told(token(seconds=-301))
    account.control("POST", "oidc/issuer", {"issuer": url, "certificate": "wrong-host"})
    assert "stslab sandbox issuer URL --certificate renewed" in told(token())
    account.control("POST", "oidc/issuer", {"issuer": url, "certificate": "renewed"})
    assert told(token()) == ""


def test_an_assertion_that_aws_does_not_take_is_explained_as_its_message_is():
    told = explain(
        {
            "eventName": "AssumeRoleWithSAML",
            "errorCode": "InvalidIdentityToken",
            "errorMessage": "Response signature invalid",
            "decisions": [],
        }
    )
    assert "not signed with a certificate that the SAML provider in IAM has" in told["why"]
    (change,) = told["changes"]
    assert "Upload its new metadata" in change["options"][0]["what"]


def test_a_session_that_is_too_long_is_the_last_refusal_though_policies_allow_it(account):
    arn = role(account, "short", {"AWS": "arn:aws:iam::111122223333:root"})
    with pytest.raises(ClientError, match="MaxSessionDuration"):
        account.client("sts", "admin").assume_role(
            RoleArn=arn, RoleSessionName="try", DurationSeconds=7200
        )
    found = explained(Home(account.folder.parent), "")
    assert found
    assert found["request"]["errorCode"] == "ValidationError"
    assert found["why"].endswith("longer than the role allows. No policy changes that.")
    (change,) = found["changes"]
    assert "Ask for no longer than that" in " ".join(one["what"] for one in change["options"])


def test_a_policy_that_block_public_access_refuses_has_advice(account):
    s3 = account.client("s3", "admin")
    s3.create_bucket(Bucket="not-public")
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    public = document({**everyone, "Resource": "arn:aws:s3:::not-public/*"})
    with pytest.raises(ClientError, match="BlockPublicPolicy"):
        s3.put_bucket_policy(Bucket="not-public", Policy=public)
    found = explained(Home(account.folder.parent), "")
    assert found
    (change,) = found["changes"]
    assert "Leave it on." in " ".join(one["what"] for one in change["options"])


def test_a_refusal_in_a_sentence_of_its_own_ends_with_one_full_stop(account):
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    told = refused(account, lambda: account.client("iam", "admin").delete_policy(PolicyArn=arn))
    assert told["why"] == "Denied: Cannot delete policies outside your own account."


def test_what_s3_does_not_tell_the_caller_is_explained(account, fresh):
    name, s3 = f"why-{fresh}", account.client("s3", "admin")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"")
    everything = {"Effect": "Allow", "Principal": {"AWS": PARTNER}, "Action": "s3:*"}
    both = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    s3.put_bucket_policy(Bucket=name, Policy=document({**everything, "Resource": both}))
    theirs = account.client("s3", "partner")
    acl: dict[str, Any] = {"Owner": theirs.list_buckets()["Owner"], "Grants": []}

    def why(call: Callable[..., Any], **params: Any) -> str:
        with pytest.raises(ClientError, match=r"Access Denied|not allowed"):
            call(Bucket=name, **params)
        told = explained(Home(account.folder.parent))
        assert told
        return " ".join([told["why"], *(one["what"] for one in told["changes"][0]["options"])])

    assert "account that the call names" in why(s3.list_objects_v2, ExpectedBucketOwner=PARTNER)
    assert "another owner" in why(s3.put_bucket_acl, AccessControlPolicy=acl)
    public = why(theirs.put_object_acl, Key="k", ACL="public-read")
    assert public.startswith("No policy refused it. S3 Block Public Access does, by its setting")
    assert "BlockPublicAcls. Leave it on" in public
    assert "Another account owns the bucket" in why(theirs.get_bucket_policy)


def test_an_error_after_a_refusal_is_explained_and_names_the_refusal(account):
    home, admin = Home(account.folder.parent), account.client("iam", "admin")
    with pytest.raises(ClientError) as refused:
        nothing_allows(account, "errs")()
    refusal = refused.value.response["ResponseMetadata"]["RequestId"][:8]
    first = explained(home, refusal)
    assert first
    began = first["request"]["eventTime"]  # by the account's clock, which other tests move
    with pytest.raises(ClientError, match="NoSuchEntity"):
        admin.list_user_policies(UserName="nobody")
    told = explained(home)
    assert told
    assert told["request"]["errorCode"] == "NoSuchEntity"
    assert told["why"].startswith(
        "There is nothing of this name in the caller's account. No policy"
    )
    assert told["why"].count("No policy") == 1
    assert told["why"].endswith(
        f"The last refusal was of iam:ListUsers: `stslab why {refusal}` explains it."
    )
    admin.list_users()  # a call that succeeds: an error before it does not matter
    told = explained(home, since=began)
    assert told
    assert told["request"]["eventName"] == "ListUsers"
    assert explained(home, since="9999") is None


def test_a_refusal_that_a_check_expected_is_named_and_no_change_is_advised(account, tmp_path):
    home = Home(account.folder.parent)
    home.journal = tmp_path / "journal.sqlite"

    def refused(keys: Keys, agent: str = "aws-cli") -> str:
        iam = account.client("iam", keys)
        iam.meta.events.register("before-send", lambda request, **_: note(request, agent))
        with pytest.raises(ClientError) as error:
            iam.list_users()
        return str(error.value.response["ResponseMetadata"]["RequestId"])

    def note(request: Any, agent: str) -> None:
        request.headers["User-Agent"] = agent

    def told(request: str = "") -> dict[str, Any]:
        found = explained(home, request)
        assert found
        return found

    def session(name: str) -> Keys:
        sts = account.client("sts", "admin")
        return Keys.of(sts.assume_role(RoleArn=checked, RoleSessionName=name)["Credentials"])

    checked = role(account, "checked", {"AWS": LEARNER})
    mine, checks, hand = user(account, "mine"), session("labs"), session("by-hand")
    unexpected, expected = refused(mine), refused(checks, "stslab")
    assert (told()["expected"], bool(told()["changes"])) == (False, True)
    held = CheckRecord("s", 0, "T", "says", CLAIM, True, True, "AccessDenied", "", expected, 0, "")
    with Journal(home.journal) as journal:
        journal.begin(a_run())
        journal.write("r1", held)
    for again in (False, True):
        newest = refused(hand, "stslab") if again else expected  # a check that is made again
        last = told()
        assert last["request"]["requestID"] == newest
        assert (last["expected"], last["changes"]) == (True, [])
        assert last["why"].endswith(
            "The last refusal that was not expected was of iam:ListUsers: "
            f"`stslab why {unexpected[:8]}` explains it."
        )
    assert (told(expected)["expected"], bool(told(expected)["changes"])) == (True, True)
    assert not told(unexpected)["expected"]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.client("iam", "admin").get_user(UserName="nobody")
    account.client("iam", "admin").list_users()  # it is corrected, and still the last failure
    assert told()["request"]["errorCode"] == "NoSuchEntity"
    by_hand = refused(checks)  # the same call, by the learner
    assert (told()["request"]["requestID"], told()["expected"]) == (by_hand, False)


def test_an_allowed_request_is_explained_too(account):
    answer = account.client("iam", "admin").list_users()
    wanted = answer["ResponseMetadata"]["RequestId"]
    event = next(one for one in newest_first(account.folder) if one["requestID"] == wanted)
    told = explain(event)
    assert told["why"] == (
        "It was allowed: an identity-based policy allows the iam:ListUsers action."
    )
    assert told["changes"] == []
