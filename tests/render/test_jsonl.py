"""JSON lines of a run, for programs."""

import io
import json
from datetime import UTC, datetime

from tests.render.story import story

from stslab.render.jsonl import JsonRenderer


def test_each_event_is_one_json_line_with_kind_and_time():
    stream = io.StringIO()
    began = datetime.now(UTC)
    render = JsonRenderer(stream)
    for event in story():
        render(event)
    render.close()
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["event"] for one in records] == [event.kind for event in story()]
    times = [began, *(datetime.fromisoformat(one["at"]) for one in records), datetime.now(UTC)]
    assert times == sorted(times)
    assert records[0]["stages"][0]["id"] == "create-user"
    assert records[3]["call"]["operation"] == "PutUserPolicy"
