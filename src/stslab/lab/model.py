"""The lab format as frozen values: what a lab is once it is read, and the JSON Schema's source.

Where YAML's word is a Python keyword, the attribute has a name of its own and the file's
word is its alias: ``as`` is ``identity``, ``with`` is ``params``, ``from`` is ``source``.

How a file may write a value in a shorter way stands in its type's ``extra``: ``one`` (a list's
only item without the list), ``none`` (the word for an empty list) and ``read`` (a function that
makes the value of what is written). A part's ``SHORT`` is the key that a plain text stands for;
it has one of the keys in its ``ONE_OF``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from stslab.policy.vocabulary import Gate

LONGEST_WAIT = 3600.0
DENIALS = ("AccessDenied", "AccessDeniedException", "403")
"""The codes with which AWS answers what is not allowed; a check with one says by which gates."""

_DURATION = re.compile(r"(?:(?P<m>\d{1,4})m)?(?:(?P<s>\d{1,5}(?:\.\d{1,3})?)s)?")


def _seconds(value: object) -> float:
    """``60s``, ``2m`` or ``1m30s`` as seconds.

    Raises:
        ValueError: it is not written so; its text is the fix.
    """
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
    """``+61m``, ``+1d12h`` or ``-30m`` as seconds.

    Raises:
        ValueError: it is not written so; its text is the fix.
    """
    if not isinstance(value, str) or not re.fullmatch(_MOVE, value):
        raise ValueError("Write how far to move the clock, as in +61m, +1d12h or -30m.")
    parts = re.findall(r"(\d+)([smhdw])", value)
    return (-1 if value[0] == "-" else 1) * float(sum(int(n) * _UNITS[unit] for n, unit in parts))


_CHANGE = r"^([A-Za-z_]\w*) may( not)? ([a-z][a-z0-9-]*)(?: \(([a-z ,]+)\))?$"


def _change(value: object) -> "Change":
    """``sts may assume-role``, ``sts may not assume-role (boundary)`` as a change of a cell.

    Raises:
        ValueError: it is not written so; its text is the fix.
    """
    found = re.fullmatch(_CHANGE, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("Write it as in: sts may assume-role, or: sts may not delete (boundary).")
    identity, refused, cell, gates = found.groups()
    by = [one.strip() for one in (gates or "").split(",") if one.strip()]
    if by and not refused:
        raise ValueError("Only a refusal has gates: say `may not`, or leave them out.")
    if unknown := [one for one in by if one not in list(Gate)]:
        raise ValueError(f"There is no gate {unknown[0]!r}. There are: {', '.join(Gate)}.")
    gates_named = tuple(map(Gate, by))
    return Change(identity=identity, cell=cell, allowed=not refused, by=gates_named)


def _ask(value: object) -> str | None:
    """``true`` as an empty text, or the concept that a prediction is about.

    Raises:
        ValueError: it is neither; its text is the fix.
    """
    if isinstance(value, bool):
        return "" if value else None
    if isinstance(value, str) and value:
        return value
    raise ValueError("Write true, or in a few words what the question is about.")


def _says(description: str) -> Meta:
    return Meta(description=description)


class Part(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"identity": "as", "identities": "as", "params": "with", "source": "from"},
):
    """Any part of a lab."""

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
    """A botocore waiter to wait for after the call.

    ``params`` is what it polls with. A loaded lab always has it: where the file has none, it
    is those of the call's parameters that the polled operation takes too.
    """

    SHORT: ClassVar[str] = "waiter"

    waiter: Annotated[Word, _says("A boto3 waiter of the call's service, in snake case.")]
    params: Annotated[
        Params | None, _says("What to poll with; else taken from the call's `with`.")
    ] = None


class Undo(_Calls, frozen=True, kw_only=True):
    """The call that undoes a step.

    In a lab loaded with a catalogue ``params`` and ``identity`` are always filled in.
    """

    SHORT: ClassVar[str] = "call"

    call: Annotated[Call, _says("service.Operation, as in iam.DeleteUser.")]
    params: Annotated[
        Params | None,
        _says("Parameters; else those of the step's that the undo operation takes too."),
    ] = None
    identity: Annotated[Word | None, _says("Who calls: a profile; else the step's own.")] = None
    wait: Annotated[Wait | None, _says("A boto3 waiter to wait for afterwards.")] = None


class Profile(Part, frozen=True, kw_only=True):
    """Credentials in the response, and the AWS profile that they go to."""

    name: Annotated[Word, _says("The profile's name, for `as` of later steps and checks.")]
    source: Annotated[Text, _says("JMESPath over the response, to the structure of credentials.")]
    spoil: Annotated[
        Literal["SessionToken", "SecretAccessKey"] | None,
        _says("What is wrong in the profile on purpose: no SessionToken, another SecretAccessKey."),
    ] = None


class Token(Part, frozen=True, kw_only=True):
    """A token of an OpenID Connect provider, which the embedded account mints."""

    sub: Annotated[Text, _says("The subject: who the token is about.")]
    aud: Annotated[Text, _says("The audience: a client id that the provider lists.")]
    claims: Annotated[Mapping[Text, Any], _says("Further claims.")] = field(default_factory=dict)
    issuer: Annotated[Text | None, _says("The issuer's URL; else the account's own issuer.")] = None


class ProfileSettings(Part, frozen=True, kw_only=True):
    """How a profile gets its credentials, as ``~/.aws/config`` has it."""

    role_arn: Annotated[Text | None, _says("The role that it assumes.")] = None
    source_profile: Annotated[Word | None, _says("The profile that assumes the role.")] = None
    role_session_name: Annotated[Text | None, _says("The session's name.")] = None
    external_id: Annotated[Text | None, _says("The external id that it gives.")] = None
    duration_seconds: Annotated[
        DurationSeconds | None, _says("How long its sessions are, in seconds.")
    ] = None
    mfa_serial: Annotated[Text | None, _says("The MFA device whose code it gives.")] = None
    web_identity_token_file: Annotated[
        TokenFile | None, _says("${{ token_file }}: a step's token, in place of source_profile.")
    ] = None
    credential_process: Annotated[
        Exports | None, _says("The AWS CLI's command that exports another profile.")
    ] = None
    line: int = 0

    @property
    def source(self) -> str:
        """The profile that its credentials come from; nothing for a token."""
        exported = (self.credential_process or "").split()[4:5]
        return self.source_profile or "".join(exported)

    @property
    def values(self) -> dict[str, str]:
        """What of it is said, by AWS's names."""
        return {
            name: value
            for name in self.__struct_fields__
            if name != "line" and (value := getattr(self, name)) is not None
        }


_With = Annotated[Params, _says("The call's parameters, as the API has them.")]
_As = Annotated[Word, _says("Who calls: a profile.")]


class Step(_Calls, frozen=True, kw_only=True):
    """A call that does something, or in its place ``clock`` or ``token``.

    In a loaded lab those two have their ``call`` and ``params`` too. ``line`` is where it begins
    in the lab's file.
    """

    ONE_OF = ("call", "clock", "token")

    title: Annotated[Text, _says("What it does, as a heading.")]
    identity: _As = "admin"
    call: Annotated[Call, _says("service.Operation, as in iam.CreateUser.")] = ""
    clock: Annotated[
        float | None,
        Meta(
            extra={"read": _move, "written": {"type": "string", "pattern": _MOVE}},
            description="In place of a call, on the embedded account only: moves its clock.",
        ),
    ] = None
    token: Annotated[
        Token | None,
        _says("In place of a call, on the embedded account only: a token, for ${{ token }}."),
    ] = None
    params: _With = field(default_factory=dict)
    wait: Annotated[Wait | None, _says("A boto3 waiter to wait for afterwards.")] = None
    within: Annotated[
        Seconds | None,
        _says("Try for so long until it succeeds, where the target is eventually consistent."),
    ] = None
    save: Annotated[
        Mapping[Word, Text], _says("Variables to save: JMESPath over the response.")
    ] = field(default_factory=dict)
    show: Annotated[
        Mapping[Text, Text], _says("Lines worth showing: JMESPath over the response.")
    ] = field(default_factory=dict)
    profile: Annotated[Profile | None, _says("The profile that new credentials go to.")] = None
    undo: Annotated[
        tuple[Undo, ...] | None,
        Meta(
            extra={"one": True, "none": "none"},
            description="The call that undoes it; none where there is nothing to undo.",
        ),
    ] = None
    task: Annotated[Text | None, _says("What the learner reaches by hand in its place.")] = None
    hints: Annotated[tuple[Text, ...], _says("A nudge, then a pointer.")] = ()
    why: Annotated[Text | None, _says("Why the step is there, in a sentence.")] = None
    line: int = 0


class Check(_Calls, frozen=True, kw_only=True):
    """A claim, and the call that proves it; it changes nothing and may be repeated.

    ``line`` is where it begins in the lab's file.
    """

    says: Annotated[Text, _says("The claim, as a sentence.")]
    identity: _As = "admin"
    call: Annotated[Call | None, _says("service.Operation, as in iam.GetUser.")] = None
    params: _With = field(default_factory=dict)
    expect: Annotated[
        Text | None, _says("JMESPath over the response, which must come out true.")
    ] = None
    fails: Annotated[
        tuple[Code, ...],
        Meta(
            extra={"one": True},
            description="The error code that AWS must answer, or a list of such codes.",
        ),
    ] = ()
    by: Annotated[
        tuple[Gate, ...],
        Meta(
            extra={"one": True, "none": "none"},
            description="The gates that refuse, all of them; none: a rule of the service does.",
        ),
    ] = ()
    key: Annotated[Text | None, _says("The condition key that decides, as in sts:ExternalId.")] = (
        None
    )
    ask: Annotated[
        str | None,
        Meta(
            extra={"read": _ask, "written": {"type": ["boolean", "string"]}},
            description="The learner predicts first: true, or what the question is about.",
        ),
    ] = None
    because: Annotated[Text | None, _says("Why AWS refuses, in a sentence or two.")] = None
    within: Annotated[
        Seconds | None,
        _says("Try until it holds, for so long, where the target is eventually consistent."),
    ] = None
    profiles_gone: Annotated[
        tuple[Word, ...],
        _says("In place of a call, in the cleanup stage: profiles that must be gone."),
    ] = ()
    line: int = 0


class Cell(_Calls, frozen=True, kw_only=True):
    """One thing that somebody may do or not: a row of the table of who can do what."""

    says: Annotated[Text, _says("What it is, as in: assume the role.")]
    identities: Annotated[
        tuple[Word, ...],
        Meta(extra={"one": True}, description="Who could: profiles, each with a cell of its own."),
    ]
    call: Annotated[Call, _says("service.Operation, as in sts.AssumeRole.")]
    params: _With = field(default_factory=dict)
    line: int = 0


class Change(Part, frozen=True, kw_only=True):
    """What a stage makes of one cell: allowed, or refused ``by`` these gates."""

    identity: str
    cell: str
    allowed: bool
    by: tuple[Gate, ...] = ()


class Action(_Calls, frozen=True, kw_only=True):
    """A call of a fault: it breaks the set-up, or fixes it."""

    identity: _As = "admin"
    call: Annotated[Call, _says("service.Operation, as in iam.UpdateAssumeRolePolicy.")]
    params: _With = field(default_factory=dict)


class Fault(Part, frozen=True, kw_only=True):
    """One change that breaks a working set-up, for the learner to find and fix."""

    id: Annotated[Slug, _says("Its name on the command line.")]
    title: Annotated[Text, _says("The symptom, as a colleague would report it.")]
    after: Annotated[Slug, _says("The stage after which it is planted.")]
    change: Annotated[tuple[Action, ...], _says("The calls that break the set-up.")]
    fix: Annotated[tuple[Action, ...], _says("The calls that fix it.")]
    hints: Annotated[tuple[Text, ...], _says("A nudge, then a pointer.")] = ()
    line: int = 0


class Page(Part, frozen=True, kw_only=True):
    """A page of AWS's documentation."""

    title: Text
    url: Url


class Stage(Part, frozen=True, kw_only=True):
    """Steps that do, and a checkpoint, a list of checks that prove.

    A ``cleanup`` stage has no steps: it undoes everything of the run, then is proved. ``line``
    is where it begins in the lab's file.
    """

    id: Annotated[Slug, _says("Its name on the command line.")]
    title: Annotated[Text, _says("Its heading.")]
    intro: Annotated[Text, _says("What and why, in Markdown, shown before the steps.")]
    explain: Annotated[Text | None, _says("The deeper story, in Markdown.")] = None
    pages: Annotated[
        tuple[Page, ...], _says("The pages of AWS's documentation that tell more.")
    ] = ()
    changes: Annotated[
        tuple[
            Annotated[
                Change,
                Meta(extra={"read": _change, "written": {"type": "string", "pattern": _CHANGE}}),
            ],
            ...,
        ],
        _says("What it changes in the table of who can do what, and nothing else."),
    ] = ()
    steps: tuple[Step, ...] = ()
    checkpoint: tuple[Check, ...] = ()
    cleanup: Annotated[bool, _says("Whether it undoes everything of the run.")] = False
    line: int = 0


class Uses(Part, frozen=True, kw_only=True):
    """What a lab needs that is not the run's own. The person is told of it."""

    roles: Annotated[
        tuple[Text, ...], _says("ARNs of roles that it may assume, or hand to a service.")
    ] = ()
    accounts: Annotated[
        tuple[Text, ...], _says("Ids of accounts that it may let in; `*` is everyone.")
    ] = ()


class LabFile(Part, frozen=True, kw_only=True):
    """What stands in a lab's file."""

    stslab: Annotated[Literal[1], _says("The version of the format.")]
    id: Annotated[Slug, _says("Its name on the command line.")]
    title: Annotated[Text, _says("Its heading.")]
    summary: Annotated[Text | None, _says("What it teaches, in Markdown.")] = None
    after: Annotated[Slug | None, _says("The id of the lab that it builds on.")] = None
    vars: Annotated[Mapping[Word, Any], _says("Values that calls refer to with ${{ name }}.")] = (
        field(default_factory=dict)
    )
    accounts: Annotated[
        tuple[Literal["partner"], ...],
        _says("Further accounts: partner, the identity that administers the second one."),
    ] = ()
    profiles: Annotated[
        Mapping[Word, ProfileSettings],
        _says("Profiles that say how they get their credentials, for `as`."),
    ] = field(default_factory=dict)
    env: Annotated[
        Mapping[EnvName, Text],
        _says("Variables that `stslab env` and the prompt export, and shown commands use."),
    ] = field(default_factory=dict)
    access: Annotated[
        Mapping[Slug, Cell],
        _says("Who can do what. A cell is denied until a stage changes it."),
    ] = field(default_factory=dict)
    tokens: Annotated[
        Mapping[Word, Token],
        _says("Tokens for ${{ tokens.NAME }}, each asked for when it is used; embedded only."),
    ] = field(default_factory=dict)
    remember: Annotated[
        tuple[Text, ...], _says("What to remember of it, in a sentence each, told at the end.")
    ] = ()
    uses: Annotated[Uses, _says("What it needs that is not the run's own.")] = Uses()
    services: Annotated[
        tuple[Service, ...],
        _says("Services beyond iam, sts, s3 and cloudformation; on a real account each is asked."),
    ] = ()
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1)]
    faults: Annotated[
        tuple[Fault, ...], _says("What can break the set-up, for the learner to find and fix.")
    ] = ()


class Lab(LabFile, frozen=True, kw_only=True):
    """A lab that has been checked. ``sha256`` is of its file and all that it includes, in hex."""

    path: Path
    sha256: str
    includes: tuple[Path, ...] = ()

    def stage(self, stage_id: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.id == stage_id), None)
