"""The report of a run, from its journal alone."""

import json

import pytest
from msgspec.structs import replace
from tests.runner.conftest import CLAIMS, STAGES, Machine
from tests.runner.fakes import REFUSE

from stslab.errors import JournalError
from stslab.render.report.html import page_of
from stslab.render.report.text import as_markdown
from stslab.runner.journal.records import WHY, Broken, FaultState, Hint, Prediction, RunFault
from stslab.runner.journal.store import Journal
from stslab.runner.report import Report, report


def told(machine: Machine, run: str) -> Report:
    with Journal(machine.folder / "journal.sqlite") as journal:
        return report(journal.past(run), journal.links(run))


def test_a_whole_run(machine: Machine):
    with machine.process() as process:
        run = process.run()
    whole = told(machine, run)
    stands = whole.standing
    assert whole.clean
    assert stands.proved == len(stands.claims) == CLAIMS
    assert whole.remaining == ()
    assert [(one.id, one.state) for one in stands.stages] == [(each, "done") for each in STAGES]
    things = [one.thing for one in whole.removed]
    assert things[-1] == f"IAM user sts-test-user-{run}"
    assert f"CloudFormation stack my-sts-stack-{run}" in things
    assert any(one.startswith("S3 bucket") for one in things)
    verdicts = {one.says: (one.verdict, one.code) for one in stands.claims}
    assert verdicts["It may not list your buckets"] == ("denied", "AccessDenied")
    assert verdicts["The sts profile is the new user"] == ("allowed", "")
    assert "nothing is left in the account" in as_markdown(whole)


def test_a_stopped_run_lists_what_is_left(machine: Machine):
    with machine.process() as process:
        run = process.run(last="deploy-role")
    stopped = told(machine, run)
    assert not stopped.clean
    assert f"IAM user sts-test-user-{run}" in stopped.remaining
    assert stopped.removed == ()
    assert stopped.seconds is None
    assert f"{2 + 7} of {CLAIMS} claims proved" in as_markdown(stopped)
    assert "not reached: attach-policy, assume-role, verify-access, cleanup" in as_markdown(stopped)


def test_a_claim_that_does_not_hold_is_not_proved(machine: Machine):
    with machine.process() as process:
        run = process.run(last="deploy-role")
        machine.allows_nothing()
        with pytest.raises(Exception, match="does not hold"):
            process.run()
    claims = [one for one in told(machine, run).standing.claims if one.stage == "attach-policy"]
    assert [one.verdict for one in claims] == ["not proved"] + ["allowed"] * 4


def test_a_reading_call_changes_nothing(machine: Machine):
    with machine.process() as process:
        run = process.run()
    calls = {one.call: (one.outcome, bool(one.changes)) for one in told(machine, run).calls}
    assert calls["cloudformation.CreateStack"] == ("done", True)
    assert calls["cloudformation.DescribeStacks"] == ("done", False)
    assert "| nothing | Read it back | done |" in as_markdown(told(machine, run))


def test_a_fault_is_named_once_it_is_fixed(machine: Machine):
    fault = RunFault("d-1", "Nobody gets in.", "create-user", derived=True)
    planted = Broken(fault, FaultState.PLANTED, "--seed 7", where="the Action of its statement")
    with machine.process() as process:
        run = process.run(last="create-user")
        for one in (Hint("create-user", WHY, 0), planted, replace(planted, tries=2, opened=True)):
            process.journal.write(run, one)
    before = told(machine, run)
    page = as_markdown(before)
    assert "| by | stslab break assume-role --seed 7 |" in page
    assert "not fixed yet" in page
    for text in (page, page_of(before, {}), json.dumps(before.as_dict()["fault"])):
        assert "Nobody gets in" not in text
        assert "the Action" not in text
    with Journal(machine.folder / "journal.sqlite") as journal:
        journal.write(run, replace(planted, state=FaultState.FIXED, solved=True))
    after = told(machine, run)
    assert "2 tries, 1 why, solve, opened too much" in as_markdown(after)
    for text in (as_markdown(after), page_of(after, {}), json.dumps(after.as_dict()["fault"])):
        assert "Nobody gets in" in text
        assert "the Action of its statement" in text


def test_predictions_by_concept(machine: Machine):
    said = [("who decides", True), ("who decides", False), ("an ARN", True)]
    with machine.process() as process:
        run = process.run(last="create-user")
        for number, (concept, right) in enumerate(said):
            process.journal.write(run, Prediction("create-user", number, concept, "denied", right))
        process.journal.write(run, Hint("create-user", 0, 2))
    predicted = told(machine, run)
    assert [(one.name, one.right, one.of) for one in predicted.predictions] == [
        ("who decides", 1, 2),
        ("an ARN", 1, 1),
    ]
    page = as_markdown(predicted)
    assert "| who decides | 1 of 2 right |" in page
    assert "| hints | 1 |" in page


def test_an_unknown_gate_is_marked_as_unknown(machine: Machine):
    """The account in memory names no gate in its messages, as AWS often does not."""
    with machine.process() as process:
        run = process.run(last="create-user")
    page = as_markdown(told(machine, run))
    assert "| denied, as it should be; AWS did not say which gate |" in page


def test_a_refused_call_is_marked(machine: Machine):
    fault = lambda _n, name: REFUSE if name == "cloudformation.CreateStack" else None  # noqa: E731
    with machine.process(fault=fault) as process, pytest.raises(Exception, match="AccessDenied"):
        process.run()
    (run,) = (one.id for one in runs(machine))
    (call,) = (one for one in told(machine, run).calls if one.call == "cloudformation.CreateStack")
    assert call.outcome == "refused"
    assert not any("stack" in one for one in told(machine, run).remaining)


def test_json_and_markdown_hold_no_secret(machine: Machine):
    with machine.process() as process:
        run = process.run(last="verify-access")
    secrets = {one.secret_access_key for one in machine.profiles.kept.values()}
    whole = told(machine, run)
    texts = json.dumps(whole.as_dict()), as_markdown(whole)
    assert json.loads(texts[0])["run"]["id"] == run
    assert all(secret not in text for secret in secrets for text in texts)
    table = [line for line in texts[1].splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in table)
    assert "denied, as it should be" in texts[1]


def test_an_unknown_run_has_no_report(machine: Machine):
    with pytest.raises(JournalError, match="no run nothere0"):
        told(machine, "nothere0")


def runs(machine: Machine):
    with Journal(machine.folder / "journal.sqlite") as journal:
        return journal.runs()
