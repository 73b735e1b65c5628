from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import furnish

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import Service, unsupported


class _Deciding:
    """A service whose operations are decided, and then refused."""

    def __init__(self, name: str, real: Service) -> None:
        self.needs = real.needs
        self.reads = {operation: _refusing(name, operation) for operation in operations.names(name)}
        self.writes: dict[str, object] = {}


def _refusing(service: str, operation: str) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise unsupported(service, operation)

    return refuse


@pytest.fixture
def furnished(direct: Direct) -> Direct:
    """The account of actions.yaml and context.yaml."""
    furnish(direct)
    return direct


@pytest.fixture(scope="module")
def deciding() -> Iterator[Direct]:
    """The same account, in which calls are decided but not carried out."""
    made = Direct()
    furnish(made)
    services: Any = made.inside.services
    services |= {name: _Deciding(name, real) for name, real in services.items()}
    yield made
    made.stop()
