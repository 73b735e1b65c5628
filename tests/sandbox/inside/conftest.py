from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from tests.sandbox.inside.direct import Direct
from tests.sandbox.inside.furnished import furnish

from stslab.sandbox.account import World


@pytest.fixture
def direct() -> Iterator[Direct]:
    """A new world, called without a socket."""
    made = Direct()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def _saved() -> tuple[bytes, dict[str, object]]:
    made = Direct()
    furnish(made)
    made.stop()
    return pickle.dumps(made.world.state()), dict(made.keys)


@pytest.fixture
def furnished(_saved: tuple[bytes, dict[str, object]]) -> Iterator[Direct]:
    """The world of actions.yaml and context.yaml, as it was when it was saved."""
    state, keys = _saved
    made = Direct(World.restore(pickle.loads(state)))
    made.keys.update(keys)
    yield made
    made.stop()
