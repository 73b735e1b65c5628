"""The standing of a run: the same in all output, and never more than was proved."""

import pytest
from msgspec.structs import replace
from tests.runner.conftest import CLAIMS, STAGES, Machine

from stslab.errors import StslabError
from stslab.lab.model import Lab
from stslab.runner.events import RunFinished
from stslab.runner.journal.records import How, Skipped
from stslab.runner.journal.standing import Standing, standing
from stslab.runner.journal.store import Journal


def stands(machine: Machine, run: str = "run00001") -> Standing:
    with Journal(machine.folder / "journal.sqlite") as journal:
        return standing(journal.past(run))


def did(machine: Machine, *stages: str, skipped: tuple[str, ...] = ()) -> Standing:
    """The standing of a run in which these stages were done, each in its own process."""
    for stage in stages:
        with machine.process() as process:
            process.runner.start_or_resume()
            process.runner.run_stage(stage)
    with machine.process() as process:
        process.runner.start_or_resume()
        for stage in skipped:
            process.runner.note(Skipped(stage))
    return stands(machine)


# Stages that were done, stages that were skipped in so many words; what is skipped, not reached.
CASES = [
    ((), (), (), STAGES),
    (STAGES[:3], (), (), STAGES[3:]),
    (STAGES[:3], STAGES[3:4], STAGES[3:4], STAGES[4:]),
    (STAGES[:1], STAGES[1:5], STAGES[1:5], STAGES[5:]),
]


@pytest.mark.parametrize(("done", "left_out", "skipped", "not_reached"), CASES)
def test_the_denominator_is_the_labs_number_of_claims(
    machine, done, left_out, skipped, not_reached
):
    told = did(machine, *done, skipped=left_out)
    assert (told.remarks["skipped"], told.remarks["not_reached"]) == (skipped, not_reached)
    proved = sum(len(machine.lab.stage(one).checkpoint) for one in done)
    assert (told.proved, len(told.claims)) == (proved, CLAIMS)
    assert {one.verdict for one in told.claims if one.stage not in done} <= {"not tried"}


def test_five_skips_and_a_cleanup_prove_only_what_was_made(machine):
    with machine.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("create-user")
        for stage in STAGES[1:]:
            process.runner.note(Skipped(stage))
        process.runner.run_stage("cleanup")
        finished = process.runner.finish()
    told = stands(machine)
    assert told.remarks["skipped"] == STAGES[1:5]
    assert told.remarks["not_reached"] == ()
    assert {one.says: one.verdict for one in told.claims if one.stage == "cleanup"} == {
        "The user is gone": "denied",
        "Its access key is gone": "denied",
        "Its policies are gone": "never made",
        "The stack is gone": "never made",
        "The role is gone": "never made",
        "The bucket is gone": "never made",
        "The old key no longer opens anything": "denied",
        "The profiles are out of stslab's files": "allowed",
    }
    assert told.proved == len(machine.lab.stages[0].checkpoint) + 4
    assert finished.proved == told.proved
    assert len(finished.claims) == CLAIMS
    assert finished.notes == told.notes == (("skipped", STAGES[1:5]),)


def test_a_stage_before_one_that_was_done_counts_as_skipped(machine):
    with machine.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("create-user")
        process.runner.run_stage("cleanup")
    assert stands(machine).remarks["skipped"] == STAGES[1:5]


def test_the_cleanup_command_does_not_reach_the_cleanup_stage(machine):
    did(machine, *STAGES[:3], skipped=("assume-role",))
    with machine.process() as process:
        process.clean_up()
    told = stands(machine)
    assert told.run.state == "cleaned"
    assert (told.remarks["skipped"], told.remarks["not_reached"]) == (STAGES[3:4], STAGES[4:])
    assert told.proved < CLAIMS


def test_attempts_are_kept_with_how_they_were_done(machine):
    with machine.process() as process:
        process.run(last="deploy-role")
        machine.allows_nothing()
        with pytest.raises(StslabError, match="does not hold"):
            process.run(last="attach-policy")
    machine.allows_again()
    with machine.process() as process:
        process.runner._how = How.YES
        process.run(last="attach-policy")
    stage = stands(machine).stages[2]
    assert [(one.how, one.outcome) for one in stage.attempts] == [
        ("at the prompt", "did not hold"),
        ("--yes", "done"),
    ]
    assert stage.state == "done"
    claim = next(one for one in stands(machine).claims if one.stage == "attach-policy")
    assert (claim.verdict, claim.tries) == ("allowed", 2)
    assert stands(machine).remarks["asked_nobody"] == ("attach-policy",)
    assert stands(machine).remarks["tried_again"] == ("attach-policy",)


def test_a_run_that_stops_and_continues_has_begun_once(machine):
    for stage in (None, "create-user"):  # the first time, it is stopped at its first step
        with machine.process() as process:
            process.runner.start_or_resume()
            process.runner.begin_stage("create-user")
            if stage:
                process.runner.run_stage(stage)
    assert len(stands(machine).stages[0].attempts) > 1
    assert stands(machine).remarks["tried_again"] == ()


def test_a_proved_claim_stays_proved_when_tried_again_later(machine):
    """`stslab step deploy-role` once the policy is there: the user may assume the role now."""
    with machine.process() as process:
        process.run(last="attach-policy")
    before = stands(machine)
    with machine.process() as process:
        process.runner.start_or_resume()
        with pytest.raises(StslabError, match="does not hold"):
            process.runner.run_stage("deploy-role")
    after = stands(machine)
    assert after.proved == before.proved
    assert [one.outcome for one in after.stages[1].attempts] == ["done", "did not hold"]
    assert after.stages[1].state == "done"


def test_a_step_that_fails_leaves_its_stage_stopped(machine):
    refused = lambda _n, name: "refuse" if name == "cloudformation.CreateStack" else None  # noqa: E731
    with machine.process(fault=refused) as process, pytest.raises(StslabError):
        process.run()
    told = stands(machine)
    assert [one.state for one in told.stages[:3]] == ["done", "stopped", "not reached"]


def changed(lab: Lab, **check) -> Lab:
    """The lab with another first check in its first stage, as if its file had been edited."""
    first, *others = lab.stages
    checks = (replace(first.checkpoint[0], **check), *first.checkpoint[1:])
    return replace(lab, stages=(replace(first, checkpoint=checks), *others), sha256="edited")


def test_a_lab_made_easier_during_the_run_proves_nothing(machine):
    original = machine.lab
    machine.lab = changed(original, expect="Arn == 'another'")
    with machine.process() as process, pytest.raises(StslabError, match="does not hold"):
        process.run(last="create-user")
    machine.lab = original  # where the check holds
    with machine.process() as process:
        process.run(last="create-user")
    told = stands(machine)
    assert told.claims[0].verdict == "changed"
    assert told.proved == len(original.stages[0].checkpoint) - 1
    assert told.remarks["lab_changed"] == ("create-user",)
    assert [one.lab for one in told.stages[0].attempts] == ["edited", original.sha256]


@pytest.mark.parametrize("said", [{"because": "Other words."}, {"within": 5.0}, {"ask": "other"}])
def test_other_explanations_do_not_change_a_claim(machine, said):
    original = machine.lab
    with machine.process() as process:
        process.run(last="create-user")
    machine.lab = changed(original, **said)
    with machine.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("create-user")
    assert stands(machine).claims[0].verdict == "allowed"
    assert stands(machine).remarks["lab_changed"] == ("create-user",)


def test_the_summary_says_the_same(machine):
    with machine.process() as process:
        process.run()
        process.runner.finish()
    (finished,) = machine.said(RunFinished)
    told = stands(machine)
    assert finished.proved == told.proved == CLAIMS
    assert finished.claims == tuple((one.title, one.says, one.verdict) for one in told.claims)
