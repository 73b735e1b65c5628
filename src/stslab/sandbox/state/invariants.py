"""Rules for every account, beyond its schema. Each function finds what breaks one."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from stslab.errors import MalformedPolicy
from stslab.policy.documents.document import load, size
from stslab.sandbox.state import buckets
from stslab.sandbox.state.identities import Identity, ManagedPolicy, Role, Session
from stslab.sandbox.state.snapshot import Account, Record, Settings, Snapshot
from stslab.structures import listed

_MOST_POLICY = 128 * 1024  # characters in one text, white space included (IAM API Reference)
_MOST_INLINE = 10_240  # without white space, in all inline policies of a role; users may have less
_MOST_LEVELS = 100
_FREE = ("stack", "stack-resource", "change-set")  # the kinds of records with values of any type


def incomplete(account: Snapshot) -> str:
    settings = list(account.everywhere(Settings))
    if len(settings) != 1 or not settings[0].instance:
        return "it is not a complete account: it lacks its settings"
    owners = {one.account for one in account.records()} - {""}
    owners |= {one.owner for one in account.everywhere(buckets.Bucket)}
    lacking = sorted(owners - {one.account for one in account.everywhere(Account)})
    if lacking or not owners:
        itself = "".join(lacking[:1])[:20]
        return f"it is not a complete account: it lacks account {itself!r} itself"
    return ""


def problem(account: Snapshot) -> str:
    """Finds something that makes the account unfit to be handed on."""
    return incomplete(account) or next(_excessive(account), "")


def _called(record: Record) -> str:
    return f"the {record.table} {record.key[:80]!r}"


def _excessive(account: Snapshot) -> Iterator[str]:
    """Finds policies that no service would take, and values that are nested too deeply."""
    for record in account.records():
        texts = tuple(_policies(record))
        inline = record.inline.values() if isinstance(record, Identity) else ()
        if max(map(len, texts), default=0) > _MOST_POLICY or sum(map(size, inline)) > _MOST_INLINE:
            yield f"{_called(record)} has policies that are too large"
        if not all(map(_is_policy, texts)):
            yield f"{_called(record)} has a policy that can't be read"
        if record.table in _FREE and _is_deep(msgspec.to_builtins(record), _MOST_LEVELS):
            yield f"{_called(record)} is nested too deeply"


def _policies(record: Record) -> Iterable[str]:
    match record:
        case Role():
            return (*record.inline.values(), record.trust)
        case Identity():
            return record.inline.values()
        case ManagedPolicy():
            return (one.document for one in record.versions)
        case buckets.Bucket():
            return filter(None, (record.policy,))
        case Session():
            return (one.document for one in record.session_policies or ())
    return ()


def _is_policy(text: str) -> bool:
    """By its form: an older stslab may have taken what IAM would refuse."""
    try:
        document = load(text)
    except MalformedPolicy:
        return False
    statements = listed(document.get("Statement")) if isinstance(document, dict) else []
    formed = statements and all(isinstance(one, dict) for one in statements)
    return bool(formed) and not _is_deep(document, _MOST_LEVELS)


def _is_deep(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if not isinstance(value, list | tuple):
        return False
    return not levels or any(_is_deep(part, levels - 1) for part in value)
