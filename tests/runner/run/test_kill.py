"""A run that was killed at any point can be undone, and can continue to its end."""

import pytest
from tests.runner.conftest import Machine
from tests.runner.fake_world import World
from tests.runner.fakes import FakeClock, Killed

from stslab.runner.events import CheckFinished
from stslab.runner.journal.records import RunState

OTHERS = {"Key": "stslab:run", "Value": "run00009"}


class Killer:
    """Ends the process at the n-th moment before or after a call or a journal write."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.moments: list[str] = []

    def __call__(self, what: str) -> None:
        self.moments.append(what)
        if len(self.moments) == self.at:
            raise Killed(what)


def lookalikes() -> World:
    """An account with other people's things, some similar to the run's."""
    world = World()
    world.iam_create_user("sts-test-user-run00009", [OTHERS])
    world.iam_create_access_key("sts-test-user-run00009")
    world.iam_create_user("sts-test-user-run00001-not", [OTHERS])
    world.iam_put_user_policy("sts-test-user-run00009", "StsAssumePolicy", "{}")
    bucket = {"ParameterKey": "BucketName", "ParameterValue": "sts-example-run00009"}
    world.cloudformation_create_stack("my-sts-stack-run00009", [bucket], [OTHERS])
    world.s3_put_object("sts-example-run00009", "hello.txt")
    return world


def new_machine(lab, folder) -> Machine:
    return Machine(lab, folder, world=lookalikes(), clock=FakeClock())


def killed_run(machine: Machine, killer: Killer) -> None:
    try:
        with machine.process(tick=killer) as process:
            process.run()
    except Killed:
        return


def moments_of(lab, folder) -> list[str]:
    killer = Killer()
    killed_run(new_machine(lab, folder), killer)
    return killer.moments


@pytest.fixture(scope="module")
def moments(assume_role, tmp_path_factory) -> list[str]:
    return moments_of(assume_role, tmp_path_factory.mktemp("whole"))


def chosen(moments: list[str], every: int) -> range:
    return range(1, len(moments) + 1, every)


def assert_only_others_left(machine: Machine) -> None:
    assert machine.world.everything() == lookalikes().everything()
    assert machine.profiles.names() == ("admin",)


def assert_no_secret_kept(machine: Machine) -> None:
    kept = b"".join(path.read_bytes() for path in machine.folder.iterdir())
    told = repr(machine.events)
    for secret in machine.world.secrets:
        assert secret.encode() not in kept
        assert secret not in told


def clean_up_after(lab, folder, at: int) -> None:
    machine = new_machine(lab, folder)
    killed_run(machine, Killer(at))
    with machine.process() as process:
        process.clean_up()
        assert process.journal.unfinished() == ()
    assert_only_others_left(machine)
    assert_no_secret_kept(machine)


def go_on_after(lab, folder, at: int) -> None:
    machine = new_machine(lab, folder)
    killed_run(machine, Killer(at))
    with machine.process() as process:
        run = process.run()
        found = process.journal.run(run)
        assert found
        assert found.state is RunState.FINISHED
    assert all(check.held for check in machine.said(CheckFinished))
    assert_only_others_left(machine)
    assert_no_secret_kept(machine)


def kill_the_cleanup_too(lab, folder, at: int) -> None:
    """A run that was killed late, whose cleanup is killed too, and then runs to its end."""
    machine = new_machine(lab, folder)
    with machine.process() as process:
        process.run(last="verify-access")
    try:
        with machine.process(tick=Killer(at)) as process:
            process.clean_up()
    except Killed:
        pass
    with machine.process() as process:
        process.clean_up()
    assert_only_others_left(machine)


TRIALS = pytest.mark.parametrize("trial", [clean_up_after, go_on_after, kill_the_cleanup_too])


@pytest.mark.slow
@TRIALS
def test_killed_at_a_sample_of_points(assume_role, moments, tmp_path, trial):
    for at in chosen(moments, 29):
        folder = tmp_path / str(at)
        folder.mkdir()
        trial(assume_role, folder, at)


@pytest.mark.soak
@TRIALS
def test_killed_at_every_point(assume_role, moments, tmp_path, trial):
    assert len(moments) > 200
    for at in chosen(moments, 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        trial(assume_role, folder, at)


@pytest.mark.soak
def test_killed_twice_and_resumed(assume_role, moments, tmp_path):
    for at in chosen(moments, 7):
        for later in range(1, 60, 6):
            folder = tmp_path / f"{at}-{later}"
            folder.mkdir()
            machine = new_machine(assume_role, folder)
            killed_run(machine, Killer(at))
            killed_run(machine, Killer(later))
            with machine.process() as process:
                process.run()
            assert_only_others_left(machine)
