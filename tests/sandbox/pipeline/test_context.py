"""Rows of context.yaml: the condition keys of a call, with their values."""

from __future__ import annotations

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import decisions_of, rows


@pytest.mark.parametrize("row", rows("context.yaml"), ids=lambda row: row["name"])
def test_a_call_has_these_keys_and_not_those(deciding: Direct, row) -> None:
    assert row["source"]
    decided = decisions_of(deciding, row)
    wanted = row.get("action")
    context = next(one["context"] for one in decided if wanted in (None, one["action"]))
    assert {key: context.get(key) for key in row.get("keys", {})} == row.get("keys", {})
    assert [key for key in row.get("absent", ()) if key in context] == []
    assert [key for key in row.get("has", ()) if not context.get(key)] == []
