"""Other labs: unknown services, other people's things, secrets, waits."""

import pytest
from msgspec.structs import replace
from tests.runner.conftest import Machine
from tests.runner.fake_world import Refused, no_entity
from tests.runner.fakes import LOST_AFTER, LOST_BEFORE, REFUSE
from tests.runner.run.test_faults import always
from tests.unjudged import unjudged

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import (
    CheckFailed,
    InvalidLab,
    NotOwn,
    RunError,
    UndoIncomplete,
    UnresolvedReference,
)
from stslab.lab import loader
from stslab.runner.events import CleanupFinished, StepFinished, UndoFinished
from stslab.runner.journal.records import RunState

HEAD = """
stslab: 1
id: other
title: Another lab
services: [sqs]
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
        with: {UserName: "${{ name }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        undo: iam.DeleteUser
"""
UNTAGGED = USER.replace(', Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]', "")
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


LOOKS = """
    checkpoint:
      - says: The queue is there
        call: sqs.ListQueues
        expect: "length(QueueUrls) == `1`"
      - says: The caller is known
        call: sts.GetCallerIdentity
        expect: "length(Account) == `12`"
"""


@pytest.fixture
def make(tmp_path):
    def made(*steps: str, judged: bool = True) -> Machine:
        file = tmp_path / "other.yaml"
        file.write_text(HEAD + "".join(steps))
        loaded = loader.load(file, catalogue=BotocoreCatalogue()) if judged else unjudged(file)
        return Machine(loaded, tmp_path / "home")

    return made


def run_one(machine: Machine, fault=lambda _n, _c: None) -> None:
    with machine.process(fault=fault) as process:
        process.runner.start_or_resume()
        process.runner.run_stage("one")


def clean_up(machine: Machine) -> None:
    with machine.process() as process:
        process.clean_up()


def test_a_thing_of_an_unknown_kind_is_undone_as_the_lab_says(make):
    machine = make(URL_SAVED)
    run_one(machine)
    assert machine.world.queues == {"thing-run00001"}
    clean_up(machine)
    assert machine.world.queues == set()


def test_what_an_unknown_service_answers_is_neither_shown_nor_kept(make):
    machine = make(URL_SAVED, LOOKS)
    vars(machine.world)["sqs_list_queues"] = lambda **_: {"QueueUrls": ["https://queues/a"]}
    with machine.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("one")
        stage = process.runner.begin_stage("one")
        told, proofs = [], []
        for number in range(2):
            proved = process.runner.prove(stage, number)
            assert proved.held
            told.append({*process.runner.checks.answer})
            proofs.append(proved.proof)
    assert told == [set(), {"Account", "Arn"}]
    assert proofs[0] == "QueueUrls (the values are not kept)"
    assert proofs[1].startswith("Account = ")


@pytest.mark.parametrize("fault", [LOST_BEFORE, LOST_AFTER])
def test_a_lost_answer_of_an_unknown_kind_stops_the_run(make, fault):
    machine = make(URL_KNOWN)
    with pytest.raises(RunError, match="It is unknown whether"):
        run_one(machine, always("sqs.CreateQueue", fault))
    # Its undo names the run, so it can undo nothing of anybody else's.
    clean_up(machine)
    assert machine.world.queues == set()


def test_an_undo_that_does_not_name_the_run_is_not_made_blindly(make):
    machine = make(URL_SAVED)
    with pytest.raises(RunError):
        run_one(machine, always("sqs.CreateQueue", LOST_AFTER))
    with pytest.raises(UndoIncomplete):
        clean_up(machine)
    (thing, command), *_ = machine.said(CleanupFinished)[0].remaining
    assert "Make a queue" in thing
    assert "aws sqs delete-queue" in command
    assert machine.said(UndoFinished)[0].outcome == "kept"


def test_a_thing_without_the_runs_tag_is_not_made(make):
    with pytest.raises(InvalidLab, match="lacks the run's tag"):
        make(UNTAGGED)
    machine = make(UNTAGGED, judged=False)
    with pytest.raises(NotOwn, match="lacks the run's tag"):
        run_one(machine)
    assert machine.world.users == {}


@pytest.mark.parametrize(
    ("step", "call"),
    [
        (ALICES_KEY, "iam.CreateAccessKey"),
        (ALICES_POLICY, "iam.PutUserPolicy"),
        (OWN_KEY, "iam.CreateAccessKey"),
    ],
)
def test_somebody_elses_user_is_not_changed(make, step, call):
    with pytest.raises(InvalidLab, match="would change"):
        make(step)
    machine = make(step, judged=False)
    machine.world.iam_create_user("alice")
    before = machine.world.everything()
    with pytest.raises(NotOwn, match="would change") as refused:
        run_one(machine)
    assert refused.value.exit_code == 2
    assert call not in "".join(machine.world.log)
    clean_up(machine)
    assert machine.world.everything() == before


def test_a_value_that_can_not_be_saved_stops_the_run(make):
    machine = make(URL_SAVED)
    machine.world.sqs_create_queue = lambda **_: {}
    with pytest.raises(RunError, match=r"does not have QueueUrl .for url."):
        run_one(machine)


def test_an_unknown_reference_stops_before_the_call(make):
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

    def create(**params):
        got.update(params)
        return {"LoginProfile": {"UserName": params["UserName"], "Note": "is Correct-Horse-9"}}

    machine.world.iam_create_login_profile = create
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
        assert not process.runner.resume()


GROUP = """
      - title: Make a group
        call: iam.CreateGroup
        with: {GroupName: "${{ name }}"}
        undo: iam.DeleteGroup
"""


def test_a_lost_calls_thing_is_adopted_even_if_it_shows_late(make):
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

    def delete(GroupName):  # noqa: N803 - AWS's name
        groups.discard(GroupName)
        return {}

    machine.world.iam_create_group, machine.world.iam_get_group = create, get
    machine.world.iam_delete_group = delete
    lost = iter([LOST_AFTER])
    run_one(machine, lambda _n, c: next(lost, None) if c == "iam.CreateGroup" else None)
    assert groups == {"thing-run00001"}
    clean_up(machine)
    assert groups == set()


MAY_NOT = """
    checkpoint:
      - says: Nobody makes another one
        call: iam.CreateUser
        with: {UserName: "${{ name }}-2", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        fails: AccessDenied
        by: identity policy
        because: No policy allows it.
"""


@pytest.mark.parametrize(
    ("faults", "held"),
    [
        ([LOST_BEFORE, REFUSE], True),  # asked again: it is refused
        ([LOST_AFTER], False),  # it was not refused, and is there
    ],
)
def test_a_call_that_should_be_refused_is_repeated_if_its_answer_is_lost(make, faults, held):
    machine = make(USER, MAY_NOT)
    coming = iter([None, *faults])  # the first one is the step's
    fault = lambda _n, name: next(coming, None) if name == "iam.CreateUser" else None  # noqa: E731
    error = None
    try:
        run_one(machine, fault)
    except CheckFailed as failed:
        error = failed
    assert (error is None) == held
    with machine.process() as process:
        process.clean_up()
    assert machine.world.everything()["users"] == []
