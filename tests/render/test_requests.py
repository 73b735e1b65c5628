"""The state of a run below its requests."""

import io
from datetime import UTC, datetime

from rich.console import Console

from stslab.lesson.watch import Now, Status
from stslab.render.requests import drawn
from stslab.render.terminal.paper import Paper


def test_nothing_is_cut_on_a_narrow_terminal() -> None:
    now = datetime(2026, 1, 2, 3, tzinfo=UTC)
    ends = dict.fromkeys(("admin", "partner", "partner-root", "sts"), "")
    stage = Now("r", "assume-role", "guided", "s", "See what the session may do", 5, 6)
    status = Status(True, stage, {"assumed": "2026-01-02T04:00:00Z", **ends}, now)
    text = drawn(Paper(Console(file=io.StringIO(), width=40)), status).plain
    assert max(map(len, text.split("\n"))) == 40
    assert "…" not in text
    for whole in ("may do", "assumed (1 h left)", *ends):
        assert whole in text
