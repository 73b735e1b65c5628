"""A run from end to end, on an account in memory."""

from tests.runner.conftest import STAGES

from stslab.runner.events import (
    CheckFinished,
    RunFinished,
)
from stslab.runner.journal.records import RunState


def test_the_whole_lab_is_proved_and_nothing_is_left(machine):
    before = machine.world.inventory()
    with machine.process() as process:
        run = process.run()
        assert process.journal.run(run).state is RunState.FINISHED
        assert process.runner.stages_done == STAGES
        process.runner.finish()
    assert machine.world.inventory() == before
    assert machine.profiles.names() == ("admin",)
    claims = sum(len(stage.checkpoint) for stage in machine.lab.stages)
    assert [check.held for check in machine.said(CheckFinished)] == [True] * claims
    assert machine.said(RunFinished)[0].outcome == "done"
    assert len(machine.said(RunFinished)[0].proved) == claims
