"""Solutions by hand: a right one counts in any form, a similar wrong one does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.sandbox.direct import has_ended

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount
from stslab.lab.loader import load
from stslab.lab.model import Lab
from stslab.lab.references import resolve
from stslab.lesson.byhand import ByHand, StageTasks
from stslab.resources import bundled
from stslab.runner.ports import Answer, Call, Credentials
from stslab.runner.run.run import Runner
from stslab.sandbox.state.stacks import Stack

SECONDS = 20.0
CASES = Path(__file__).parent.parent / "cases" / "solutions.yaml"


class Loader(yaml.SafeLoader):
    """A YAML loader with `!template NAME`, the text of a template of the lab."""


Loader.add_constructor(
    "!template",
    lambda _, node: (bundled() / "templates" / str(node.value)).read_text(encoding="utf-8"),
)
PAIRS = yaml.load(CASES.read_text(), Loader=Loader)["pairs"]  # noqa: S506


@pytest.fixture(scope="module")
def lab() -> Lab:
    return load(bundled() / "lab" / "steps.yaml", catalogue=BotocoreCatalogue())


@pytest.fixture(scope="module")
def account() -> InMemoryAccount:
    return InMemoryAccount()


def made(account: InMemoryAccount, runner: Runner, calls: list[Mapping[str, Any]]) -> None:
    kept: dict[str, str] = {}
    for one in calls:
        known = {**runner.scope(), "kept": kept}
        service, _, operation = one["call"].partition(".")
        params = resolve(one["with"], known)
        outcome = account.call(Call(one.get("as", "admin"), service, operation, params))
        assert isinstance(outcome, Answer), outcome
        for stack in account.inside.state.snapshot.everywhere(Stack):
            has_ended(account.inside.engine, stack.stack_id, SECONDS)
        if "keep" in one:
            data = outcome.data.get("Credentials") or outcome.data["AccessKey"]
            credentials = Credentials.found_in(data)
            assert credentials
            account.files.save(one["keep"], credentials)
            kept[one["keep"]] = credentials.access_key_id


def standing(account: InMemoryAccount, lab: Lab, stage_id: str, calls: list[Any]) -> StageTasks:
    account.begin()
    with account.running(lab, lambda _: None) as runner:
        stage = lab.stage(stage_id)
        assert stage
        for one in lab.stages[: lab.stages.index(stage)]:
            runner.run_stage(one.id)
        runner.begin_stage(stage.id)
        hand = ByHand(runner, account.decide, lambda: ())
        assert not hand.look(stage).done
        made(account, runner, calls)
        return hand.look(stage)


def test_there_are_enough() -> None:
    assert len(PAIRS) >= 20
    assert len({one["title"] for one in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one["title"])
def test_the_right_solution_counts_and_the_wrong_one_does_not(
    pair: Mapping[str, Any], account: InMemoryAccount, lab: Lab
) -> None:
    right = standing(account, lab, pair["stage"], pair["right"])
    assert right.done, right
    wrong = standing(account, lab, pair["stage"], pair["wrong"])
    assert not wrong.done, wrong
