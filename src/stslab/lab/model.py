"""The lab format as frozen values: what a lab is once it is read, and what its keys mean.

Where YAML's word is a Python keyword, the attribute has a name of its own and the file's
word is its alias: ``as`` is ``identity``, ``with`` is ``params``, ``from`` is ``source``.

How a file may write a value in a shorter way stands in its type's ``extra``: ``one`` (a list's
only item without the list), ``none`` (the word for an empty list) and ``read`` (a function that
makes the value of what is written, or raises ValueError with the fix). A part's ``SHORT`` is the
key that a plain text stands for; it has one of the keys in its ``ONE_OF``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from stslab.vocabulary import Gate

LONGEST_WAIT = 3600.0
DENIALS = ("AccessDenied", "AccessDeniedException", "403")
"""The codes with which AWS answers what is not allowed; a check with one says by which gates."""

_DURATION = re.compile(r"(?:(?P<m>\d{1,4})m)?(?:(?P<s>\d{1,5}(?:\.\d{1,3})?)s)?")
_CHANGE = r"^([A-Za-z_]\w*) may( not)? ([a-z][a-z0-9-]*)(?: \(([a-z ,]+)\))?$"


def _seconds(value: object) -> float:
    """``60s``, ``2m`` or ``1m30s`` as seconds."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found or not value:
        raise ValueError("Write a time with its unit, as in 60s, 2m or 1m30s.")
    seconds = 60 * float(found["m"] or 0) + float(found["s"] or 0)
    if not 0 < seconds <= LONGEST_WAIT:
        raise ValueError("A wait is longer than 0 s and at most 60m.")
    return seconds


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
Seconds = Annotated[
    float,
    Meta(
        extra={
            "read": _seconds,
            "written": {"type": "string", "pattern": r"^(?=.)(\d+m)?(\d+(\.\d+)?s)?$"},
        }
    ),
]


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MOVE = r"^[+-](\d{1,7}[smhdw])+$"


def _move(value: object) -> float:
    """``+61m``, ``+1d12h`` or ``-30m`` as seconds."""
    if not isinstance(value, str) or not re.fullmatch(_MOVE, value):
        raise ValueError("Write how far to move the clock, as in +61m, +1d12h or -30m.")
    parts = re.findall(r"(\d+)([smhdw])", value)
    return (-1 if value[0] == "-" else 1) * float(sum(int(n) * _UNITS[unit] for n, unit in parts))


def _change(value: object) -> "Change":
    """``sts may assume-role``, ``sts may not assume-role (boundary)`` as a change of a cell."""
    found = re.fullmatch(_CHANGE, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("Write it as in: sts may assume-role, or: sts may not delete (boundary).")
    identity, refused, cell, gates = found.groups()
    by = [one.strip() for one in (gates or "").split(",") if one.strip()]
    if by and not refused:
        raise ValueError("Only a refusal has gates: say `may not`, or leave them out.")
    if unknown := [one for one in by if one not in list(Gate)]:
        raise ValueError(f"There is no gate {unknown[0]!r}. There are: {', '.join(Gate)}.")
    return Change(identity=identity, cell=cell, allowed=not refused, by=tuple(map(Gate, by)))


def _ask(value: object) -> str | None:
    """``true`` as an empty text, or the concept that a prediction is about."""
    if isinstance(value, bool):
        return "" if value else None
    if isinstance(value, str) and value:
        return value
    raise ValueError("Write true, or in a few words what the question is about.")


class Part(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"identity": "as", "identities": "as", "params": "with", "source": "from"},
):
    """Any part of a lab; what its keys mean stands in keys.txt."""

    SHORT: ClassVar[str] = ""
    ONE_OF: ClassVar[tuple[str, ...]] = ()


class _Calls(Part, frozen=True, kw_only=True):
    """A part that names an API call."""

    @property
    def service(self) -> str:
        """The service of ``call``, as boto3 names it: ``iam``."""
        return str(getattr(self, "call", None) or "").partition(".")[0]

    @property
    def operation(self) -> str:
        """The operation of ``call``, by the API's own name: ``CreateUser``."""
        return str(getattr(self, "call", None) or "").partition(".")[2]


class Wait(Part, frozen=True, kw_only=True):
    """A botocore waiter to wait for after the call."""

    SHORT: ClassVar[str] = "waiter"

    waiter: Word
    params: Params | None = None  # in a loaded lab always there


class Undo(_Calls, frozen=True, kw_only=True):
    """The call that undoes a step."""

    SHORT: ClassVar[str] = "call"

    call: Call
    params: Params | None = None  # as the identity: filled in, where there is a catalogue
    identity: Word | None = None
    wait: Wait | None = None


class Profile(Part, frozen=True, kw_only=True):
    """Credentials in the response, and the AWS profile that they go to."""

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
    """How a profile gets its credentials, as ``~/.aws/config`` has it."""

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
    line: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The profiles that its credentials come from, or may; none for a token."""
        exported = (self.credential_process or "").split()[4:5]
        named = (self.source_profile, *exported, self.environment, self.named)
        return tuple(filter(None, named))

    @property
    def named(self) -> str:
        """The profile that a shell names, beside the keys in its environment."""
        return self.profile or self.option or ""

    @property
    def values(self) -> dict[str, str]:
        """What of it is said, by AWS's names."""
        said = {name: getattr(self, name) for name in self.__struct_fields__ if name != "line"}
        return {name: value for name, value in said.items() if value is not None}


class Step(_Calls, frozen=True, kw_only=True):
    """A call that does something, or in its place ``clock`` or ``token``."""

    ONE_OF = ("call", "clock", "token")

    title: Text
    identity: Word = "admin"
    call: Call = ""  # in a loaded lab of ``clock`` and ``token`` too, with its ``params``
    clock: Annotated[
        float | None, Meta(extra={"read": _move, "written": {"type": "string", "pattern": _MOVE}})
    ] = None
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
    line: int = 0  # where it begins in the lab's file


class Check(_Calls, frozen=True, kw_only=True):
    """A claim, and the call that proves it; it changes nothing and may be repeated."""

    says: Text
    identity: Word = "admin"
    call: Call | None = None
    params: Params = field(default_factory=dict)
    expect: Text | None = None
    fails: Annotated[tuple[Code, ...], Meta(extra={"one": True})] = ()
    by: Annotated[tuple[Gate, ...], Meta(extra={"one": True, "none": "none"})] = ()
    key: Text | None = None
    ask: Annotated[
        str | None, Meta(extra={"read": _ask, "written": {"type": ["boolean", "string"]}})
    ] = None
    because: Text | None = None
    within: Seconds | None = None
    profiles_gone: tuple[Word, ...] = ()
    line: int = 0  # where it begins in the lab's file


class Cell(_Calls, frozen=True, kw_only=True):
    """One thing that somebody may do or not: a row of the table of who can do what."""

    says: Text
    identities: Annotated[tuple[Word, ...], Meta(extra={"one": True})]
    call: Call
    params: Params = field(default_factory=dict)
    line: int = 0


class Change(Part, frozen=True, kw_only=True):
    """What a stage makes of one cell: allowed, or refused ``by`` these gates."""

    identity: str
    cell: str
    allowed: bool
    by: tuple[Gate, ...] = ()


class Action(_Calls, frozen=True, kw_only=True):
    """A call of a fault: it breaks the set-up, or fixes it."""

    identity: Word = "admin"
    call: Call
    params: Params = field(default_factory=dict)


class Fault(Part, frozen=True, kw_only=True):
    """One change that breaks a working set-up, for the learner to find and fix."""

    id: Slug
    title: Text
    after: Slug
    change: tuple[Action, ...]
    fix: tuple[Action, ...]
    hints: tuple[Text, ...] = ()
    line: int = 0


class Page(Part, frozen=True, kw_only=True):
    """A page of AWS's documentation."""

    title: Text
    url: Url


class Stage(Part, frozen=True, kw_only=True):
    """Steps that do, and a checkpoint, a list of checks that prove."""

    id: Slug
    title: Text
    intro: Text
    explain: Text | None = None
    pages: tuple[Page, ...] = ()
    changes: tuple[
        Annotated[
            Change, Meta(extra={"read": _change, "written": {"type": "string", "pattern": _CHANGE}})
        ],
        ...,
    ] = ()
    steps: tuple[Step, ...] = ()
    checkpoint: tuple[Check, ...] = ()
    cleanup: bool = False
    line: int = 0  # where it begins in the lab's file


class Uses(Part, frozen=True, kw_only=True):
    """What a lab needs that is not the run's own. The person is told of it."""

    roles: tuple[Text, ...] = ()
    accounts: tuple[Text, ...] = ()


class LabFile(Part, frozen=True, kw_only=True):
    """What stands in a lab's file."""

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


class Lab(LabFile, frozen=True, kw_only=True):
    """A lab that has been checked. ``sha256`` is of its file and all that it includes, in hex."""

    path: Path
    sha256: str
    includes: tuple[Path, ...] = ()

    def stage(self, stage_id: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.id == stage_id), None)
