"""What the lesson's first screen says of the account, and its shell."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stslab.cli.run.here import Here
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
    opened.hand, opened.profiles = None, SimpleNamespace()
    workspace: Any = SimpleNamespace(home=Home(folder, "exam"))
    runner: Any = SimpleNamespace(lab=load_lab("assume-role"))
    return Here(workspace, opened, runner)


def test_a_line_that_is_too_long_for_the_system_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "names", lambda _: {})
    monkeypatch.setattr("stslab.aws.environment.variables", lambda *_: {})
    said = here(tmp_path).shell(f"echo {'x' * 200_000}", "admin")
    assert said == "The shell can't run that: Argument list too long."
