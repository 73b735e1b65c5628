"""A whole run, on an account in memory."""

import pytest
from msgspec.structs import replace
from tests.runner.conftest import STAGES
from tests.runner.fakes import REFUSE

from stslab.errors import CheckFailed, RunError
from stslab.runner.events import (
    CheckFinished,
    RunFinished,
    StageFinished,
)
from stslab.runner.journal.records import CheckRecord, RunState
from stslab.runner.ports import Reason, Refusal
from stslab.runner.run import checks
from stslab.runner.run.checks import compared
from stslab.vocabulary import Gate


def test_the_whole_lab_is_proved_and_nothing_is_left(machine):
    before = machine.world.everything()
    with machine.process() as process:
        run = process.run()
        assert process.journal.run(run).state is RunState.FINISHED
        assert process.runner.stages_done == STAGES
        process.runner.finish()
    assert machine.world.everything() == before
    assert machine.profiles.names() == ("admin",)
    claims = sum(len(stage.checkpoint) for stage in machine.lab.stages)
    assert [check.held for check in machine.said(CheckFinished)] == [True] * claims
    assert machine.said(RunFinished)[0].outcome == "done"
    assert machine.said(RunFinished)[0].proved == claims


def refusing(machine, reason: Reason | None, **check) -> CheckRecord:
    """A check of a refusal, on an account that gives this reason."""
    first, *others = machine.lab.stages
    claim = replace(first.checkpoint[1], within=None, **check)
    machine.lab = replace(
        machine.lab, stages=(replace(first, checkpoint=(first.checkpoint[0], claim)), *others)
    )
    with machine.process() as process:
        process.runner._tell = lambda _refusal: reason
        process.runner.start_or_resume()
        stage = process.runner.begin_stage("create-user")
        for number in range(len(stage.steps)):
            process.runner.do(stage, number)
        return process.runner.prove(stage, 1)


def test_a_proof_has_no_link_to_the_details_of_a_denial(machine):
    (claim,) = (one for one in machine.lab.stages[0].checkpoint if one.fails)
    link = "Go to https://example.com/a for complete details, or ask with the following id: b1"
    refusal = Refusal(claim.fails[0], f"User: u is not authorized to perform: iam:A. {link}")
    proof = checks._refused(claim, refusal, None).proof
    assert proof == "User: u is not authorized to perform: iam:A. ..."


def test_what_the_sdk_did_not_send_is_not_told_as_an_answer_of_aws(machine):
    (claim,) = (one for one in machine.lab.stages[0].checkpoint if one.fails)
    without, wrong = Refusal("NoCredentials", "no profile"), Refusal("Other", "no", 403)
    assert checks._refused(claim, without, None).why.startswith("The SDK answered NoCredentials,")
    assert checks._refused(claim, wrong, None).why.startswith("AWS answered Other,")


def test_equal_values_of_a_proof_are_counted():
    data = {"Of": [["implicitDeny"] * 18, ["implicitDeny"] * 3]}
    assert compared("Of[0] == `[]`", data) == "Of = 18 times implicitDeny"
    assert compared("Of[1] == `[]`", data).endswith(
        '["implicitDeny", "implicitDeny", "implicitDeny"]'
    )


@pytest.mark.parametrize(
    ("expression", "proof"),
    [
        ("Role.Tags[0].Key == 'a'", "Role.Tags.Key = a"),
        ("Role.Last.Used.Region == 'x'", "Role.Last.Used.Region = x"),
        ("Role.Tags[?Value=='b'].Key == ['a']", 'Role.Tags.Key = ["a"]'),
        ("[Role.Name] == ['r']", "Role.Name = r"),
    ],
)
def test_a_proof_has_the_whole_name_of_what_was_compared(expression, proof):
    tags = [{"Key": "a", "Value": "b"}]
    role = {"Name": "r", "Tags": tags, "Last": {"Used": {"Region": "x"}}}
    assert compared(expression, {"Role": role}) == proof


def test_the_time_of_a_stage_is_from_its_begin_to_its_last_check(machine):
    first = machine.lab.stages[0]
    with machine.process() as process:
        process.runner.start_or_resume()
        stage = process.runner.begin_stage(first.id)
        for number in range(len(stage.steps)):
            process.runner.do(stage, number)
        machine.clock.sleep(130)  # as a learner does
        records = tuple(process.runner.prove(stage, at) for at in range(len(stage.checkpoint)))
        process.runner.end_stage(stage, records)
    assert machine.said(StageFinished)[-1].seconds >= 130


IDENTITY, TRUST = Gate.IDENTITY, Gate.TRUST


def test_a_refusal_for_another_reason_proves_nothing(machine):
    record = refusing(machine, Reason((TRUST,)), by=(IDENTITY,))
    assert (record.held, record.denied, record.gates) == (False, False, (TRUST,))
    (said,) = (one for one in machine.said(CheckFinished) if not one.held)
    assert said.why == "refused by trust policy, where identity policy should refuse"


@pytest.mark.parametrize("reason", [None, Reason((IDENTITY,)), Reason((IDENTITY,), whole=False)])
def test_a_refusal_for_the_expected_or_an_unknown_reason_is_proof(machine, reason):
    record = refusing(machine, reason, by=(IDENTITY,))
    assert (record.held, record.denied) == (True, True)
    assert record.gates == (reason.gates if reason else ())


def test_the_wrong_condition_key_proves_nothing(machine):
    reason = Reason((TRUST,), ("aws:PrincipalArn",))
    assert not refusing(machine, reason, by=(TRUST,), key="sts:ExternalId").held


def places(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def test_a_step_that_fails_names_its_place_in_the_file(machine):
    refused = lambda _n, name: REFUSE if name == "cloudformation.CreateStack" else None  # noqa: E731
    with machine.process(fault=refused) as process, pytest.raises(RunError) as caught:
        process.run()
    line = machine.lab.stage("deploy-role").steps[0].line
    assert places(caught.value) == [f"{machine.lab.path}:{line}"]
    assert "title: Deploy the stack" in machine.lab.path.read_text().splitlines()[line - 1]


def test_a_claim_that_does_not_hold_names_its_place_in_the_file(machine):
    with machine.process() as process:
        process.run(last="deploy-role")
        machine.allows_nothing()
        with pytest.raises(CheckFailed) as caught:
            process.run(last="attach-policy")
    check = machine.lab.stage("attach-policy").checkpoint[0]
    assert places(caught.value) == [f"{machine.lab.path}:{check.line}"]


def test_an_answer_without_a_value_to_save_names_the_expression(machine):
    first, second, *others = machine.lab.stages
    step = replace(second.steps[1], save={"role_arn": "Stacks[0].Nothing"})
    changed = replace(second, steps=(second.steps[0], step))
    machine.lab = replace(machine.lab, stages=(first, changed, *others))
    with machine.process() as process, pytest.raises(RunError) as caught:
        process.run()
    assert "the answer does not have Stacks[0].Nothing (for role_arn)" in caught.value.message
    assert places(caught.value) == [f"{machine.lab.path}:{step.line}"]
