"""The servers of issuers in this process, and a look at what they log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.federation.oidc.serving import URLS, Serving

from stslab.sandbox.federation.oidc import listener, servers
from stslab.sandbox.federation.oidc.issuers import Issuers
from stslab.sandbox.federation.oidc.listener import IssuerListener


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    direct = Direct()
    for url in URLS:
        servers.reach(direct.world, url)
        direct.world.part("oidc", Issuers).mint({"sub": "a"}, direct.world.now(), issuer=url)
    served = IssuerListener(lambda: direct.world)
    yield Serving(direct.world, served.start())
    served.stop()
    direct.stop()


@pytest.fixture(autouse=True)
def nothing_went_wrong_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client does is none of the sandbox's errors."""
    caplog.set_level(logging.INFO)
    yield
    told = [record for record in caplog.records if record.name in (listener.__name__, "asyncio")]
    assert [record.getMessage() for record in told if record.levelno >= logging.INFO] == []
