"""Every fault of every bundled lab changes its cells, and its fix restores them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount, proofs
from stslab.cli.run.break_ import chosen
from stslab.errors import NotOwn, UsageError
from stslab.lab.loader import load
from stslab.lab.model import Lab
from stslab.lab.references import resolve
from stslab.lesson.faults import Faults
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import Broken, FaultState, RunFault
from stslab.runner.ports import Answer, Call, Refusal
from stslab.vocabulary import ADMIN, PARTNER, Gate

PICKED = ["d-0012", "d-0013", "d-0005", "d-0015", "d-0005", "d-0005"]


def lab_of(path: Path) -> Lab:
    return load(path, catalogue=BotocoreCatalogue())


pytestmark = pytest.mark.slow
FIRST = resources.labs_folder() / "steps.yaml"
EACH = [
    pytest.param(path, marks=() if path == FIRST else pytest.mark.soak, id=path.stem)
    for path in resources.bundled_labs()
]


@pytest.fixture(scope="module", params=EACH)
def lab(request: pytest.FixtureRequest) -> Lab:
    return lab_of(request.param)


@pytest.fixture(scope="module")
def found(lab: Lab) -> dict[str, tuple[RunFault, RunFault | None]]:
    """Each fault, and its proof or None."""
    return {
        fault.id: (fault, one if isinstance(one, RunFault) else None) for fault, one in proofs(lab)
    }


def broken(
    lab: Lab, faults: dict[str, RunFault]
) -> Iterator[tuple[Faults, InMemoryAccount, RunFault]]:
    """Each fault, planted in a working set-up."""
    account = InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        bench = Faults(runner, account.files, account.decide, account.control)
        for stage in lab.stages:
            if stage.cleanup:
                continue
            runner.run_stage(stage.id)
            there = [one for one in bench.there(stage.id) if one.id in faults]
            for fault in there:
                as_it_was = account.inside.state.snapshot, account.files.held
                bench.plant(fault)
                yield bench, account, faults[fault.id]
                bench.fix(fault)
                remaining = bench.remaining(faults[fault.id])
                assert not remaining, (fault.id, remaining)
                account.back_to(*as_it_was)


def test_every_declared_fault_is_proved(found: dict[str, tuple[RunFault, RunFault | None]]) -> None:
    assert [fault.id for fault, proved in found.values() if not (fault.derived or proved)] == []


def test_each_fault_changes_its_cells_and_its_fix_restores_them(
    lab: Lab, found: dict[str, tuple[RunFault, RunFault | None]]
) -> None:
    faults = {name: proved for name, (_, proved) in found.items() if proved}
    seen = set()
    for bench, account, fault in broken(lab, faults):
        seen.add(fault.id)
        assert bench.remaining(fault), fault.id  # to do nothing is not a fix
        cell = bench.broken(fault)
        assert cell is not None
        assert (cell.cell, cell.who) in fault.cells
        if fault.derived:  # its report is of what is refused
            assert not cell.verdict.allowed, fault.id
        row = lab.access[cell.cell]
        params = resolve(row.params, bench.runner.scope())
        if not cell.verdict.allowed:
            answer = account.call(Call(cell.who, row.service, row.operation, params))
            assert isinstance(answer, Refusal), (fault.id, answer)
        told = bench.diagnosed(Broken(fault, FaultState.PLANTING, ""), ())
        assert told.gate in {*Gate, ""}
    assert seen == faults.keys()


def test_cleanup_undoes_an_unfixed_fault(
    lab: Lab, found: dict[str, tuple[RunFault, RunFault | None]]
) -> None:
    stage = next(one for one in lab.stages if one.cleanup)
    account, names = InMemoryAccount(), [name for name, (_, proved) in found.items() if proved]
    declared = [name for name in names if not found[name][0].derived]
    for name in (*declared, *names[-1:]):
        account.begin()
        with account.running(lab, lambda _: None) as runner:
            bench = Faults(runner, account.files, account.decide, account.control)
            after = found[name][0].after
            ids = [one.id for one in lab.stages]
            for one in ids[: ids.index(after) + 1]:
                runner.run_stage(one)
            bench.plant(next(one for one in bench.there(after) if one.id == name))
            runner.clean_up(stage)
            assert account.control("GET", "changed")["changed"] == [], name


def test_the_first_lab_has_many_faults_with_stable_ids() -> None:
    lab = lab_of(resources.labs_folder() / "steps.yaml")
    first, second = (
        [fault.id for fault, proved in proofs(lab) if isinstance(proved, RunFault)]
        for _ in range(2)
    )
    assert first == second
    assert len([name for name in first if name.startswith("d-")]) >= 12
    assert len({*first}) == len(first)


def test_only_a_derived_fault_on_the_embedded_account_lets_in_another_account() -> None:
    lab, account = lab_of(FIRST), InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        bench = Faults(runner, account.files, account.decide, account.control)
        for stage in lab.stages[:-1]:
            runner.run_stage(stage.id)
        wrong = [
            one for one in bench.there(lab.stages[-2].id)
            if f"{PARTNER}:root" in str(one.change)
        ]  # fmt: skip
        (call,) = wrong[0].change
        assert [one.derived for one in wrong] == [True]
        assert wrong[0].fix[0].lets_in == ""
        assert bench.proved(wrong[0]) is not None
        for other in (replace(call, lets_in=""), replace(call, lets_in="999988887777")):
            with pytest.raises(NotOwn, match=f"would let in arn:aws:iam::{PARTNER}:root"):
                runner.work.calls.once(other)
        elsewhere = Work(replace(runner.run, kind="aws"), runner._journal, runner._calls)
        with pytest.raises(NotOwn, match="would let in"):
            elsewhere.require(call)


def test_a_seed_is_the_same_for_everybody() -> None:
    lab = lab_of(resources.labs_folder() / "steps.yaml")
    faults = [RunFault(f"d-{number:04}", "", "", True) for number in range(20)]
    picked = [chosen(lab, faults, f"--seed {seed}").id for seed in range(6)]
    assert picked == PICKED
    with pytest.raises(UsageError, match="has no fault d-none"):
        chosen(lab, faults, "--fault d-none")
    with pytest.raises(UsageError, match="no fault that can be proved"):
        chosen(lab, [], "--seed 1")


@pytest.mark.parametrize("path", resources.bundled_labs(), ids=lambda path: path.stem)
def test_after_each_stage_all_that_was_proved_holds_or_was_changed_by_the_lab(path: Path) -> None:
    lab = lab_of(path)
    with InMemoryAccount().running(lab, lambda _: None) as runner:
        for at, stage in enumerate(lab.stages[:-1], 1):
            runner.run_stage(stage.id)
            for earlier in lab.stages[:at]:
                runner.check_stage(earlier.id)


@contextmanager
def with_a_fault() -> Iterator[tuple[InMemoryAccount, Faults, RunFault]]:
    """The first lab before its cleanup, and a fault that could be planted."""
    lab, account = lab_of(FIRST), InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        bench = Faults(runner, account.files, account.decide, account.control)
        for stage in lab.stages[:-1]:
            runner.run_stage(stage.id)
        fault = next(bench.there(lab.stages[-2].id))
        yield account, bench, fault


def test_a_fix_that_allows_more_than_an_earlier_stage_proved_is_told() -> None:
    with with_a_fault() as (account, bench, fault):
        asks = next(one for one in bench.policies() if "StsAssumePolicy" in one.called)
        (statement,) = asks.document["Statement"]
        call = asks.write({**asks.document, "Statement": [{**statement, "Resource": "*"}]})
        assert isinstance(account.call(call), Answer)
        (wider,) = (one.says for one in bench.remaining(fault))
        assert wider.startswith(
            "This should be true, and is not: The user's policies allow no other role"
        )
        assert isinstance(account.call(asks.write(asks.document)), Answer)
        surplus = {"UserName": asks.names["UserName"], "PolicyName": "Mine"}
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
        )
        put = Call(ADMIN, "iam", "PutUserPolicy", {**surplus, "PolicyDocument": document})
        assert isinstance(account.call(put), Answer)
        (wider,) = (one.told for one in bench.remaining(fault))
        assert " no other role. What allows it: inline policy Mine of user sts-test" in wider


def test_a_fix_that_lets_in_strangers_is_told_though_no_cell_shows_it() -> None:
    with with_a_fault() as (account, bench, fault):
        assert not bench.remaining(fault)
        trust = next(one for one in bench.policies() if one.writes == "iam.UpdateAssumeRolePolicy")
        (statement,) = trust.document["Statement"]
        stranger = f"arn:aws:iam::{PARTNER}:root"
        users = [*statement["Condition"]["ArnEquals"].values(), stranger]
        wide = {
            **statement,
            "Principal": {"AWS": [statement["Principal"]["AWS"], stranger]},
            "Condition": {"ArnEquals": {"aws:PrincipalArn": users}},
        }
        call = trust.write({**trust.document, "Statement": [wide]})
        assert isinstance(account.call(call), Answer)
        (wider,) = (one.says for one in bench.remaining(fault) if one.limits)
        assert wider == f"{trust.called} reaches beyond the lab, which was not allowed before."


def test_a_statement_too_many_is_explained_by_its_effect() -> None:
    with with_a_fault() as (_, bench, fault):
        before, told = bench.policies(), {}
        for one in bench.there(fault.after):
            if one.id in ("auditors", "cant-read"):
                bench.plant(one)
                told[one.id] = bench.diagnosed(Broken(one, FaultState.PLANTING, ""), before).advice
                bench.fix(one)
        assert "it allows" in told["auditors"]
        assert "a Deny overrides every Allow" in told["cant-read"]
