"""A run continues where it was stopped, on the same account, or starts again."""

import pytest
from msgspec.structs import replace
from tests.runner.conftest import STAGES
from tests.runner.fakes import ADMIN_KEY

from stslab.errors import CheckFailed, CredentialsError, RunError, UsageError
from stslab.runner.events import (
    CheckFinished,
    Notice,
    RunFinished,
    RunStarted,
    StackProgress,
    StageFinished,
    StepFinished,
    StepSkipped,
)
from stslab.runner.journal.records import Marked, RunState
from stslab.runner.ports import Credentials

USER = "sts-test-user-run00001"
WIDE = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
}


@pytest.fixture
def begun(machine):
    with machine.process() as process:
        process.run(last="assume-role")
    machine.events.clear()
    return machine


def test_the_next_process_continues(begun):
    with begun.process() as process:
        assert process.run() == "run00001"
    started = begun.said(RunStarted)[0]
    assert started.resumed
    states = [stage.state for stage in started.stages]
    assert states == ["done"] * 4 + ["current", "pending"]


def test_a_stage_done_before_skips_its_steps_and_is_proved_again(begun):
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("create-user")
    assert len(begun.said(StepSkipped)) == 2
    assert begun.said(StepFinished) == []
    assert begun.said(StageFinished)[0].held


def test_a_stage_says_what_it_needs(machine):
    with machine.process() as process:
        process.runner.start_or_resume()
        assert process.runner.missing_for("assume-role") == (
            "create-user",
            "deploy-role",
            "attach-policy",
        )
        with pytest.raises(RunError, match="create-user, deploy-role, attach-policy") as caught:
            process.runner.run_stage("assume-role")
    assert "--with-needed" in caught.value.hint
    assert all(".Get" in call or ".Describe" in call for call in machine.world.log)


def test_the_cleanup_stage_needs_nothing_and_holds_with_nothing_made(machine):
    with machine.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("cleanup")
        assert process.journal.run("run00001").state is RunState.CLEANED
    assert all(check.held for check in machine.said(CheckFinished))


def test_a_checkpoint_is_proved_again_and_may_fail(begun):
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.check_stage("attach-policy")
        del begun.world.users[USER]["policies"]["StsAssumePolicy"]
        with pytest.raises(CheckFailed):
            process.runner.check_stage("attach-policy")
    failed = begun.said(CheckFinished)[-5]
    assert not failed.held
    assert failed.why.startswith("not true:")
    assert failed.proof == 'EvaluationResults.EvalDecision = ["implicitDeny"]'


def test_a_missing_denial_proves_nothing(begun):
    begun.profiles.save("sts", Credentials(ADMIN_KEY, "x" * 20))
    with begun.process() as process:
        process.runner.start_or_resume()
        with pytest.raises(CheckFailed):
            process.runner.check_stage("create-user")
    whys = [check.why for check in begun.said(CheckFinished)]
    assert whys[1] == "the call succeeded, but should have been refused: AccessDenied"


def test_lost_credentials_are_made_again(begun):
    begun.profiles.remove("sts")
    begun.profiles.remove("assumed")
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("create-user")
        process.runner.run_stage("assume-role")
        assert len(begun.world.keys) == 1
        assert begun.profiles.get("sts").access_key_id in begun.world.keys
        process.clean_up()
    assert begun.world.everything()["keys"] == []


def test_a_session_that_expired_is_assumed_again(begun):
    expired = replace(begun.profiles.get("assumed"), expiration="2025-01-01T00:00:00Z")
    begun.profiles.save("assumed", expired)
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("assume-role")
    assert begun.profiles.get("assumed").expiration == "2030-01-01T00:00:00Z"


def test_a_new_embedded_account_starts_the_lab_again(begun):
    begun.world.__init__()
    with begun.process(instance="two") as process:
        assert process.run() == "run00002"
        assert process.journal.run("run00001").state is RunState.LOST
    assert "gone" in begun.said(Notice)[0].message
    assert begun.world.everything()["users"] == []


def test_another_real_account_is_refused(machine):
    with machine.process(kind="aws") as process:
        process.run(last="create-user")
    with (
        machine.process(kind="aws", account_id="999999999999") as process,
        pytest.raises(CredentialsError, match="began on account 111122223333"),
    ):
        process.run()


def test_a_stopped_cleanup_is_ended_before_a_new_run(begun):
    with begun.process() as process:
        process.journal.write("run00001", Marked(RunState.UNDOING))
    with begun.process() as process:
        assert process.run() == "run00002"
        assert process.journal.run("run00001").state is RunState.CLEANED


def test_a_changed_lab_file_is_reported(begun):
    begun.lab = replace(begun.lab, sha256="other")
    with begun.process() as process:
        process.runner.start_or_resume()
    assert "has changed" in begun.said(Notice)[0].message


def test_finish_reports_what_was_proved(begun):
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.finish()
    told = begun.said(RunFinished)[0]
    assert told.outcome == "open"
    verdicts = [verdict for *_, verdict in told.claims]
    assert told.proved == 2 + 7 + 5 + 2
    assert {*verdicts[: told.proved]} == {"allowed", "denied"}
    assert {*verdicts[told.proved :]} == {"not tried"}


def test_an_unknown_stage(machine):
    with machine.process() as process:
        process.runner.start_or_resume()
        with pytest.raises(UsageError, match="no stage 'nothere'") as caught:
            process.runner.run_stage("nothere")
    assert ", ".join(STAGES) in caught.value.hint


def test_a_stacks_events_are_emitted_once(machine):
    with machine.process() as process:
        process.run(last="deploy-role")
    told = [event.status for event in machine.said(StackProgress)]
    assert told == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
