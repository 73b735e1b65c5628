"""Fixtures: the bundled lab, and a process that runs it on a small account in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import pytest
from tests.runner.fake_world import World
from tests.runner.fakes import FakeAccount, FakeClock, FakeProfiles, TickingJournal

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import aws_command
from stslab.lab import listing, loader
from stslab.lab.model import Lab
from stslab.runner.calls.calls import Calls
from stslab.runner.events import Event
from stslab.runner.ports import Hand
from stslab.runner.run.run import Runner
from stslab.runner.undo.cleanup import Cleanup

STAGES = (
    "create-user",
    "deploy-role",
    "attach-policy",
    "assume-role",
    "verify-access",
    "cleanup",
)


ASSUME_ROLE = loader.load(listing.find("assume-role"), catalogue=BotocoreCatalogue())
CLAIMS = sum(len(stage.checkpoint) for stage in ASSUME_ROLE.stages)


@pytest.fixture(scope="session")
def assume_role() -> Lab:
    return ASSUME_ROLE


@dataclass
class Machine:
    """The parts that outlive a process: the account, the profiles, the journal file."""

    lab: Lab
    folder: Path
    world: World = field(default_factory=World)
    profiles: FakeProfiles = field(default_factory=FakeProfiles)
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)
    hand: Hand = field(default_factory=Hand)
    ids: int = 0

    def process(self, **account) -> "Process":
        return Process(self, FakeAccount(self.world, self.profiles, **account))

    def allows_nothing(self) -> None:
        """Make IAM's simulator deny everything from now on."""
        vars(self.world)["iam_simulate_principal_policy"] = lambda **_: {
            "EvaluationResults": [{"EvalDecision": "implicitDeny"}]
        }

    def allows_again(self) -> None:
        del vars(self.world)["iam_simulate_principal_policy"]

    def new_id(self) -> str:
        self.ids += 1
        return f"run{self.ids:05d}"

    def said(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


class Process:
    """One process: a runner and a cleanup on the machine."""

    def __init__(self, machine: Machine, account: FakeAccount) -> None:
        self.machine = machine
        self.account = account
        tick: Callable[[str], None] = account.tick
        self.journal = TickingJournal(machine.folder / "journal.sqlite", machine.clock, tick)
        here = machine.profiles, machine.events.append, machine.clock, machine.hand
        calls = partial(Calls, account, *here)
        self.runner = Runner(
            machine.lab, calls(), self.journal, describe=aws_command, new_id=machine.new_id
        )
        self.cleanup = Cleanup(self.journal, calls(), describe=aws_command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def run(self, *, last: str = "cleanup") -> str:
        """Do every stage that is not done, up to ``last``. Return the run's id."""
        self.runner.start_or_resume()
        stages = [stage.id for stage in self.machine.lab.stages]
        for stage in stages[: stages.index(last) + 1]:
            if stage not in self.runner.stages_done:
                self.runner.run_stage(stage)
        return self.runner.run.id

    def clean_up(self) -> None:
        """Undo every unfinished run, like `stslab cleanup`."""
        for run in self.journal.unfinished():
            self.cleanup.run(run.id)


@pytest.fixture
def machine(assume_role: Lab, tmp_path: Path) -> Machine:
    return Machine(assume_role, tmp_path)
