"""Sessions are found by their access key, until long after they expired."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.pipeline import authorization
from stslab.sandbox.state.identities import Role, Session, SessionPolicy, User
from stslab.sandbox.state.snapshot import Account, Record, Snapshot, Transaction
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.sandbox.sts import sessions

ACCOUNT = "111122223333"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROLE = Role(
    account=ACCOUNT,
    name="R",
    unique_id=identifiers.unique_id("AROA", ACCOUNT),
    created=NOW,
    trust="{}",
)
USER = User(
    account=ACCOUNT, name="Ana", unique_id=identifiers.unique_id("AIDA", ACCOUNT), created=NOW
)


def request(now: datetime = NOW) -> Any:
    return SimpleNamespace(now=now, params={})


def of_role(tx: Transaction, now: datetime = NOW) -> Session:
    session, _ = sessions.issue(
        tx,
        request(now),
        ACCOUNT,
        3600,
        policies=(SessionPolicy("inline", "{}"),),
        tags=(("team", "red"),),
        kind="AssumedRole",
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/R/me",
        user_id=f"{ROLE.unique_id}:me",
        issuer_arn=ROLE.arn,
        issuer_id=ROLE.unique_id,
        role_name=ROLE.name,
    )
    return session


def of_user(tx: Transaction) -> Session:
    session, _ = sessions.issue(
        tx,
        request(),
        ACCOUNT,
        3600,
        kind="SessionToken",
        principal_arn=USER.arn,
        user_id=USER.unique_id,
        issuer_arn=USER.arn,
        issuer_id=USER.unique_id,
    )
    return session


@pytest.fixture
def tx() -> Transaction:
    return Transaction(
        Snapshot.of([Account(account=ACCOUNT, name="a", canonical_id="c"), ROLE, USER])
    )


def test_a_session_is_found_by_its_key(tx: Transaction) -> None:
    session = of_role(tx)
    found = authorization.lookup(tx, session.key)
    assert found is not None
    assert found.caller.session is session
    assert (found.secret_access_key, found.session_token, found.expires) == (
        session.secret_access_key,
        session.session_token,
        NOW + timedelta(hours=1),
    )
    assert authorization.lookup(tx, "ASIA") is None
    assert authorization.lookup(tx, identifiers.access_key_id("ASIA", ACCOUNT)) is None


@pytest.mark.parametrize(("issue", "issuer"), [(of_role, ROLE), (of_user, USER)])
def test_a_key_ends_when_its_issuer_is_deleted(
    tx: Transaction, issue: Callable[[Transaction], Session], issuer: Record
) -> None:
    session = issue(tx)
    tx.delete(issuer)
    assert authorization.lookup(tx, session.key) is None
    tx.put(replace(issuer, unique_id=identifiers.unique_id(session.issuer_id[:4], ACCOUNT)))
    assert authorization.lookup(tx, session.key) is None


def test_a_session_of_a_renamed_user_has_the_new_name(tx: Transaction) -> None:
    session = of_user(tx)
    tx.delete(USER)
    tx.put(replace(USER, name="Eve"))
    found = authorization.lookup(tx, session.key)
    assert found is not None
    assert found.caller.user_name == "Eve"
    assert found.caller.principal.arn == f"arn:aws:iam::{ACCOUNT}:user/Eve"


def test_no_secret_is_shown(tx: Transaction) -> None:
    session = of_role(tx)
    assert session.secret_access_key not in f"{session!r}{session}"
    assert session.session_token not in f"{session!r}{session}"


def test_saved_sessions_are_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "account.sqlite")
    state = State(store.load(), store)
    with state.transaction() as tx:
        session = of_role(tx)
    store.close()
    with closing(Store(tmp_path / "account.sqlite")) as store:
        assert store.load().get(Session, ACCOUNT, session.key) == session


def test_sessions_that_expired_long_ago_are_deleted(tx: Transaction) -> None:
    for _ in range(1500):
        of_role(tx)
    for _ in range(1500):
        of_role(tx, NOW + timedelta(days=3))
    assert tx.count(Session, ACCOUNT) < 2500
    recent = of_role(tx, NOW + timedelta(days=3))
    assert tx.get(Session, ACCOUNT, recent.key) is recent


def test_a_session_that_just_expired_is_kept(tx: Transaction) -> None:
    old = of_role(tx)
    for _ in range(1500):
        of_role(tx, NOW + timedelta(hours=2))
    assert tx.get(Session, ACCOUNT, old.key) is old
