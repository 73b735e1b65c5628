"""Cleanup: the learner's additions go too, other people's things stay, leftovers are listed."""

import contextlib

import pytest
from msgspec.structs import replace
from tests.runner.fake_world import Refused
from tests.runner.fakes import REFUSE
from tests.runner.run.test_faults import always
from tests.runner.run.test_kill import OTHERS, assert_only_others_left, lookalikes

from stslab.errors import CredentialsError, JournalError, NotOwn, RunError, UndoIncomplete
from stslab.runner.events import CleanupFinished, Notice, ThingLookedUp, UndoFinished
from stslab.runner.journal import records
from stslab.runner.journal.records import (
    Concluded,
    EntryState,
    Found,
    Result,
    RunState,
    SavedProfile,
    Thing,
)
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Call, Hand, HandWork

USER, STACK, BUCKET = "sts-test-user-run00001", "my-sts-stack-run00001", "sts-example-run00001"


@pytest.fixture
def left_open(machine):
    """A run before its cleanup, beside other people's things."""
    machine.world = lookalikes()
    with machine.process() as process:
        process.run(last="verify-access")
    machine.events.clear()
    return machine


def add_by_hand(world) -> None:
    world.iam_create_access_key(USER)
    world.iam_put_user_policy(USER, "ByHand", "{}")
    world.users[USER]["groups"].append("helpers")
    world.users[USER]["attached"].append("arn:aws:iam::aws:policy/ReadOnlyAccess")
    for number in range(5):
        world.s3_put_object(BUCKET, f"mine-{number}")
        world.s3_put_object(BUCKET, f"mine-{number}")
    world.s3_put_object(BUCKET, "mine\x1b[31m")  # which XML can't carry
    world.roles[world.stacks[STACK]["role"]]["policies"].append("ByHand")


def test_it_undoes_the_newest_first_and_proves_each_thing(left_open):
    with left_open.process() as process:
        process.cleanup.run("run00001")
    (finished,) = left_open.said(CleanupFinished)
    words = [thing.split()[0] for thing in finished.removed]
    assert words == ["object", "inline", "CloudFormation", "access", "IAM"]
    looked = left_open.said(ThingLookedUp)
    assert all(one.gone for one in looked)
    assert {one.thing.split()[0] for one in looked} == {*words, "S3"}
    assert any("IAM role" in one.thing for one in looked)
    assert_only_others_left(left_open)


def test_children_added_by_hand_are_planned_and_removed(left_open):
    add_by_hand(left_open.world)
    with left_open.process() as process:
        planned = process.cleanup.plan("run00001", extras=True)
        before = left_open.world.everything()
        extras = {extra for one in planned for extra in one.extras}
        assert left_open.world.everything() == before
        process.clean_up()
    assert "its inline policy ByHand" in extras
    assert "its membership of group helpers" in extras
    assert any(extra.startswith("its access key") for extra in extras)
    assert any("its objects, with all their versions" in extra for extra in extras)
    assert not any("StsAssumePolicy" in extra for extra in extras)
    assert_only_others_left(left_open)


def test_cleanup_follows_its_plan(left_open):
    with left_open.process() as process:
        planned = process.cleanup.plan("run00001")
        process.clean_up()
    assert [one.thing for one in planned] == [one.thing for one in left_open.said(UndoFinished)]
    assert [one.calls for one in planned] == [one.calls for one in left_open.said(UndoFinished)]


def test_missing_things_count_as_undone(left_open):
    left_open.world.iam_delete_user_policy(USER, "StsAssumePolicy")
    left_open.world.s3_delete_object(BUCKET, "hello.txt")
    left_open.world.cloudformation_delete_stack(STACK)
    with left_open.process() as process:
        process.clean_up()
    outcomes = {one.thing.split()[0]: one.outcome for one in left_open.said(UndoFinished)}
    assert outcomes["inline"] == outcomes["CloudFormation"] == "was gone"
    assert_only_others_left(left_open)


def test_a_stack_whose_deletion_fails_is_tried_again(left_open):
    left_open.world.delete_fails = 2
    with left_open.process() as process:
        process.clean_up()
    assert_only_others_left(left_open)


def test_after_a_failure_the_rest_is_undone_and_leftovers_are_listed_with_commands(left_open):
    described = []

    def describe(call: Call) -> str:
        described.append(call)
        return f"aws {call.operation}"

    fault = always("cloudformation.DeleteStack", REFUSE)
    with left_open.process(fault=fault) as process:
        process.cleanup._describe = describe
        with pytest.raises(UndoIncomplete) as caught:
            process.cleanup.run("run00001")
        assert process.journal.run("run00001").state is RunState.UNDOING
    remaining = dict(left_open.said(CleanupFinished)[0].remaining)
    assert remaining[f"CloudFormation stack {STACK}"] == "aws DeleteStack"
    assert remaining[f"S3 bucket {BUCKET}"].startswith(f"aws s3 rb s3://{BUCKET} --force")
    assert caught.value.exit_code == 5
    assert USER not in left_open.world.users
    with left_open.process() as process:
        process.clean_up()
    assert_only_others_left(left_open)


def test_another_runs_tag_protects_a_thing(machine):
    """The journal says that the run may have made the user; the user's tag names another."""
    fault = always("iam.CreateUser", "lost before")
    other = [{"Key": "stslab:run", "Value": "another0"}]
    with machine.process(fault=fault) as process, pytest.raises(Exception, match="answer was lost"):
        process.run()
    machine.world.iam_create_user(USER, other)
    with machine.process() as process:
        process.clean_up()
    assert USER in machine.world.users
    assert machine.said(UndoFinished)[-1].outcome == "not ours"


@pytest.mark.parametrize("stage", ["create-user", "deploy-role"])
def test_an_older_thing_is_neither_adopted_nor_deleted(machine, stage):
    bucket = {"ParameterKey": "BucketName", "ParameterValue": "old"}
    if stage == "create-user":
        machine.world.iam_create_user(USER)
    else:
        machine.world.cloudformation_create_stack(STACK, [bucket], [OTHERS])
    before = machine.world.everything()
    with machine.process() as process:
        with pytest.raises(Exception, match="existed before"):
            process.run()
        process.clean_up()
    assert machine.world.everything() == before


@pytest.mark.parametrize("call", ["iam.CreateUser", "cloudformation.CreateStack"])
@pytest.mark.parametrize("resumed", [True, False])
def test_somebody_elses_later_thing_is_neither_adopted_nor_deleted(machine, call, resumed):
    """The intent is journaled; the call was never made. The name alone proves nothing."""
    with machine.process(fault=always(call, "lost before")) as process, pytest.raises(RunError):
        process.run()
    bucket = {"ParameterKey": "BucketName", "ParameterValue": "old"}
    if call == "iam.CreateUser":
        machine.world.iam_create_user(USER)
    else:
        machine.world.cloudformation_create_stack(STACK, [bucket], [])
    with machine.process() as process:
        if resumed:
            with pytest.raises(RunError, match="left alone"):
                process.run()
        with contextlib.suppress(UndoIncomplete):  # the sweep tells what has the run's id
            process.clean_up()
    there = machine.world.users if call == "iam.CreateUser" else machine.world.stacks
    assert (USER if call == "iam.CreateUser" else STACK) in there
    if call != "iam.CreateUser":
        assert "old" in machine.world.buckets


def test_an_object_in_a_bucket_that_is_not_the_runs_is_left_as_it_is(machine):
    with machine.process() as process:
        process.run(last="assume-role")
    machine.world.s3_put_object(BUCKET, "hello.txt", "mine")
    journal_forgets_the_bucket(machine)
    machine.world.s3_create_bucket("another")
    machine.world.stacks[STACK]["listed"] = "another"
    with machine.process() as process, pytest.raises(NotOwn, match="not the run's own"):
        process.run(last="verify-access")
    assert machine.world.buckets[BUCKET]["hello.txt"] == ["mine"]


def journal_forgets_the_bucket(machine) -> None:
    """Make the journal name another bucket than the stack's."""
    other = Thing("s3.bucket", {"Bucket": "another"})
    path = machine.folder / "journal.sqlite"
    with Journal(path) as journal:
        bodies = [
            record.body for record in journal.past("run00001").recorded(*records.BODIES.values())
        ]
    path.unlink()
    with Journal(path, machine.clock) as journal:
        for body in bodies:
            told = Found(body.entry, other) if isinstance(body, Found) else body
            journal.write("run00001", told)


def test_things_that_a_sweep_finds_are_leftovers(left_open):
    ours = [{"Key": "stslab:run", "Value": "run00001"}]
    left_open.world.iam_create_user("made-by-hand", ours)
    left_open.world.iam_create_user("made-by-hand-run00001")
    with left_open.process() as process, pytest.raises(UndoIncomplete):
        process.cleanup.run("run00001")
    assert [thing for thing, _ in left_open.said(CleanupFinished)[0].remaining] == [
        "IAM user made-by-hand",
        "IAM user made-by-hand-run00001",
    ]
    assert "made-by-hand" in left_open.world.users


def test_undo_as_an_ended_identity_is_done_by_admin(left_open):
    left_open.profiles.remove("assumed")
    left_open.profiles.remove("sts")
    with left_open.process() as process:
        process.clean_up()
    assert_only_others_left(left_open)


def test_another_account_is_not_touched(left_open):
    log = len(left_open.world.log)
    with left_open.process(kind="aws", account_id="999999999999") as process:
        with pytest.raises(CredentialsError, match="Nothing was called") as caught:
            process.cleanup.run("run00001")
        assert caught.value.exit_code == 4
    assert len(left_open.world.log) == log


def test_with_a_new_embedded_account_the_runs_own_is_gone(left_open):
    log = len(left_open.world.log)
    with left_open.process(instance="two") as process:
        process.cleanup.run("run00001")
        assert process.journal.run("run00001").state is RunState.LOST
    assert len(left_open.world.log) == log
    assert left_open.profiles.names() == ("admin",)
    assert "is gone" in left_open.said(Notice)[-1].message


def test_an_unknown_run(machine):
    with machine.process() as process, pytest.raises(JournalError, match="no run nothere"):
        process.cleanup.run("nothere")


def test_deletions_that_take_time_to_show_are_waited_for(left_open):
    seen = iter([True] * 3)
    really = left_open.world.iam_get_user

    def slow(UserName):  # noqa: N803 - AWS's name
        if UserName not in left_open.world.users and next(seen, False):
            return {"User": {"UserName": UserName, "Tags": []}}
        return really(UserName)

    left_open.world.iam_get_user = slow
    with left_open.process(consistent=False) as process:
        process.clean_up()
    assert_only_others_left(left_open)


def test_a_profile_that_another_run_wrote_stays(left_open):
    sts = left_open.profiles.get("sts")
    others = type(sts)("AKIAOTHER", "OTHERSECRET")
    left_open.profiles.save("sts", others)
    with left_open.process() as process:
        process.journal.begin(replace(process.journal.run("run00001"), id="run00002"))
        seq = process.journal.intend(
            "run00002", process.journal.past("run00001").entries()[0].intent
        )
        profile = SavedProfile("sts", "AKIAOTHER", "")
        process.journal.write("run00002", Concluded(seq, Result(EntryState.DONE, profile=profile)))
        process.cleanup.run("run00001")
    assert left_open.profiles.get("sts") == others
    assert left_open.profiles.get("assumed") is None


def test_a_replacement_made_by_somebody_else_is_left_alone(left_open):
    """The run's user was deleted by hand, and another user has its name and policy now."""
    world = left_open.world
    add_by_hand(world)
    del world.users[USER]
    world.keys = {key: user for key, user in world.keys.items() if user != USER}
    world.iam_create_user(USER)
    world.iam_put_user_policy(USER, "StsAssumePolicy", '{"theirs": 1}')
    with left_open.process() as process, contextlib.suppress(UndoIncomplete):
        process.cleanup.run("run00001")  # the sweep tells what has the run's id
    assert world.users[USER]["policies"] == {"StsAssumePolicy": {"theirs": 1}}
    outcomes = {one.thing.split()[0]: one.outcome for one in left_open.said(UndoFinished)}
    assert outcomes["inline"] == outcomes["IAM"] == outcomes["access"] == "not ours"
    assert STACK not in world.stacks


def test_a_replacement_made_by_hand_is_undone(left_open):
    class Made(Hand):
        def look(self, _run, _own=()):
            return HandWork(made=(f"IAM user {USER}",))

    world, left_open.hand = left_open.world, Made()
    world.users[USER]["id"] = "another"
    with left_open.process() as process:
        process.cleanup.run("run00001")
    assert USER not in world.users
    assert_only_others_left(left_open)


def test_a_stack_whose_role_was_replaced_is_left_alone(left_open):
    world = left_open.world
    role = world.stacks[STACK]["role"]
    world.roles[role] = {**world.roles[role], "id": "another"}
    with left_open.process() as process, pytest.raises(UndoIncomplete, match=STACK):
        process.cleanup.run("run00001")
    assert f"IAM role {role}" in str(left_open.said(UndoFinished)[2].detail)
    assert role in world.roles


def test_a_lookup_that_is_refused_proves_nothing(left_open):
    def refuse(UserName):  # noqa: N803 - AWS's name
        raise Refused("AccessDenied", "no", 403)

    left_open.world.iam_get_user = refuse
    only = f"1 thing is left in the account: IAM user {USER}."
    with left_open.process() as process, pytest.raises(UndoIncomplete, match=only):
        process.cleanup.run("run00001")
