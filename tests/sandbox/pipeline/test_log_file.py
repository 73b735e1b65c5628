"""The log's file as commands read it."""

import json
from pathlib import Path

import pytest

from stslab.sandbox.pipeline import log_file


@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 16])
def test_the_newest_event_comes_first_wherever_the_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(log_file, "_PIECE", piece)
    events = [{"eventID": n, "requestID": "ü" * n, "decisions": []} for n in range(9)]
    lines = [json.dumps(one, ensure_ascii=False) for one in events]
    (tmp_path / f"{log_file.NAME}.1").write_text("\n".join([*lines[:4], '{"cut": ']), "utf-8")
    (tmp_path / log_file.NAME).write_text("".join(f"{one}\n" for one in lines[4:]), "utf-8")
    assert [*log_file.newest_first(tmp_path)] == events[::-1]
