"""The control verbs of the embedded account: what may be asked of it, beside AWS's operations.

What only some need (certificates, XML) is imported when it is first asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Annotated, Any, TypeVar

import msgspec

from stslab.errors import SandboxError, UsageError
from stslab.policy import Decision
from stslab.policy.decision import GATES, refusal
from stslab.redaction import fingerprint
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.identifiers import LEARNER
from stslab.sandbox.api.model import ApiFault, KeyRecord
from stslab.sandbox.federation import saml
from stslab.sandbox.federation.saml import names
from stslab.sandbox.iam import mfa
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.pipeline.pipeline import Would
from stslab.sandbox.rehearsal.rehearsal import Scripted
from stslab.sandbox.rehearsal.spec import BARE
from stslab.sandbox.server import changes
from stslab.sandbox.server.changes import Holder
from stslab.sandbox.server.control import ControlRequest, Said, Verb
from stslab.sandbox.server.embedded import Inside
from stslab.sandbox.state.identities import IdentityProvider, MfaDevice, Session
from stslab.sandbox.state.snapshot import Account
from stslab.vocabulary import Gate, Outcome


def of(account: Holder) -> dict[str, Verb]:
    """Every verb by its name, for this account."""
    return {name: partial(verb, account) for name, verb in _VERBS.items()}


T = TypeVar("T")


def _read(asked: ControlRequest, kind: type[T]) -> T:
    """The body of a request, if it is one of this kind; its docstring says what that is."""
    try:
        return msgspec.convert(asked.body, kind)
    except msgspec.ValidationError as error:
        raise SandboxError(f"What is asked can't be read: {error}.", kind.__doc__ or "") from error


# -- keys, MFA codes, the clock, and whether all is saved ------------------------------------

_FARTHEST = 3650 * 24 * 3600.0
_FARTHEST_MOVE = 1e9


def _key_of(user: str, account: Holder, asked: ControlRequest) -> Said:
    """An active access key of a user of ``{"account": …}``, the learner's by default."""
    view, owner = account.inside.state.snapshot, str(asked.body.get("account", LEARNER))
    if view.get(Account, owner, "") is None:
        known = ", ".join(sorted(one.account for one in view.everywhere(Account)))
        raise SandboxError(f"The sandbox has no account {owner}.", f"It has {known}.")
    key = usable_key(view, owner, user)
    if key is None:
        whose = "administrator" if user else "root user"
        raise SandboxError(
            f"The {whose} of account {owner} has no active access key any more.",
            "`stslab sandbox reset` begins with a new account.",
        )
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def _key(account: Holder, asked: ControlRequest) -> Said:
    """Whether a key is known, active and temporary, whose, and until when; never its secret.

    Of one that is not known any more since its role is gone: which role that was.
    """
    key, inside = asked.arguments.get("id", ""), account.inside
    record = inside.keys(key)
    if record is None:
        owner = identifiers.account_of_key(key) or ""
        session = inside.state.snapshot.get(Session, owner, key)
        return {"known": False, "role": session.role_name if session else ""}
    return {
        "known": True,
        "active": record.active,
        "temporary": bool(record.session_token),
        "owner": record.caller.principal.arn,
        "expires": record.expires.isoformat() if record.expires else "",
    }


def _end_session(account: Holder, asked: ControlRequest) -> Said:
    """Let the session of ``{"key": …}`` end now."""
    key, view = str(asked.body.get("key", "")), account.inside.state.snapshot
    session = next((one for one in view.everywhere(Session) if one.key == key), None)
    if session is None:
        raise SandboxError(f"There is no session with the key {key!r}.")
    with account.inside.state.transaction() as tx:
        tx.put(msgspec.structs.replace(session, expires=view.now()))
    return {}


def _mfa_code(account: Holder, asked: ControlRequest) -> Said:
    """What the device of ``?serial=`` shows now, and next: the app on the learner's telephone."""
    view, serial = account.inside.state.snapshot, asked.arguments.get("serial", "")
    device = next((one for one in view.everywhere(MfaDevice) if one.serial == serial), None)
    if device is None:
        raise SandboxError(f"There is no virtual MFA device {serial!r}.")
    step = max(mfa.step_of(view.now()), device.last_step + 1)
    codes = [mfa.code(device.seed, step), mfa.code(device.seed, step + 1)]
    return {"serial": serial, "code": codes[0], "codes": codes}


class _Clock(msgspec.Struct):
    seconds: float = 0.0
    offset: float | None = None


def _clock(account: Holder, asked: ControlRequest) -> Said:
    """GET tells the time. POST moves it by ``seconds``, or to ``offset`` from the real time."""
    state, body = account.inside.state, _read(asked, _Clock)
    if asked.method == "POST":
        absolute = body.offset is not None
        seconds = body.seconds if body.offset is None else body.offset
        moved = min(max(seconds, -_FARTHEST_MOVE), _FARTHEST_MOVE)
        with state.transaction() as tx:
            offset = moved if absolute else tx.settings.clock_offset + moved
            if not abs(offset) <= _FARTHEST:
                raise SandboxError("The clock can be ten years off at most.")
            tx.put(msgspec.structs.replace(tx.settings, clock_offset=offset))
    view = state.snapshot
    return {"now": view.now().isoformat(), "offset": view.settings.clock_offset}


# -- what a call would meet, without its being made: for the access table and predictions ----

MOST_CALLS = 50
_SAYS: Mapping[str, str] = {
    Outcome.ALLOWED: "allows",
    Outcome.EXPLICITLY_DENIED: "denies",
    Outcome.IMPLICITLY_DENIED: "does not allow",
}
_NOTHING: Said = {"gates": [], "documents": {}, "fault": ""}


class _Call(msgspec.Struct):
    """One call. ``proof`` is the fingerprint of what it would be signed with, where that counts."""

    key: str
    service: str
    operation: str
    params: dict[str, Any]
    proof: str = ""


class _Calls(msgspec.Struct):
    """A list of 1 to 50 calls, each with a key, a service, an operation and params."""

    calls: Annotated[list[_Call], msgspec.Meta(min_length=1, max_length=MOST_CALLS)]


def would(inside: Inside, asked: ControlRequest) -> Said:
    """What the last of ``{"calls": [{"key", "service", "operation", "params"}, …]}`` would meet.

    They are carried out one after the other on a fork of the account that is thrown away.
    """
    *before, last = _read(asked, _Calls).calls
    record, signed = _signed(inside, last)
    refused: Said = {"allowed": False, "by": [Gate.SIGNATURE], "keys": [], **_NOTHING}
    if record is None:
        return refused
    earlier = [(*_signed(inside, call), call) for call in before]
    made = [_would(one, call) for one, known, call in earlier if one and known]
    decisions, fault, accepted = inside.pipeline.would([*made, _would(record, last)])
    told = _verdict(decisions, fault)
    if signed and accepted:
        return told
    return {**refused, "gates": told["gates"], "documents": told["documents"]}


def _would(signer: KeyRecord, call: _Call) -> Would:
    return Would(signer.caller, call.service, call.operation, call.params)


def _signed(inside: Inside, call: _Call) -> tuple[KeyRecord | None, bool]:
    """Whose key a call is signed with, and whether AWS believes it."""
    if call.service not in inside.services:
        raise SandboxError(f"The sandbox has no service {call.service!r}.")
    record = inside.keys(call.key)
    if record is None:
        return None, False
    ended = record.expires is not None and record.expires <= inside.state.now()
    signs = fingerprint(record.secret_access_key, record.session_token)
    return record, record.active and not ended and call.proof in ("", signs)


def _verdict(decisions: Sequence[Decision], fault: ApiFault | None) -> Said:
    """``allowed`` is about permissions alone; None where none was asked for, and it fails."""
    refused = [one for one in decisions if not one.allowed]
    if refused:
        found = refusal(refused[0])
        return {"allowed": False, "by": found.gates, "keys": found.keys, **_told(refused[0])}
    allowed = True if decisions or fault is None else None
    told = _told(decisions[-1]) if decisions else _NOTHING
    return {"allowed": allowed, "by": [], "keys": [], **told, "fault": fault.code if fault else ""}


def _told(decision: Decision) -> Said:
    told = decision.as_dict()
    gates = [
        {
            "gate": GATES[layer.kind],
            "says": _SAYS[layer.outcome],
            "decided": layer.blocks,
            "policies": said["policies"],
        }
        for layer, said in zip(decision.layers, told["layers"], strict=True)
    ]
    documents = {
        each.policy.name: each.policy.document.document
        for layer in decision.layers
        for each in layer.readings
    }
    return {"gates": gates, "documents": documents, "fault": ""}


# -- rehearsals -------------------------------------------------------------------------------


class _Rehearsal(msgspec.Struct):
    """Say {"spec": "keys=3s"}, or {"faults": [{"call": "iam.CreateUser", "kind": "error"}]}.

    The kinds of faults: throttle, error, error-after, reset-before, reset-after.
    """

    spec: str | msgspec.UnsetType | None = msgspec.UNSET
    faults: list[Scripted] | msgspec.UnsetType = msgspec.UNSET


def _rehearse(account: Holder, asked: ControlRequest) -> Said:
    """GET tells how a rehearsal goes; POST begins, changes or ends one.

    ``spec`` begins one (in place of another), or ends it where it is null. A fault lets a call go
    wrong: with ``"at": 2`` the second such call from now. ``times`` says how often in a row.
    """
    body = _read(asked, _Rehearsal)
    if asked.method == "POST" and body.spec is not msgspec.UNSET:
        try:
            account.rehearse(BARE if body.spec == "" else body.spec)
        except UsageError as error:
            raise SandboxError(error.message, error.hint) from error
    going_on = account.rehearsal
    if asked.method == "POST" and body.faults is not msgspec.UNSET:
        if going_on is None:
            raise SandboxError(
                "No rehearsal goes on.", "Begin one: stslab sandbox start --rehearse"
            )
        going_on.faults.script(body.faults)
    if going_on is None:
        return {"spec": None}
    return {
        "spec": going_on.text,
        "spreading": going_on.spreading(),
        "calls": going_on.faults.seen.total(),
        "struck": dict(going_on.faults.struck),
    }


# -- identity providers: OpenID Connect tokens, SAML assertions -------------------------------

_Seconds = Annotated[int, msgspec.Meta(ge=-86400, le=86400)]
_ROLES = ("server", "CA", "trusted root")


class _Token(msgspec.Struct):
    """claims is a JSON object, and seconds a whole number, 86400 at most."""

    claims: dict[str, Any] = {}
    issuer: str | None = None
    seconds: _Seconds = 3600
    algorithm: str = "RS256"


def _token(account: Holder, asked: ControlRequest) -> Said:
    """Mint ``{"claims": {"sub": …, "aud": …}, "issuer": …, "seconds": …, "algorithm": …}``."""
    from stslab.sandbox.federation.oidc import issuers

    body = _read(asked, _Token)
    url = issuers.OWN_ISSUER if body.issuer is None else body.issuer
    with account.inside.state.transaction() as tx:
        issuers.reach(tx, url)
        token = issuers.mint(
            tx, body.claims, seconds=body.seconds, issuer=url, algorithm=body.algorithm
        )
    return {"issuer": url, "token": token}


def _issuer(account: Holder, asked: ControlRequest) -> Said:
    """Show an issuer (the account's own by default): configuration, public keys, certificates.

    POST ``{"issuer": …, "certificate": …}`` lets its server show another certificate first;
    see :data:`stslab.sandbox.federation.oidc.issuers.KINDS`.
    """
    from stslab.sandbox.federation.oidc import issuers
    from stslab.sandbox.federation.oidc.certificates import described, thumbprint

    url = str(asked.body.get("issuer") or asked.arguments.get("issuer", issuers.OWN_ISSUER))
    kind = asked.body.get("certificate")
    with account.inside.state.transaction() as tx:
        shown = issuers.reach(tx, url)
        if asked.method == "POST" and kind:
            shown = issuers.change(tx, shown.host, str(kind))
        issuer = issuers.named(tx, url)
        trusted = issuers.trusted_root(tx, shown)
    return {
        "issuer": url,
        "host": shown.host,
        "configuration": issuers.configuration(issuer),
        "jwks": issuers.jwks(issuer),
        "trusted": bool(trusted),
        "thumbprint": thumbprint(shown.chain[-1]),
        "certificates": [
            {"role": role, **described(pem), "pem": pem.decode()}
            for role, pem in zip(_ROLES, (*shown.chain, *trusted), strict=False)
        ],
    }


def _metadata(account: Holder, asked: ControlRequest) -> Said:
    """The metadata of ``{"issuer": entity id}``, the account's own by default."""
    minting, provider = _provider(account, asked)
    return {"issuer": provider.entity_id, "metadata": minting.metadata(provider)}


class _Assertion(msgspec.Struct, omit_defaults=True):
    """Texts, whole numbers of seconds (86400 at most), and attributes: values by name."""

    issuer: str | None = None
    role: str = ""
    provider: str = ""
    session_name: str = ""
    attributes: dict[str, str | int | list[str | int]] = {}
    subject: str | None = None
    subject_format: str | None = None
    recipient: str | None = None
    audience: str | None = None
    seconds: _Seconds | None = None
    session_seconds: _Seconds | None = None


_WANTED = ("subject", "subject_format", "recipient", "audience", "seconds", "session_seconds")


def _assertion(account: Holder, asked: ControlRequest) -> Said:
    """Mint ``{"issuer": …, "role": ARN, "provider": ARN, "session_name": …, "attributes": {…}}``.

    ``subject``, ``subject_format``, ``recipient``, ``audience``, ``seconds`` (how long it is
    valid) and ``session_seconds`` may be given too. An attribute goes by its whole name or, as
    ``PrincipalTag:Team`` and ``eduPersonAffiliation``, by its short one.
    """
    body = _read(asked, _Assertion)
    minting, provider = _provider(account, asked)
    attributes: dict[str, list[str]] = {}
    if body.role and body.provider:
        attributes[names.ROLE] = [f"{body.role},{body.provider}"]
    if body.session_name:
        attributes[names.SESSION_NAME] = [body.session_name]
    for name, value in body.attributes.items():
        attributes[names.whole(name)] = [*map(str, value if isinstance(value, list) else [value])]
    given = {name: getattr(body, name) for name in _WANTED if getattr(body, name) is not None}
    wanted = {"subject": body.session_name, **given, "attributes": attributes}
    try:
        minted = minting.response(provider, minting.Wanted(**wanted), account.inside.state.now())
    except ValueError as error:
        raise SandboxError("XML has no place for a character in what it is to say.") from error
    return {"issuer": provider.entity_id, "assertion": minted}


def _provider(account: Holder, asked: ControlRequest) -> tuple[ModuleType, IdentityProvider]:
    if not saml.installed():
        raise SandboxError(saml.LACKING, f"Install them: {saml.INSTALL}")
    from stslab.sandbox.federation.saml import minting

    with account.inside.state.transaction() as tx:
        return minting, minting.named(tx, str(asked.body.get("issuer") or minting.OWN))


_VERBS: Mapping[str, Callable[[Holder, ControlRequest], Said]] = {
    "admin-key": partial(_key_of, ADMINISTRATOR),
    "changed": changes.changed,
    "clock": _clock,
    "end-session": _end_session,
    "key": _key,
    "mark": changes.mark,
    "mfa/code": _mfa_code,
    "oidc/issuer": _issuer,
    "oidc/token": _token,
    "rehearse": _rehearse,
    "restore": changes.restore,
    "root-key": partial(_key_of, ""),
    "run": changes.run,
    "saml/assertion": _assertion,
    "saml/metadata": _metadata,
    "saved": lambda account, _: {"differences": account.inside.state.unsaved()},
    "would": lambda account, asked: would(account.inside, asked),
}
