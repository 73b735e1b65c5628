"""`stslab sandbox start --rehearse`, and a run that meets what it rehearses."""

import json

import pytest
from tests.e2e.machine import Machine

pytestmark = pytest.mark.slow


def rehearsed(machine: Machine) -> str:
    return str(json.loads(machine.stslab("sandbox", "status", "--json").out)["rehearsing"])


def test_a_run_shows_what_it_waits_for(machine: Machine):
    assert machine.stslab("sandbox", "start", "--rehearse=seed=2,keys=2s,throttle=0.2").code == 0
    assert rehearsed(machine) == "seed=2,keys=2s,throttle=0.2"
    done = machine.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert "InvalidClientTokenId" in done.out
    assert "Throttling" in done.out
    assert machine.stslab("sandbox", "start", "--rehearse=off").code == 0
    assert rehearsed(machine) == ""


def test_alone_it_is_the_usual_measure(machine: Machine):
    assert machine.stslab("sandbox", "start", "--rehearse").code == 0
    assert "reset-after=0.01" in rehearsed(machine)


def test_what_makes_no_sense_starts_nothing(machine: Machine):
    done = machine.stslab("sandbox", "start", "--rehearse=keys=soon")
    assert done.code == 2
    assert "keys=3s" in done.err
    assert json.loads(machine.stslab("sandbox", "status", "--json").out)["running"] is False
