"""The lab format as frozen types. ``as`` is ``identity``, ``with`` ``params``, ``from`` ``source``.

Short forms of a value in the file are in its type's ``extra``: ``one`` (a single item without a
list), ``none`` (the word for an empty list) and ``read`` (a function that parses what is written,
or raises ValueError with the fix). A part's ``SHORT`` is the key for a plain text in its place. A
part must have one of the keys in its ``ONE_OF``.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from stslab.vocabulary import Gate

LONGEST_WAIT = 3600.0
DENIALS = ("AccessDenied", "AccessDeniedException", "403")
"""AWS's error codes for denials. A check with one of them names the gates that refuse."""

_DURATION = r"^(?=.)(\d{1,4}m)?(\d{1,5}(\.\d{1,3})?s)?$"
_MOVE = r"^[+-](\d{1,7}[smhdw])+$"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_CHANGE = r"^([A-Za-z_]\w*) may( not)? ([a-z][a-z0-9-]*)(?: \(([a-z ,]+)\))?$"


def _read(value: object, pattern: str, fix: str) -> float:
    """A time with units (``1m30s``) as seconds, without its sign."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(fix)
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)([smhdw])", value))


def _seconds(value: object) -> float:
    seconds = _read(value, _DURATION, "Write a time with its unit, as in 60s, 2m or 1m30s.")
    if not 0 < seconds <= LONGEST_WAIT:
        raise ValueError("A wait must be longer than 0s and at most 60m.")
    return seconds


def moved(value: object) -> float:
    fix = "Write how far to move the clock, as in +61m, +1d12h or -30m."
    return _read(value, _MOVE, fix) * (-1 if str(value)[:1] == "-" else 1)


def _as_text(read: Callable[[object], Any], pattern: str) -> Meta:
    """What is written as text of this pattern, and read by a function."""
    return Meta(extra={"read": read, "written": {"type": "string", "pattern": pattern}})


Word = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Text = Annotated[str, Meta(min_length=1)]
Call = Annotated[str, Meta(pattern=r"^[a-z0-9-]+\.[A-Z][A-Za-z0-9]+$")]
Service = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}$")]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.]{1,128}$")]
Url = Annotated[str, Meta(pattern=r"^https://docs\.aws\.amazon\.com/\S+$")]
DurationSeconds = Annotated[str, Meta(pattern=r"^\d{3,5}$")]
TokenFile = Annotated[str, Meta(pattern=r"^\$\{\{ token_file \}\}$")]
_EXPORTS = r"^aws configure export-credentials --profile [A-Za-z_]\w{0,63} --format process$"
Exports = Annotated[str, Meta(pattern=_EXPORTS)]
EnvName = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Params = Mapping[str, Any]
Seconds = Annotated[float, _as_text(_seconds, _DURATION)]


def _change(value: object) -> "Change":
    """The change in ``sts may assume-role`` or ``sts may not assume-role (boundary)``."""
    found = re.fullmatch(_CHANGE, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("Write it as in: sts may assume-role, or: sts may not delete (boundary).")
    identity, refused, cell, gates = found.groups()
    by = [one.strip() for one in (gates or "").split(",") if one.strip()]
    if by and not refused:
        raise ValueError("Only a refusal has gates: write `may not`, or leave them out.")
    if unknown := [one for one in by if one not in list(Gate)]:
        raise ValueError(f"There is no gate {unknown[0]!r}. The gates are: {', '.join(Gate)}.")
    return Change(identity=identity, cell=cell, allowed=not refused, by=tuple(map(Gate, by)))


def _ask(value: object) -> str | None:
    """``true`` as an empty text, else the concept that the prediction is about."""
    if isinstance(value, bool):
        return "" if value else None
    if isinstance(value, str) and value.lower() not in ("", "yes", "no", "on", "off"):
        return value  # those are texts in YAML 1.2
    raise ValueError("Write true or false, or a few words about the question's concept.")


class Part(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"identity": "as", "identities": "as", "params": "with", "source": "from"},
):
    """Base class of a lab's parts. keys.txt explains their keys."""

    SHORT: ClassVar[str] = ""
    ONE_OF: ClassVar[tuple[str, ...]] = ()

    line: int = 0  # its first line in the lab's file, if it is written as a mapping


class _Calling(Part, frozen=True, kw_only=True):
    @property
    def service(self) -> str:
        """The service of ``call``, as boto3 names it: ``iam``."""
        return str(getattr(self, "call", None) or "").partition(".")[0]

    @property
    def operation(self) -> str:
        """The operation of ``call``, with the API's name: ``CreateUser``."""
        return str(getattr(self, "call", None) or "").partition(".")[2]


class Wait(Part, frozen=True, kw_only=True):
    """A botocore waiter to wait for after the call."""

    SHORT: ClassVar[str] = "waiter"

    waiter: Word
    params: Params | None = None  # filled in when the lab is loaded


class Undo(_Calling, frozen=True, kw_only=True):
    """The call that undoes a step."""

    SHORT: ClassVar[str] = "call"

    call: Call
    params: Params | None = None  # filled in with a catalogue, like the identity
    identity: Word | None = None
    wait: Wait | None = None


class Profile(Part, frozen=True, kw_only=True):
    """The AWS profile that gets credentials of the response."""

    name: Word
    source: Text
    spoil: Literal["SessionToken", "SecretAccessKey"] | None = None


class Token(Part, frozen=True, kw_only=True):
    """A token of an OpenID Connect provider, which the embedded account mints."""

    sub: Text
    aud: Text
    claims: Mapping[Text, Any] = field(default_factory=dict)
    issuer: Text | None = None


class ProfileSettings(Part, frozen=True, kw_only=True):
    """How a profile gets its credentials, with the settings of ``~/.aws/config``."""

    role_arn: Text | None = None
    source_profile: Word | None = None
    web_identity_token_file: TokenFile | None = None
    role_session_name: Text | None = None
    external_id: Text | None = None
    duration_seconds: DurationSeconds | None = None
    mfa_serial: Text | None = None
    credential_process: Exports | None = None
    environment: Word | None = None
    profile: Word | None = None
    option: Word | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The profiles that its credentials may come from; empty for a token."""
        exported = (self.credential_process or "").split()[4:5]
        return tuple(filter(None, (self.source_profile, *exported, self.environment, self.named)))

    @property
    def named(self) -> str:
        """The profile that a shell names in addition to keys in its environment."""
        return self.profile or self.option or ""

    @property
    def values(self) -> dict[str, str]:
        """The settings that are present, by AWS's names."""
        every = {name: getattr(self, name) for name in self.__struct_fields__ if name != "line"}
        return {name: value for name, value in every.items() if value is not None}


class Step(_Calling, frozen=True, kw_only=True):
    """A call that does something; or ``clock`` or ``token`` in its place."""

    ONE_OF = ("call", "clock", "token")

    title: Text
    identity: Word = "admin"
    call: Call = ""  # filled in for ``clock`` and ``token`` when the lab is loaded, with ``params``
    clock: Annotated[float | None, _as_text(moved, _MOVE)] = None
    token: Token | None = None
    params: Params = field(default_factory=dict)
    wait: Wait | None = None
    within: Seconds | None = None
    save: Mapping[Word, Text] = field(default_factory=dict)
    show: Mapping[Text, Text] = field(default_factory=dict)
    profile: Profile | None = None
    undo: Annotated[tuple[Undo, ...] | None, Meta(extra={"one": True, "none": "none"})] = None
    task: Text | None = None
    hints: tuple[Text, ...] = ()
    why: Text | None = None


class Check(_Calling, frozen=True, kw_only=True):
    """A claim, and the call that proves it. It changes nothing and can be repeated."""

    says: Text
    identity: Word = "admin"
    call: Call | None = None
    params: Params = field(default_factory=dict)
    expect: Text | None = None
    fails: Annotated[tuple[Code, ...], Meta(min_length=1, extra={"one": True})] = ()
    by: Annotated[tuple[Gate, ...], Meta(min_length=1, extra={"one": True, "none": "none"})] = ()
    key: Text | None = None
    ask: Annotated[
        str | None, Meta(extra={"read": _ask, "written": {"type": ["boolean", "string"]}})
    ] = None
    because: Text | None = None
    within: Seconds | None = None
    profiles_gone: tuple[Word, ...] = ()


class Cell(_Calling, frozen=True, kw_only=True):
    """A row of the access table: one call, and the identities that may be allowed it."""

    says: Text
    identities: Annotated[tuple[Word, ...], Meta(min_length=1, extra={"one": True})]
    call: Call
    params: Params = field(default_factory=dict)


class Change(Part, frozen=True, kw_only=True):
    """A stage's change of one cell: allowed, or refused ``by`` these gates."""

    identity: str
    cell: str
    allowed: bool
    by: tuple[Gate, ...] = ()


class Action(_Calling, frozen=True, kw_only=True):
    """A call of a fault, which breaks the set-up or fixes it."""

    identity: Word = "admin"
    call: Call
    params: Params = field(default_factory=dict)


class Fault(Part, frozen=True, kw_only=True):
    """One change that breaks a working set-up, for the learner to find and fix."""

    id: Slug
    title: Text
    after: Slug
    change: Annotated[tuple[Action, ...], Meta(min_length=1)]
    fix: Annotated[tuple[Action, ...], Meta(min_length=1)]
    hints: tuple[Text, ...] = ()


class Page(Part, frozen=True, kw_only=True):
    """A page of AWS's documentation."""

    title: Text
    url: Url


class Stage(Part, frozen=True, kw_only=True):
    """Steps that do something, and a checkpoint: a list of checks that prove it."""

    id: Slug
    title: Text
    intro: Text
    explain: Text | None = None
    pages: tuple[Page, ...] = ()
    changes: tuple[Annotated[Change, _as_text(_change, _CHANGE)], ...] = ()
    steps: tuple[Step, ...] = ()
    checkpoint: tuple[Check, ...] = ()
    cleanup: bool = False


class Uses(Part, frozen=True, kw_only=True):
    """What a lab uses although its run did not make it. The learner sees it and has to agree."""

    roles: tuple[Text, ...] = ()
    accounts: tuple[Text, ...] = ()


class LabFile(Part, frozen=True, kw_only=True):
    """The content of a lab's file."""

    stslab: Literal[1]
    id: Slug
    title: Text
    summary: Text | None = None
    after: Slug | None = None
    vars: Mapping[Word, Any] = field(default_factory=dict)
    accounts: tuple[Literal["partner"], ...] = ()
    profiles: Mapping[Word, ProfileSettings] = field(default_factory=dict)
    env: Mapping[EnvName, Text] = field(default_factory=dict)
    uses: Uses = Uses()
    services: tuple[Service, ...] = ()
    tokens: Mapping[Word, Token] = field(default_factory=dict)
    access: Mapping[Slug, Cell] = field(default_factory=dict)
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1)]
    faults: tuple[Fault, ...] = ()
    remember: tuple[Text, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all stages, in order."""
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(check for stage in self.stages for check in stage.checkpoint)

    @property
    def makers(self) -> dict[str, Step]:
        """By the name of each profile that a step makes, that step."""
        return {step.profile.name: step for step in self.steps if step.profile}


class Lab(LabFile, frozen=True, kw_only=True):
    """A checked lab. ``sha256`` covers its file and all that it includes, in hex."""

    path: Path
    sha256: str
    includes: tuple[Path, ...] = ()

    def stage(self, name: str) -> Stage | None:
        named = enumerate(self.stages, 1)  # by its number or its id
        return next((stage for at, stage in named if name in (str(at), stage.id)), None)
