"""The events of a stack, as clients read them."""

from __future__ import annotations

import re
import uuid

import pytest
from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET
from tests.sandbox.direct import Direct, has_ended

from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.state.stacks import StackEvent
from stslab.vocabulary import LEARNER


def test_no_two_events_have_the_same_time(lab: Harness) -> None:
    """So a client that asks for events after the newest known one, as `sam deploy`, misses none."""
    lab.deploy(BUCKET)
    lab.delete("demo")
    events = lookups.events(lab.state.snapshot, lab.stacks[0])
    times = [event.at for event in events]
    assert times == sorted(set(times))
    assert not any(time.microsecond % 1000 for time in times)


def test_times_are_written_to_the_millisecond(direct: Direct) -> None:
    bodies: list[str] = []
    client = direct.client("cloudformation")
    client.meta.events.register(
        "after-call.cloudformation", lambda http_response, **_: bodies.append(http_response.text)
    )
    stack_id = client.create_stack(StackName="demo", TemplateBody=BUCKET)["StackId"]
    has_ended(direct.inside.engine, stack_id, 20)
    client.describe_stack_events(StackName="demo")
    client.describe_stacks(StackName="demo")
    client.describe_stack_resources(StackName="demo")
    times = re.findall(r"<(?:Timestamp|CreationTime)>([^<]*)<", "".join(bodies))
    assert len(times) == 7
    assert all(re.fullmatch(r"[0-9T:-]{19}\.[0-9]{3}Z", time) for time in times)


def test_a_stacks_id_does_not_reveal_this_machine(lab: Harness) -> None:
    made = uuid.UUID(lab.deploy(BUCKET).rpartition("/")[2])
    assert made.version == 4
    assert made.node != uuid.getnode()


def test_a_stack_keeps_only_its_newest_events(
    lab: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "EVENTS_KEPT", 4)
    lab.deploy(BUCKET)
    assert lab.history("demo") == [
        "Bucket CREATE_IN_PROGRESS",
        "Bucket CREATE_IN_PROGRESS Resource creation Initiated",
        "Bucket CREATE_COMPLETE",
        "demo CREATE_COMPLETE",
    ]
    assert lab.state.snapshot.count(StackEvent, LEARNER) == 4
