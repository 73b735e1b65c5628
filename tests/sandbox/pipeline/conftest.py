from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import furnish

from stslab.sandbox.pipeline.registry import Registry


@pytest.fixture
def furnished(direct: Direct) -> Direct:
    """The world of actions.yaml and context.yaml."""
    furnish(direct)
    return direct


@pytest.fixture(scope="module")
def deciding() -> Iterator[Direct]:
    """The same, with nothing behind the gate: calls are decided, and change nothing."""
    made = Direct()
    furnish(made)
    made.inside.gate._registry = Registry()
    yield made
    made.stop()
