import pickle
from datetime import UTC, datetime, timedelta

from stslab.sandbox.sts.sessions import Session, SessionPolicy, SessionStore, new_credentials

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def session(issued: datetime = NOW) -> Session:
    return Session(
        kind="AssumedRole",
        account="111122223333",
        principal_arn="arn:aws:sts::111122223333:assumed-role/r/me",
        user_id="AROA:me",
        issuer_arn="arn:aws:iam::111122223333:role/r",
        issuer_id="AROA",
        issued=issued,
        expires=issued + timedelta(hours=1),
        session_policies=(SessionPolicy("inline", "{}"),),
        **new_credentials("111122223333", 352),
    )


def test_a_session_is_found_by_its_key() -> None:
    store = SessionStore()
    kept = store.add(session())
    assert store.find(kept.access_key_id) is kept
    assert store.find("ASIA") is None


def test_no_secret_is_shown() -> None:
    kept = session()
    assert kept.secret_access_key not in repr(kept)
    assert kept.session_token not in repr(kept)


def test_sessions_survive_being_saved() -> None:
    store = SessionStore()
    kept = store.add(session())
    restored = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
    assert restored.find(kept.access_key_id) == kept


def test_sessions_that_expired_long_ago_are_forgotten() -> None:
    store = SessionStore()
    for _ in range(1500):
        store.add(session(NOW))
    for _ in range(1500):
        store.add(session(NOW + timedelta(days=3)))
    assert len(store) < 2500
    recent = store.add(session(NOW + timedelta(days=3)))
    assert store.find(recent.access_key_id) is recent


def test_a_session_that_just_expired_is_remembered() -> None:
    store = SessionStore()
    old = store.add(session(NOW))
    for _ in range(1500):
        store.add(session(NOW + timedelta(hours=2)))
    assert store.find(old.access_key_id) is old
