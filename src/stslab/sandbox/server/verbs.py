"""The control verbs of the embedded account, which stslab's commands use beside AWS's API."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec

from stslab.errors import SandboxError
from stslab.policy import Decision
from stslab.policy.decision import GATES, Refusal, refusal
from stslab.policy.explain import WORDS
from stslab.redaction import fingerprint
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation import saml
from stslab.sandbox.federation.saml import names
from stslab.sandbox.iam import mfa
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.pipeline.pipeline import Call
from stslab.sandbox.rehearsal.rehearsal import Scripted
from stslab.sandbox.rehearsal.spec import BARE
from stslab.sandbox.server import changes
from stslab.sandbox.server.changes import Holder
from stslab.sandbox.server.control import ControlRequest, Reply, Verb
from stslab.sandbox.server.embedded import Inside
from stslab.sandbox.state.identities import IdentityProvider, MfaDevice, Session
from stslab.sandbox.state.snapshot import MOST_CLOCK, Account
from stslab.vocabulary import LEARNER, Gate

T = TypeVar("T")


def of(account: Holder) -> dict[str, Verb]:
    """Every verb by its name, for this account."""
    return {name: partial(verb, account) for name, verb in _VERBS.items()}


def _read(request: ControlRequest, kind: type[T]) -> T:
    """The body of a request as this type, whose docstring is the hint of the SandboxError."""
    try:
        return msgspec.convert(request.body, kind)
    except msgspec.ValidationError as error:
        raise SandboxError(f"The request can't be read: {error}.", kind.__doc__ or "") from error


def _key_of(user: str, account: Holder, request: ControlRequest) -> Reply:
    """An active access key of ``user`` in ``{"account": …}``, the learner's by default."""
    view, owner = account.inside.state.snapshot, str(request.body.get("account", LEARNER))
    if view.get(Account, owner, "") is None:
        known = ", ".join(sorted(one.account for one in view.everywhere(Account)))
        raise SandboxError(f"The embedded account has no account {owner}.", f"It has: {known}.")
    key = usable_key(view, owner, user)
    if key is None:
        whose = "administrator" if user else "root user"
        raise SandboxError(
            f"The {whose} of account {owner} no longer has an active access key.",
            "Begin with a new account: stslab sandbox reset",
        )
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def _key(account: Holder, request: ControlRequest) -> Reply:
    """The state of the key ``?id=``, and the ARN of its owner, if known."""
    key, inside = request.arguments.get("id", ""), account.inside
    if record := inside.keys(key):
        valid = "temporary" if record.session_token else "long-term"
        state = valid if record.active else "inactive"
        return {"state": state, "owner": record.caller.principal.arn}
    session = inside.state.snapshot.get(Session, identifiers.account_of_key(key) or "", key)
    state = "without its owner" if session else "unknown"
    return {"state": state, "owner": session.issuer_arn if session else ""}


def _end_session(account: Holder, request: ControlRequest) -> Reply:
    key, view = str(request.body.get("key", "")), account.inside.state.snapshot
    session = view.get(Session, identifiers.account_of_key(key) or "", key)
    if session is None:
        raise SandboxError(f"There is no session with the key {key!r}.")
    with account.inside.state.transaction() as tx:
        tx.put(msgspec.structs.replace(session, expires=view.now()))
    return {}


def _mfa_code(account: Holder, request: ControlRequest) -> Reply:
    """The code that the MFA device of ``?serial=`` shows now, and the next one."""
    view, serial = account.inside.state.snapshot, request.arguments.get("serial", "")
    devices = {one.serial: one for one in view.everywhere(MfaDevice)}
    device = devices.get(serial)
    if device is None:
        there = f"These exist: {', '.join(devices)}." if devices else ""
        raise SandboxError(f"There is no virtual MFA device {serial!r}.", there)
    # A device shows two codes to be synchronised, and the second one is ahead of its clock.
    here = mfa.step_of(view.now()) + device.drift - (device.drift > 0)
    step = max(here, device.last_step + 1, *(one + 1 for one in device.used))
    return {"codes": [mfa.code(device.seed, step), mfa.code(device.seed, step + 1)]}


class _Clock(msgspec.Struct):
    seconds: float = 0.0
    offset: float | None = None


def _clock(account: Holder, request: ControlRequest) -> Reply:
    """GET: the time. POST: move it by ``seconds``, or to ``offset`` seconds from real time."""
    state, body = account.inside.state, _read(request, _Clock)
    if request.method == "POST":
        with state.transaction() as tx:
            offset = tx.settings.clock_offset + body.seconds if body.offset is None else body.offset
            if not abs(offset) <= MOST_CLOCK:
                raise SandboxError("The clock can be moved by ten years at most.")
            tx.put(msgspec.structs.replace(tx.settings, clock_offset=offset))
    view = state.snapshot
    return {"now": view.now().isoformat(), "offset": view.settings.clock_offset}


_TAG = "aws:PrincipalTag/"


class _Asked(msgspec.Struct):
    key: str
    service: str
    operation: str
    params: dict[str, Any]
    proof: str = ""  # the fingerprint of the credentials to sign with


class _Calls(msgspec.Struct):
    """A list of 1 to 50 calls, each with a key, a service, an operation and params."""

    calls: Annotated[list[_Asked], msgspec.Meta(min_length=1, max_length=50)]


def would(inside: Inside, request: ControlRequest) -> Reply:
    """How the last of ``{"calls": [{"key", "service", "operation", "params"}, …]}`` is decided.

    The others are carried out before it, on a fork of the account that is then dropped.
    """
    *before, last = _read(request, _Calls).calls
    wanted, signed = _signed(inside, last)
    refused: Reply = {"allowed": False, "by": [Gate.SIGNATURE], "keys": [], "fault": ""}
    if wanted is None:
        return {**refused, "gates": [], "documents": {}}
    made = [one for one, valid in (_signed(inside, call) for call in before) if one and valid]
    decisions, fault, accepted = inside.pipeline.would([*made, wanted])
    verdict = _verdict(decisions, fault)
    return verdict if signed and accepted else {**verdict, **refused}


def _signed(inside: Inside, call: _Asked) -> tuple[Call | None, bool]:
    """The call, None if its key is unknown; and whether its signature would be valid."""
    if call.service not in inside.services:
        raise SandboxError(f"The embedded account has no service {call.service!r}.")
    record = inside.keys(call.key)
    if record is None:
        return None, False
    ended = record.expires is not None and record.expires <= inside.state.now()
    signs = fingerprint(record.secret_access_key, record.session_token)
    made = Call(record.caller, call.service, call.operation, call.params)
    return made, record.active and not ended and call.proof in ("", signs)


def _verdict(decisions: Sequence[Decision], fault: ApiFault | None) -> Reply:
    """``allowed`` is about permissions alone; None if the call fails before any is checked."""
    refused = next((one for one in decisions if not one.allowed), None)
    by = refusal(refused) if refused else Refusal((), ())
    shown = refused or (decisions[-1] if decisions else None)
    layers, rows = (shown.layers, shown.as_dict()["layers"]) if shown else ((), ())
    known = shown.request.context if shown else {}
    return {
        "allowed": not refused if decisions or fault is None else None,
        "by": by.gates,
        "keys": by.keys,
        "gates": [
            {
                "gate": GATES[layer.kind],
                "says": WORDS[layer.outcome][1],
                "decided": layer.blocks,
                "policies": row["policies"],
            }
            for layer, row in zip(layers, rows, strict=True)
        ],
        "documents": {
            each.policy.name: each.policy.document.document
            for layer in layers
            for each in layer.readings
        },
        "tags": {key[len(_TAG) :]: known[key] for key in known if key.startswith(_TAG)},
        "issued": known.get("aws:TokenIssueTime", ""),
        "fault": fault.code if fault and not refused else "",
    }


class _Rehearsal(msgspec.Struct):
    """Say {"spec": "keys=3s"}, or {"faults": [{"call": "iam.CreateUser", "kind": "error"}]}.

    The kinds of faults: throttle, error, error-after, reset-before, reset-after.
    """

    spec: str | msgspec.UnsetType | None = msgspec.UNSET
    faults: list[Scripted] | msgspec.UnsetType = msgspec.UNSET


def _rehearse(account: Holder, request: ControlRequest) -> Reply:
    """GET: the state of the rehearsal. POST: ``spec`` starts one in place of any other, or ends it.

    A fault makes a call fail: with ``"at": 2`` the second such call from now, ``times`` in a row.
    """
    body = _read(request, _Rehearsal)
    if request.method == "POST" and body.spec is not msgspec.UNSET:
        account.rehearse(BARE if body.spec == "" else body.spec)
    current = account.rehearsal
    if request.method == "POST" and body.faults is not msgspec.UNSET:
        if current is None:
            hint = "Start one: stslab sandbox start --rehearse"
            raise SandboxError("There is no rehearsal.", hint)
        current.faults.script(body.faults)
    if current is None:
        return {"spec": None}
    return {
        "spec": current.text,
        "spreading": current.lag.spreading(account.inside.state.now()),
        "calls": current.faults.calls.total(),
        "struck": dict(current.faults.struck),
    }


_ROLES = ("server", "CA", "trusted root")


class _Token(msgspec.Struct):
    """claims is a JSON object, and seconds a whole number of 86400 at most."""

    claims: dict[str, Any] = {}
    issuer: str | None = None
    seconds: names.Seconds = 3600


def _token(account: Holder, request: ControlRequest) -> Reply:
    from stslab.sandbox.federation.oidc import issuers

    body = _read(request, _Token)
    url = issuers.OWN_ISSUER if body.issuer is None else body.issuer
    with account.inside.state.transaction() as tx:
        issuers.reach(tx, url)
        token = issuers.mint(tx, body.claims, seconds=body.seconds, issuer=url)
    return {"issuer": url, "token": token}


def _issuer(account: Holder, request: ControlRequest) -> Reply:
    """An issuer: its configuration, public keys and certificates.

    POST ``{"issuer": …, "certificate": …}`` first gives its server another certificate, one of
    ``CERTIFICATES``.
    """
    from stslab.sandbox.federation.oidc import issuers
    from stslab.sandbox.federation.oidc.certificates import described, has_signed, thumbprint

    url = str(request.body.get("issuer") or request.arguments.get("issuer", issuers.OWN_ISSUER))
    kind = request.body.get("certificate")
    with account.inside.state.transaction() as tx:
        shown = issuers.reach(tx, url)
        if request.method == "POST" and kind:
            shown = issuers.change(tx, shown.host, str(kind))
        issuer = issuers.issuer_of(tx, url)
        trusted = [root for root in issuers.roots(tx) if has_signed(root, shown.chain[-1])]
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


def _metadata(account: Holder, request: ControlRequest) -> Reply:
    provider = _provider(account, request)
    from stslab.sandbox.federation.saml import minting

    return {"issuer": provider.entity_id, "metadata": minting.metadata(provider)}


class _Assertion(names.Asked):
    """Texts, whole numbers of seconds (86400 at most), and attributes: values by name."""

    issuer: str | None = None
    role: str = ""
    provider: str = ""
    session_name: str = ""
    attributes: Mapping[str, str | int | list[str | int]] = {}
    subject: str | None = None


def _assertion(account: Holder, request: ControlRequest) -> Reply:
    """Mint an assertion. An attribute has its whole name or a short one (``PrincipalTag:Team``)."""
    body = _read(request, _Assertion)
    provider = _provider(account, request)
    from stslab.sandbox.federation.saml import minting

    attributes: dict[str, list[str]] = {}
    if body.role and body.provider:
        attributes[names.ROLE] = [f"{body.role},{body.provider}"]
    if body.session_name:
        attributes[names.SESSION_NAME] = [body.session_name]
    for name, value in body.attributes.items():
        attributes[names.whole(name)] = [*map(str, value if isinstance(value, list) else [value])]
    try:
        subject = body.session_name if body.subject is None else body.subject
        minted = minting.response(provider, account.inside.state.now(), subject, attributes, body)
    except ValueError as error:
        raise SandboxError("The assertion would have a character that XML can't hold.") from error
    return {"issuer": provider.entity_id, "assertion": minted}


def _provider(account: Holder, request: ControlRequest) -> IdentityProvider:
    if not saml.installed():
        raise SandboxError(saml.LACKING, f"Install them: {saml.INSTALL}")
    from stslab.sandbox.federation.saml import minting

    with account.inside.state.transaction() as tx:
        return minting.provider_of(tx, str(request.body.get("issuer") or minting.OWN))


_VERBS: Mapping[str, Callable[[Holder, ControlRequest], Reply]] = {
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
    "would": lambda account, request: would(account.inside, request),
}
