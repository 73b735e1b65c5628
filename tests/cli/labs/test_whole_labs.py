"""Small labs, one for each part of the format: linted, run, mutated, and checked for leftovers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.accounts import lend_partner
from stslab.cli.in_memory import InMemoryAccount, QuickClock
from stslab.cli.labs.mutation import play
from stslab.cli.main import cli
from stslab.errors import NotOwn, UsageError
from stslab.lab.embedded import embedded_only
from stslab.lab.loader import load
from stslab.lab.model import Lab
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.work import Work
from stslab.runner.events import Event, StepDrifted
from stslab.runner.journal.records import EntryState
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Call, Credentials, TargetInfo
from stslab.runner.run.run import Runner
from stslab.runner.run.scope import new_run

LABS = Path(__file__).parent.parent.parent / "cases" / "lab" / "whole"
CATALOGUE = BotocoreCatalogue()
AWS = TargetInfo("aws", "aws", "111122223333", "us-east-1")


def lab_of(name: str) -> Lab:
    return load(LABS / f"{name}.yaml", catalogue=CATALOGUE)


@pytest.fixture(scope="module")
def shared() -> InMemoryAccount:
    return InMemoryAccount()


@pytest.fixture
def account(shared: InMemoryAccount) -> InMemoryAccount:
    shared.begin()
    return shared


@contextmanager
def running(
    lab: Lab, account: InMemoryAccount, file: Path, hear: Callable[[Event], None] = lambda _: None
) -> Iterator[Runner]:
    if lab.accounts:
        lend_partner(account.control, account.files)
    with Journal(file) as journal:
        runner = Runner(
            lab, Calls(account, account.files, hear, QuickClock()), journal,
            describe=lambda _: "", tell=account.tell,
        )  # fmt: skip
        runner.start_or_resume()
        yield runner


def offset(account: InMemoryAccount) -> float:
    found: float = account.control("GET", "clock")["offset"]
    return found


@pytest.mark.parametrize("file", sorted(LABS.glob("*.yaml")), ids=lambda one: one.stem)
def test_it_holds_and_leaves_nothing(file: Path, shared: InMemoryAccount):
    played = play(lab_of(file.stem), shared)
    assert (played.failed, played.stopped, played.left) == (set(), {}, ())
    assert (offset(shared), shared.files.token()) == (0, "")
    assert set(shared.files.names()) <= {"admin", "partner"}


def test_the_clock_goes_back_to_where_it_was(account: InMemoryAccount, tmp_path: Path):
    account.control("POST", "clock", {"offset": 500.0})
    with running(lab_of("timed"), account, tmp_path / "journal") as runner:
        runner.run_stage("device")
        assert offset(account) == 560
        runner.run_stage("cleanup")
    assert offset(account) == 500


def test_a_move_with_a_lost_answer_moves_the_clock_once(
    account: InMemoryAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lab = lab_of("timed")
    stage = lab.stages[0]
    last = len(stage.steps) - 1
    control = account.control

    def killed(method: str, verb: str, body: object = None) -> dict[str, object]:
        said = control(method, verb, body)  # type: ignore[arg-type]
        if (method, verb) == ("POST", "clock"):
            raise KeyboardInterrupt
        return said

    with running(lab, account, tmp_path / "journal") as runner:
        for number in range(last):
            runner.do(stage, number)
        monkeypatch.setattr(account, "_control", killed)
        with pytest.raises(KeyboardInterrupt):
            runner.do(stage, last)
    monkeypatch.undo()
    assert offset(account) == 60
    with running(lab, account, tmp_path / "journal") as runner:
        runner.do(stage, last)
        assert offset(account) == 60
        runner.run_stage("cleanup")
    assert offset(account) == 0


def test_a_token_is_in_no_journal_and_no_event(account: InMemoryAccount, tmp_path: Path):
    lab, events = lab_of("oidc"), list[Event]()
    with running(lab, account, tmp_path / "journal", events.append) as runner:
        for stage in lab.stages[:2]:
            runner.run_stage(stage.id)
        token = account.files.token()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.count(".") == 2
    assert token.encode() not in written
    assert token.split(".")[2].encode() not in written
    assert token not in str(events)


def test_a_missing_token_is_requested_again(account: InMemoryAccount, tmp_path: Path):
    lab, events = lab_of("oidc"), list[Event]()
    with running(lab, account, tmp_path / "journal") as runner:
        runner.run_stage("provider")
        runner.do(lab.stages[1], 0)
    account.files.save_token("")
    with running(lab, account, tmp_path / "journal", events.append) as runner:
        runner.run_stage("token")
    assert [one.what for one in events if isinstance(one, StepDrifted)] == ["The token is gone"]


def test_a_session_that_a_move_of_the_clock_ended_is_not_renewed(
    account: InMemoryAccount, tmp_path: Path
):
    lab, events = lab_of("timed"), list[Event]()
    with running(lab, account, tmp_path / "journal") as runner:
        for stage in ("device", "session"):
            runner.run_stage(stage)
        runner.do(lab.stages[3], 0)
    with running(lab, account, tmp_path / "journal", events.append) as runner:
        runner.run_stage("later")  # raises if a claim does not hold
    assert not [one for one in events if isinstance(one, StepDrifted)]


def test_a_passed_now_is_not_a_difference(account: InMemoryAccount, tmp_path: Path):
    lab = lab_of("timed")
    with running(lab, account, tmp_path / "journal") as runner:
        for stage in ("device", "session", "revoke"):
            runner.run_stage(stage)
        account.control("POST", "clock", {"seconds": 5})
    with running(lab, account, tmp_path / "journal") as runner:
        assert runner.drift("revoke") == ()


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("partner", ()),
        (
            "profiles",
            ("moves the account's clock", "asks for a token", "uses codes of MFA devices"),
        ),
        ("oidc", ("asks for a token",)),
        (
            "timed",
            (
                "moves the account's clock",
                "uses the account's time",
                "uses codes of MFA devices",
            ),
        ),
    ],
)
def test_elsewhere_the_lab_is_refused_before_it_begins(name: str, needs: tuple[str, ...]):
    lab = lab_of(name)
    assert embedded_only(lab) == needs
    if not needs:
        return
    with pytest.raises(UsageError, match="embedded account only"):
        new_run(lab, AWS, "run00001", QuickClock().now(), ())


def test_the_journal_has_what_to_undo(account: InMemoryAccount, tmp_path: Path):
    with running(lab_of("timed"), account, tmp_path / "journal") as runner:
        runner.run_stage("device")
        run = runner.run.id
    with Journal(tmp_path / "journal") as journal:
        move = journal.past(run).entries()[-1]
    assert (move.call, move.state) == ("embedded.MoveClock", EntryState.DONE)
    assert [(one.name, one.params) for one in move.undo] == [("embedded.SetClock", {"Offset": 0.0})]


def test_a_call_as_a_profile_that_assumes_a_foreign_role_is_not_sent(
    account: InMemoryAccount, tmp_path: Path
):
    with running(lab_of("partner"), account, tmp_path / "journal") as runner:
        run = runner.run
    for source, role in (("admin", "role/prod"), ("vendor", "role/prod")):
        said = {"role_arn": f"arn:aws:iam::111122223333:{role}", "source_profile": source}
        account.files.configure("reader", said)
        with Journal(tmp_path / "journal") as journal:
            calls = Calls(account, account.files, lambda _: None, QuickClock())
            Work(run, journal, calls)
            with pytest.raises(NotOwn, match="which is not the run's own"):
                calls.make(Call("reader", "iam", "ListUsers", {}))
    assert not calls.made


def test_the_code_of_a_profiles_mfa_device_is_used(account: InMemoryAccount, tmp_path: Path):
    lab = lab_of("profiles")
    with running(lab, account, tmp_path / "journal") as runner:
        for stage in lab.stages[:2]:
            runner.run_stage(stage.id)
        assert set(account.files.settings) == {"reader", "exported", "pipeline"}
        reader = account.credentials("reader")
        assert reader
        assert reader.access_key_id.startswith("ASIA")
        assert account.credentials("reader") == reader
        runner.run_stage("cleanup")
    assert not account.files.settings


def test_a_profile_is_resolved_after_a_resume(account: InMemoryAccount, tmp_path: Path):
    lab = lab_of("profiles")
    with running(lab, account, tmp_path / "journal") as runner:
        runner.run_stage("user")
    with running(lab, account, tmp_path / "journal") as runner:
        runner.run_stage("role")  # raises if a claim does not hold


def test_a_profile_that_no_step_adopted_is_removed_too(account: InMemoryAccount, tmp_path: Path):
    lab = lab_of("oidc")
    with running(lab, account, tmp_path / "journal") as runner:
        runner.run_stage("provider")
        account.files.save("pipeline", Credentials("ASIAEXAMPLE", "secret", "token"))
        runner.run_stage("cleanup")  # raises if a claim does not hold
    assert "pipeline" not in account.files.names()


@pytest.mark.parametrize("name", ["oidc", "partner", "profiles", "timed"])
@pytest.mark.parametrize("way", ["run --dry-run", "show --markdown", "show --table"])
def test_a_lab_is_shown_without_being_run(
    name: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    command, flag = way.split()
    shown = CliRunner().invoke(cli, [command, str(LABS / f"{name}.yaml"), flag])
    assert shown.exit_code == 0, shown.output
    assert "Undo everything" in shown.output


@pytest.mark.parametrize(("name", "code"), [("partner", 0), ("timed", 2)])
def test_a_dry_run_elsewhere(name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    path = str(LABS / f"{name}.yaml")
    shown = CliRunner().invoke(cli, ["run", path, "--dry-run", "--target", "aws"])
    assert getattr(shown.exception, "exit_code", shown.exit_code) == code, shown.output
