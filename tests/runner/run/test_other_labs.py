"""Labs of other shapes: services that are not known, things of others, secrets, waits."""

import pytest
from msgspec.structs import replace
from tests.runner.conftest import Machine
from tests.runner.fake_world import Refused, no_entity
from tests.runner.fakes import LOST_AFTER, LOST_BEFORE
from tests.runner.run.test_faults import always

from stslab import lab
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import RunError, UndoIncomplete, UnresolvedReference
from stslab.runner.events import StepFinished, UndoFinished
from stslab.runner.journal.records import RunState

HEAD = """
stslab: 1
id: other
title: Another lab
vars: {name: "thing-${{ run.id }}"}
stages:
  - id: one
    title: One
    intro: One
    steps:
"""
URL_SAVED = """
      - title: Make a queue
        call: sqs.CreateQueue
        with: {QueueName: "${{ name }}"}
        save: {url: QueueUrl}
        undo: {call: sqs.DeleteQueue, with: {QueueUrl: "${{ url }}"}}
"""
URL_KNOWN = URL_SAVED.replace("${{ url }}", "https://queues/${{ name }}")
USER = """
      - title: Make a user
        call: iam.CreateUser
        with: {UserName: "${{ name }}"}
        undo: iam.DeleteUser
"""
OWN_KEY = """
      - title: Make a key of one's own
        call: iam.CreateAccessKey
        profile: {name: own, from: AccessKey}
        undo: {call: iam.DeleteAccessKey, with: {AccessKeyId: "${{ profiles.own.access_key_id }}"}}
"""
ALICES_KEY = """
      - title: Make a key for somebody who was there before
        call: iam.CreateAccessKey
        with: {UserName: alice}
        profile: {name: alice, from: AccessKey}
        undo:
          call: iam.DeleteAccessKey
          with: {UserName: alice, AccessKeyId: "${{ profiles.alice.access_key_id }}"}
"""
ALICES_POLICY = """
      - title: Give a policy to somebody who was there before
        call: iam.PutUserPolicy
        with: {UserName: alice, PolicyName: p, PolicyDocument: "{}"}
        undo: iam.DeleteUserPolicy
"""


@pytest.fixture
def make(tmp_path):
    def made(*steps: str) -> Machine:
        file = tmp_path / "other.yaml"
        file.write_text(HEAD + "".join(steps))
        loaded = lab.load(file, catalogue=BotocoreCatalogue())
        return Machine(loaded, tmp_path / "home")

    return made


def run_one(machine: Machine, fault=lambda _n, _c: None) -> None:
    with machine.process(fault=fault) as process:
        process.runner.start_or_resume()
        process.runner.run_stage("one")


def clean_up(machine: Machine) -> None:
    with machine.process() as process:
        process.clean_up()


def test_a_kind_that_is_not_known_is_undone_as_the_lab_says(make):
    machine = make(URL_SAVED)
    run_one(machine)
    assert machine.world.queues == {"thing-run00001"}
    clean_up(machine)
    assert machine.world.queues == set()


@pytest.mark.parametrize("fault", [LOST_BEFORE, LOST_AFTER])
def test_a_lost_answer_of_an_unknown_kind_stops_the_run(make, fault):
    machine = make(URL_KNOWN)
    with pytest.raises(RunError, match="Nothing tells whether"):
        run_one(machine, always("sqs.CreateQueue", fault))
    # Its undo names the run, so it can take back nothing of anybody else's.
    clean_up(machine)
    assert machine.world.queues == set()


def test_an_undo_that_does_not_name_the_run_is_not_made_blindly(make):
    machine = make(URL_SAVED)
    with pytest.raises(RunError):
        run_one(machine, always("sqs.CreateQueue", LOST_AFTER))
    with pytest.raises(UndoIncomplete) as caught:
        clean_up(machine)
    (thing, command), *_ = caught.value.remaining
    assert "Make a queue" in thing
    assert "DeleteQueue" in command
    assert machine.said(UndoFinished)[0].outcome == "kept"


def test_the_runs_tag_is_put_on_what_can_be_tagged(make):
    machine = make(USER)
    run_one(machine)
    user = machine.world.users["thing-run00001"]
    assert user["tags"] == [{"Key": "stslab:run", "Value": "run00001"}]
    clean_up(machine)
    assert machine.world.users == {}


@pytest.mark.parametrize("fault", [None, LOST_AFTER, LOST_BEFORE])
def test_a_key_for_somebody_elses_user_leaves_that_users_own_keys(make, fault):
    machine = make(ALICES_KEY)
    machine.world.iam_create_user("alice")
    before = machine.world.iam_create_access_key("alice")["AccessKey"]["AccessKeyId"]
    lost = iter([fault])
    run_one(machine, lambda _n, c: next(lost, None) if c == "iam.CreateAccessKey" else None)
    assert len(machine.world.keys) == 2
    clean_up(machine)
    assert list(machine.world.keys) == [before]
    assert "alice" in machine.world.users


def test_a_policy_that_somebody_had_is_not_overwritten(make):
    machine = make(ALICES_POLICY)
    machine.world.iam_create_user("alice")
    machine.world.iam_put_user_policy("alice", "p", '{"mine": 1}')
    with pytest.raises(RunError, match="was there before"):
        run_one(machine)
    clean_up(machine)
    assert machine.world.users["alice"]["policies"] == {"p": {"mine": 1}}


def test_a_policy_that_was_perhaps_put_on_somebody_elses_user_is_told_and_left(make):
    machine = make(ALICES_POLICY)
    machine.world.iam_create_user("alice")
    with pytest.raises(RunError, match="answer was lost"):
        run_one(machine, always("iam.PutUserPolicy", LOST_AFTER))
    clean_up(machine)
    assert machine.said(UndoFinished)[0].outcome == "not ours"
    assert "p" in machine.world.users["alice"]["policies"]


def test_a_key_of_unknown_owner_whose_answer_was_lost_is_told(make):
    machine = make(OWN_KEY)
    with pytest.raises(RunError, match="half-done could not be taken back"):
        run_one(machine, always("iam.CreateAccessKey", LOST_BEFORE))
    with pytest.raises(UndoIncomplete):
        clean_up(machine)


def test_what_a_step_cannot_save_stops_the_run(make):
    machine = make(URL_SAVED)
    machine.world.sqs_create_queue = lambda **_: {}
    with pytest.raises(RunError, match="does not hold url"):
        run_one(machine)


def test_a_reference_to_nothing_stops_before_the_call(make):
    machine = make(USER, URL_SAVED)
    machine.lab = replace(machine.lab, vars={})
    with pytest.raises(UnresolvedReference, match="name"):
        run_one(machine)
    assert machine.world.log == []


def test_a_password_goes_to_the_call_and_nowhere_else(make):
    step = """
      - title: Give it a password
        call: iam.CreateLoginProfile
        with: {UserName: "${{ name }}", Password: "Correct-Horse-9"}
        undo: iam.DeleteLoginProfile
"""
    machine = make(USER, step)
    got = {}
    machine.world.iam_create_login_profile = lambda **params: (
        got.update(params)
        or {"LoginProfile": {"UserName": params["UserName"], "Note": "is Correct-Horse-9"}}
    )
    machine.world.iam_delete_login_profile = lambda **_: {}
    machine.world.iam_get_login_profile = lambda UserName: machine.world.iam_get_user_policy(  # noqa: N803
        UserName, "none"
    )
    run_one(machine)
    assert got["Password"] == "Correct-Horse-9"
    clean_up(machine)
    kept = b"".join(file.read_bytes() for file in machine.folder.iterdir())
    assert b"Correct-Horse-9" not in kept
    assert "Correct-Horse-9" not in repr(machine.events)
    assert machine.said(StepFinished)


def test_a_lab_without_a_cleanup_stage_is_ended_by_cleanup(make):
    machine = make(USER)
    run_one(machine)
    clean_up(machine)
    with machine.process() as process:
        assert process.journal.run("run00001").state is RunState.CLEANED
        assert process.runner.resume() is None


GROUP = """
      - title: Make a group
        call: iam.CreateGroup
        with: {GroupName: "${{ name }}"}
        undo: iam.DeleteGroup
"""


def test_what_a_lost_call_made_is_adopted_although_it_showed_late(make):
    """The lookup does not find the group yet; the second call says that it exists."""
    machine = make(GROUP)
    groups, looks = set(), iter([False])

    def create(GroupName):  # noqa: N803 - AWS's name
        if GroupName in groups:
            raise Refused("EntityAlreadyExists", "it exists", 409)
        groups.add(GroupName)
        return {"Group": {"GroupName": GroupName}}

    def get(GroupName):  # noqa: N803 - AWS's name
        if GroupName not in groups or not next(looks, True):
            raise no_entity("group")
        return {"Group": {"GroupName": GroupName}, "Users": []}

    machine.world.iam_create_group, machine.world.iam_get_group = create, get
    machine.world.iam_delete_group = lambda GroupName: groups.discard(GroupName) or {}  # noqa: N803
    lost = iter([LOST_AFTER])
    run_one(machine, lambda _n, c: next(lost, None) if c == "iam.CreateGroup" else None)
    assert groups == {"thing-run00001"}
    clean_up(machine)
    assert groups == set()
