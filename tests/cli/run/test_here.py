"""What the lesson's first screen says of the account."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stslab.cli.run.here import Here
from stslab.cli.workspace import load_lab
from stslab.home import Home

EMBEDDED = "On the embedded account 111122223333 (exam), on this machine. No AWS account is needed."


@pytest.mark.parametrize(
    ("kind", "place"), [("sandbox", EMBEDDED), ("aws", "On the account 111122223333.")]
)
def test_only_an_embedded_account_has_a_name(tmp_path: Path, kind: str, place: str) -> None:
    info = SimpleNamespace(account="111122223333")
    opened = SimpleNamespace(kind=kind, target=SimpleNamespace(info=info), decide=None)
    workspace = SimpleNamespace(home=Home(tmp_path, "exam"))
    runner = SimpleNamespace(lab=load_lab("assume-role"))
    assert Here(cast("Any", workspace), cast("Any", opened), cast("Any", runner)).place == place
