"""JSON lines of a run, for programs."""

import io
import json
from datetime import UTC, datetime

from tests.render.story import story

from stslab.render.jsonl import JsonRenderer


def test_each_event_is_one_json_line_with_kind_and_time():
    stream = io.StringIO()
    render = JsonRenderer(stream, now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    for event in story():
        render(event)
    render.close()
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["event"] for one in records] == [event.kind for event in story()]
    assert {one["at"] for one in records} == {"2026-01-02T03:04:05+00:00"}
    assert records[0]["stages"][0]["id"] == "create-user"
    assert records[3]["call"]["operation"] == "PutUserPolicy"
