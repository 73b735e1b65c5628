"""Faulty calls: the run ends done or stopped, and cleanup leaves nothing."""

import pytest
from tests.runner.conftest import Machine
from tests.runner.fakes import LOST_AFTER, LOST_BEFORE, REFUSE, SERVER_ERROR, THROTTLE
from tests.runner.run.test_kill import assert_no_secret_kept, assert_only_others_left, lookalikes

from stslab.errors import CheckFailed, RunError, StslabError
from stslab.runner.events import StepFailed, Waiting

KINDS = (REFUSE, LOST_BEFORE, LOST_AFTER, THROTTLE, SERVER_ERROR)


def once_at(number: int, kind: str):
    return lambda call, _name: kind if call == number else None


def always(call: str, kind: str):
    return lambda _number, name: kind if name == call else None


def try_to_run(machine: Machine, fault, **account) -> StslabError | None:
    with machine.process(fault=fault, **account) as process:
        try:
            process.run()
        except StslabError as error:
            return error
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_at_each_call(assume_role, tmp_path, kind):
    outcomes = set()
    for number in range(1, 70, 14):
        folder = tmp_path / str(number)
        folder.mkdir()
        machine = Machine(assume_role, folder, world=lookalikes())
        error = try_to_run(machine, once_at(number, kind))
        outcomes.add(type(error).__name__)
        with machine.process() as process:
            process.clean_up()
        assert_only_others_left(machine)
        assert_no_secret_kept(machine)
    # What passes by itself stops no run. A lost answer to a question is asked again.
    passing = {"NoneType"}
    assert outcomes == passing if kind != REFUSE else outcomes > passing


@pytest.mark.parametrize(
    "call", ["iam.CreateUser", "iam.CreateAccessKey", "cloudformation.CreateStack"]
)
def test_a_lost_answer_is_looked_up_and_nothing_is_made_twice(machine, call):
    faults = iter([LOST_AFTER])
    fault = lambda _n, name: next(faults, None) if name == call else None  # noqa: E731
    assert try_to_run(machine, fault) is None
    made = [line for line in machine.world.log if f"admin {call} " in line]
    # A key whose secret nobody has seen is deleted, and another one made.
    assert len(made) == (2 if call == "iam.CreateAccessKey" else 1)
    assert machine.world.everything()["keys"] == []


@pytest.mark.parametrize("kind", [LOST_BEFORE, LOST_AFTER, SERVER_ERROR, THROTTLE])
def test_a_lasting_fault_ends_the_run_in_bounded_time(machine, kind):
    error = try_to_run(machine, always("iam.CreateAccessKey", kind))
    assert isinstance(error, RunError)
    assert machine.clock.elapsed < 300
    with machine.process() as process:
        process.clean_up()
    assert machine.world.users == {}
    assert machine.world.keys == {}


def test_throttling_is_retried_and_shown(machine):
    left = [THROTTLE] * 4
    fault = lambda _n, name: left.pop() if name == "iam.CreateUser" and left else None  # noqa: E731
    assert try_to_run(machine, fault) is None
    waits = machine.said(Waiting)
    assert waits[0].what == "CreateUser: Throttling"
    assert 0 <= waits[0].elapsed < waits[0].limit


def test_a_refused_step_says_what_aws_said_and_can_be_resumed(machine):
    error = try_to_run(machine, always("cloudformation.CreateStack", REFUSE))
    assert error
    assert "AccessDenied: not authorized" in error.message
    assert "stslab cleanup" in error.hint
    failed = machine.said(StepFailed)[0]
    assert (failed.code, failed.message) == ("AccessDenied", "not authorized")
    with machine.process() as process:
        process.run()
    assert machine.world.everything()["users"] == []


def test_a_stack_that_rolled_back_is_deleted_and_created_again(machine):
    machine.world.fail_stacks = 1
    error = try_to_run(machine, lambda _n, _c: None)
    assert error
    assert "Bucket: " in error.message
    assert "already exists" in error.message
    assert "DescribeEvents" not in error.message
    assert machine.world.everything()["stacks"] != []
    with machine.process() as process:
        process.run(last="deploy-role")
        assert machine.world.stacks[next(iter(machine.world.stacks))]["StackStatus"] == (
            "CREATE_COMPLETE"
        )
        process.clean_up()
    assert machine.world.everything()["stacks"] == []


def test_a_wrong_checkpoint_stops_with_what_did_not_hold(machine):
    machine.allows_nothing()
    error = try_to_run(machine, lambda _n, _c: None)
    assert isinstance(error, CheckFailed)
    assert error.exit_code == 3
    assert "The role's policies allow it to list the bucket" in error.message


def test_refusals_are_repeated_where_iam_spreads_its_changes(machine):
    refused = [REFUSE] * 5
    fault = lambda _n, name: refused.pop() if name == "sts.AssumeRole" and refused else None  # noqa: E731
    with machine.process(consistent=False) as process:
        process.run(last="attach-policy")
    assert try_to_run(machine, fault, consistent=False) is None
    assert any("AssumeRole" in wait.what for wait in machine.said(Waiting))
