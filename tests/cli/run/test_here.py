"""What the lesson's first screen says of the account, and its shell."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from stslab.cli.run.exercises import FaultExercise
from stslab.cli.run.here import Here, goes_on
from stslab.cli.workspace import load_lab
from stslab.home import Home

EMBEDDED = "On the embedded account 111122223333 (exam), on this machine. No AWS account is needed."


@pytest.mark.parametrize(
    ("kind", "place"), [("sandbox", EMBEDDED), ("aws", "On the account 111122223333.")]
)
def test_only_an_embedded_account_has_a_name(tmp_path: Path, kind: str, place: str) -> None:
    assert here(tmp_path, kind).place == place


def here(folder: Path, kind: str = "sandbox") -> Here:
    info = SimpleNamespace(account="111122223333", region="us-east-1")
    opened: Any = SimpleNamespace(kind=kind, target=SimpleNamespace(info=info), decide=None)
    opened.hand, opened.profiles = None, SimpleNamespace(written=tuple)
    journal = SimpleNamespace(written_by_others=0)
    workspace: Any = SimpleNamespace(home=Home(folder, "exam"), journal=journal)
    runner: Any = SimpleNamespace(lab=load_lab("assume-role"))
    return Here(workspace, opened, runner)


def test_a_line_that_is_too_long_for_the_system_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "names", lambda _: {})
    monkeypatch.setattr("stslab.aws.environment.variables", lambda *_: {})
    said = here(tmp_path).shell(f"echo {'x' * 200_000}", "admin")
    assert said == "The shell can't run that: Argument list too long."


@pytest.mark.parametrize("line", ["nope", "echo (", "echo 'x", "-x"])
def test_an_error_of_the_shell_is_about_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.setattr(Here, "names", lambda _: {})
    monkeypatch.setattr("stslab.aws.environment.variables", lambda *_: {})
    assert here(tmp_path).shell(line, "admin") == ""
    said = capfd.readouterr().err
    assert "line 1: " in said
    assert "trap" not in said


def test_a_line_has_no_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Here, "names", lambda _: {})
    monkeypatch.setattr("stslab.aws.environment.variables", lambda *_: {})
    assert here(tmp_path).shell('echo "$#: $*"; set -- a; echo $1', "admin") == ""
    assert capfd.readouterr().out == "0: \na\n"


WHOLE = [
    "", "aws iam list-users", "echo 'a\\'", "echo a\\\\", "# don't", "aws x # isn't", "echo $((1<<2))", "cat <<'E'\n'\nE", "aws \\\n", "for i in a; do echo; done", "echo )", "echo ) 'a",
    "for i in a; do echo; done EOF", "echo (end-of-file", "ls a\\ ",
]  # fmt: skip
OPEN = [
    "it's", 'echo "a', "aws iam \\", "aws iam \\\\\\", "aws \\\n  --a 'b", "cat <<EOF", "cat <<'E'\nE '",
    "echo `a", "echo $(a", "for i in a; do", "a |", "a &&", "echo ${a", "echo $((1", "echo \ud800\udce9 '",
]  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "/bin/sh"])
def test_a_text_goes_on_where_a_shell_waits_for_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: str
) -> None:
    monkeypatch.setattr("stslab.cli.run.here._SHELL", shell)
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()  # the shell says so first
    assert [text for text in WHOLE if goes_on(text)] == []
    assert [text for text in OPEN if not goes_on(text)] == []


def test_the_status_line_has_only_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = here(tmp_path)
    place: Any = lambda _: SimpleNamespace(account="111122223333")  # noqa: E731
    runner: Any = one.runner
    runner.stages_done, runner.work = (), SimpleNamespace(place_of=place)
    workspace: Any = one.workspace
    monkeypatch.setattr(Here, "_left", lambda *_: "")
    lines = {}
    for width in (80, 40, 30):
        workspace.paper = SimpleNamespace(console=SimpleNamespace(width=width))
        lines[width] = one._status_line(None, "assumed", plain=False)
    assert lines[80].endswith("embedded account 111122223333   why  hint  access  help")
    assert lines[40].endswith("assumed   111122223333")
    assert lines[30].endswith("assumed   help")
    workspace.paper = SimpleNamespace(console=SimpleNamespace(width=80))
    for accounts, shown in (((), "account 111122223333"), (("partner",), "account   why")):
        runner.lab = replace(one.lab, accounts=accounts)  # at a question: whose is it?
        one.lab = runner.lab
        assert shown in one._status_line(None, "", plain=False)
    runner.stages_done = (one.lab.stages[0].id,)  # as in the second stage, which Enter goes on with
    for stage in (None, one.lab.stages[1]):
        assert one._status_line(stage, "", plain=True).startswith(" stage 2 of 6 ")


def test_the_status_line_of_a_fault_is_cut_in_no_word(tmp_path: Path) -> None:
    stands: Any = SimpleNamespace(asked="--seed 98", at=datetime.now(UTC).isoformat())
    one: Any = SimpleNamespace(stands=stands, done=False, here=here(tmp_path))
    for width, ends in ((80, "   why  hint  solve  help"), (40, "s   help"), (18, " s")):
        one.here.workspace.paper = SimpleNamespace(console=SimpleNamespace(width=width))
        line = FaultExercise.status(one)
        assert line.startswith(" --seed 98   ")
        assert line.endswith(ends)
