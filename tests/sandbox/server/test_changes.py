"""What a learner did by hand in a run is recorded and undone; others' changes stay."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.direct import Direct

from stslab.errors import SandboxError
from stslab.sandbox.server import changes
from stslab.sandbox.server.control import ControlRequest
from stslab.sandbox.state import traces
from stslab.vocabulary import LEARNER, PARTNER

RUN = "run12345"


class Holder:
    """An account without a mark."""

    marked = None

    def __init__(self, direct: Direct) -> None:
        self.inside = direct.inside

    def ask(self, verb: Any, **body: Any) -> Any:
        return verb(self, ControlRequest("POST", {}, body))


@pytest.fixture
def holder(direct: Direct) -> Holder:
    made = Holder(direct)
    key = made.ask(changes.run, run=RUN)
    direct.keys["hand"] = (key["access_key_id"], key["secret_access_key"], None)
    return made


def undone(holder: Holder, *own: str, only_look: bool = False) -> Any:
    return holder.ask(changes.restore, run=RUN, own=list(own), only_look=only_look)


def users(direct: Direct) -> list[str]:
    return [one["UserName"] for one in direct.client("iam").list_users()["Users"]]


def test_the_runs_key_is_the_administrators_and_is_not_listed(
    direct: Direct, holder: Holder
) -> None:
    told = direct.client("sts", "hand").get_caller_identity()
    assert told["Arn"].endswith(":user/admin")
    listed = direct.client("iam").list_access_keys()["AccessKeyMetadata"]
    assert [one["AccessKeyId"] for one in listed] == [direct.keys["admin"][0]]
    assert holder.ask(changes.run)["access_key_id"] == direct.keys["hand"][0]


def test_created_things_are_deleted_and_changed_ones_restored(
    direct: Direct, holder: Holder
) -> None:
    theirs, iam, s3 = (
        direct.client("iam"),
        direct.client("iam", "hand"),
        direct.client("s3", "hand"),
    )
    theirs.create_user(UserName="kept", Tags=[{"Key": "a", "Value": "1"}])
    theirs.create_user(UserName="lost")
    iam.create_user(UserName="extra")
    iam.tag_user(UserName="kept", Tags=[{"Key": "a", "Value": "2"}])
    iam.delete_user(UserName="lost")
    s3.create_bucket(Bucket="extra-bucket")
    s3.put_object(Bucket="extra-bucket", Key="a", Body=b"b")
    looked = undone(holder, only_look=True)
    assert set(looked["restored"]) == {
        "IAM user extra", "IAM user kept", "IAM user lost", "S3 bucket extra-bucket", "object a",
    }  # fmt: skip
    assert users(direct) == ["admin", "extra", "kept"]
    told = undone(holder)
    assert (told["restored"], told["kept"]) == (looked["restored"], [])
    assert users(direct) == ["admin", "kept", "lost"]
    assert theirs.list_user_tags(UserName="kept")["Tags"] == [{"Key": "a", "Value": "1"}]
    assert direct.client("s3").list_buckets()["Buckets"] == []
    assert undone(holder)["restored"] == []


def test_keys_created_with_the_runs_key_belong_to_the_run(direct: Direct, holder: Holder) -> None:
    iam = direct.client("iam", "hand")
    iam.create_user(UserName="ana")
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_user_policy(UserName="ana", PolicyArn=policy)
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    direct.keys["ana"] = (key["AccessKeyId"], key["SecretAccessKey"], None)
    direct.client("iam", "ana").create_user(UserName="made-by-ana")
    assert "IAM user made-by-ana" in undone(holder)["restored"]
    assert users(direct) == ["admin"]


DENIES = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'


def test_sessions_are_listed_with_their_duration(direct: Direct, holder: Holder) -> None:
    iam = direct.client("iam", "hand")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    direct.keys["ana"] = (key["AccessKeyId"], key["SecretAccessKey"], None)
    given = direct.client("sts", "ana").get_session_token(DurationSeconds=129600)["Credentials"]
    limited = direct.client("sts", "hand").get_federation_token(
        Name="fed", Policy=DENIES, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    )["Credentials"]
    sessions = undone(holder, only_look=True)["sessions"]
    assert sessions[given["AccessKeyId"]] == {
        "by": key["AccessKeyId"], "mfa": False, "policies": [],
        "seconds": 129600, "expires": given["Expiration"].isoformat(),
    }  # fmt: skip
    policies = sessions[limited["AccessKeyId"]]["policies"]
    assert policies == [DENIES, "arn:aws:iam::aws:policy/ReadOnlyAccess"]


def test_what_others_changed_later_is_kept_and_reported(direct: Direct, holder: Holder) -> None:
    direct.client("iam", "hand").create_user(UserName="both")
    direct.client("iam").tag_user(UserName="both", Tags=[{"Key": "a", "Value": "1"}])
    direct.client("s3", "hand").create_bucket(Bucket="shared-bucket")
    direct.client("s3").put_object(Bucket="shared-bucket", Key="theirs", Body=b"x")
    told = undone(holder)
    assert (told["restored"], set(told["kept"])) == (
        [],
        {"IAM user both", "S3 bucket shared-bucket"},
    )
    assert users(direct) == ["admin", "both"]
    assert undone(holder)["kept"] == []  # it is reported once, and then forgotten


def test_what_others_made_is_left_alone(direct: Direct, holder: Holder) -> None:
    direct.client("iam").create_user(UserName="theirs")
    assert undone(holder) == {"restored": [], "kept": [], "made": [], "sessions": {}}
    assert users(direct) == ["admin", "theirs"]


def test_what_the_journal_undoes_is_left_alone(direct: Direct, holder: Holder) -> None:
    direct.client("iam", "hand").create_user(UserName="labs")
    direct.client("s3", "hand").create_bucket(Bucket="labs-bucket")
    own = (f"{LEARNER} LABS", f"{LEARNER} labs-bucket")
    told = undone(holder, *own, only_look=True)
    assert set(told.pop("made")) == {"S3 bucket labs-bucket", "IAM user labs"}
    assert told == {"restored": [], "kept": [], "sessions": {}}


def test_what_the_journal_knows_by_its_arn_is_left_alone(direct: Direct, holder: Holder) -> None:
    """Cleanup has deleted what the run made; by hand it was changed before."""
    theirs, iam = direct.client("iam"), direct.client("iam", "hand")
    arn = theirs.create_policy(PolicyName="labs", PolicyDocument=DENIES)["Policy"]["Arn"]
    made = theirs.create_open_id_connect_provider(
        Url="https://labs.test", ThumbprintList=["a" * 40]
    )
    oidc = made["OpenIDConnectProviderArn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=DENIES)
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=oidc, ClientID="app")
    theirs.delete_policy_version(PolicyArn=arn, VersionId="v2")
    theirs.delete_policy(PolicyArn=arn)
    theirs.delete_open_id_connect_provider(OpenIDConnectProviderArn=oidc)
    told = undone(holder, f"{LEARNER} {arn}", f"{LEARNER} {oidc}")
    assert (told["restored"], told["kept"]) == ([], [])


def test_the_same_name_in_another_account_is_not_the_journals(
    direct: Direct, holder: Holder
) -> None:
    direct.client("iam", "hand").create_user(UserName="labs")
    assert undone(holder, f"{PARTNER} labs")["restored"] == ["IAM user labs"]
    assert users(direct) == ["admin"]


def test_a_stack_is_deleted_with_its_resources(direct: Direct, holder: Holder) -> None:
    template = '{"Resources": {"Shop": {"Type": "AWS::S3::Bucket"}}}'
    stacks = direct.client("cloudformation", "hand")
    stacks.create_stack(StackName="mine", TemplateBody=template)
    stacks.get_waiter("stack_create_complete").wait(StackName="mine", WaiterConfig={"Delay": 0})
    undone(holder)
    assert direct.client("s3").list_buckets()["Buckets"] == []
    assert direct.client("cloudformation").list_stacks()["StackSummaries"] == []
    assert not traces.traces(direct.state.snapshot, RUN)


def test_ending_a_run_deletes_its_key(direct: Direct, holder: Holder) -> None:
    before = direct.state.snapshot
    direct.client("iam", "hand").create_user(UserName="extra")
    undone(holder)
    holder.ask(changes.run, run=RUN, ends=True)
    assert holder.ask(changes.run) == {}
    left = {
        type(one.before or one.after).__name__ for one in before.differences(direct.state.snapshot)
    }
    assert left == {"Run", "AccessKey"}
    holder.ask(changes.run, run=RUN, ends=True)


def test_without_a_run_the_last_active_one_answers(holder: Holder) -> None:
    other = holder.ask(changes.run, run="other123")
    assert holder.ask(changes.run)["run"] == "other123" == other["run"]
    first = holder.ask(changes.run, run=RUN, keys=["AKIAMORE"])
    assert holder.ask(changes.run) == first


def test_a_run_needs_an_active_key_of_the_administrator(direct: Direct) -> None:
    key, holder = direct.keys["admin"][0], Holder(direct)
    direct.client("iam").update_access_key(UserName="admin", AccessKeyId=key, Status="Inactive")
    with pytest.raises(SandboxError, match="no longer has an active access key"):
        holder.ask(changes.run, run="another1")
