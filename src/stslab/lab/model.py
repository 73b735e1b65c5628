"""The lab format as frozen values: what ``stslab.lab.load`` gives, and the JSON Schema's source.

Where YAML's word is a Python keyword, the attribute has a name of its own and the file's
word is its alias: ``as`` is ``identity``, ``with`` is ``params``, ``from`` is ``source``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

LONGEST_WAIT = 3600.0
_DURATION = re.compile(r"(?:(?P<m>\d{1,4})m)?(?:(?P<s>\d{1,5}(?:\.\d{1,3})?)s)?")


def _seconds(value: object) -> object:
    """``60s``, ``2m`` or ``1m30s`` as seconds."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found or not value:
        raise ValueError("write a time with its unit, as in 60s, 2m or 1m30s")
    seconds = 60 * float(found["m"] or 0) + float(found["s"] or 0)
    if not 0 < seconds <= LONGEST_WAIT:
        raise ValueError("a wait is longer than 0 s and at most 60m")
    return seconds


def _waiter(value: object) -> object:
    return {"waiter": value} if isinstance(value, str) else value


def _undos(value: object) -> object:
    """``none``, an operation, a call, or a list of the latter two: always as a list."""
    if value == "none":
        return ()
    listed = value if isinstance(value, list) else [value]
    return [{"call": one} if isinstance(one, str) else one for one in listed]


def _codes(value: object) -> object:
    return value if isinstance(value, list) else [value]


Word = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Text = Annotated[str, Field(min_length=1)]
Call = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[A-Z][A-Za-z0-9]+$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,128}$")]
Params = Mapping[str, Any]
Seconds = Annotated[
    float,
    BeforeValidator(
        _seconds,
        json_schema_input_type=Annotated[str, Field(pattern=r"^(?=.)(\d+m)?(\d+(\.\d+)?s)?$")],
    ),
]


class Part(BaseModel):
    """Any part of a lab: frozen, strict about types, and refusing keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=False, validate_by_alias=True
    )


class _Calls(Part):
    """A part that names an API call."""

    @property
    def service(self) -> str:
        """The service of ``call``, as boto3 names it: ``iam``."""
        return str(getattr(self, "call", None) or "").partition(".")[0]

    @property
    def operation(self) -> str:
        """The operation of ``call``, by the API's own name: ``CreateUser``."""
        return str(getattr(self, "call", None) or "").partition(".")[2]


class Wait(Part):
    """A botocore waiter to wait for after the call.

    ``params`` is what it polls with. A loaded lab always has it: where the file has none, it
    is those of the call's parameters that the polled operation takes too.
    """

    waiter: Word = Field(description="A boto3 waiter of the call's service, in snake case.")
    params: Params | None = Field(
        default=None,
        alias="with",
        description="What to poll with; else taken from the call's `with`.",
    )


WaitField = Annotated[Wait, BeforeValidator(_waiter, json_schema_input_type=Word | Wait)]


class Undo(_Calls):
    """The call that takes a step back.

    In a lab loaded with a catalogue ``params`` and ``identity`` are always filled in.
    """

    call: Call = Field(description="service.Operation, as in iam.DeleteUser.")
    params: Params | None = Field(
        default=None,
        alias="with",
        description="Parameters; else those of the step's that the undo operation takes too.",
    )
    identity: Word | None = Field(
        default=None, alias="as", description="Who calls: a profile; else the step's own."
    )
    wait: WaitField | None = Field(
        default=None, description="A boto3 waiter to wait for afterwards."
    )


UndoField = Annotated[
    tuple[Undo, ...],
    BeforeValidator(
        _undos, json_schema_input_type=Literal["none"] | Call | Undo | list[Call | Undo]
    ),
    Field(strict=False),
]


class Profile(Part):
    """Credentials in the response, and the AWS profile that they go to."""

    name: Word = Field(description="The profile's name, for `as` of later steps and checks.")
    source: Text = Field(
        alias="from", description="JMESPath over the response, to the structure of credentials."
    )


class Step(_Calls):
    """A call that does something."""

    title: Text = Field(description="What it does, as a heading.")
    identity: Word = Field(default="admin", alias="as", description="Who calls: a profile.")
    call: Call = Field(description="service.Operation, as in iam.CreateUser.")
    params: Params = Field(
        default_factory=dict,
        alias="with",
        description="The call's parameters, as the API has them.",
    )
    wait: WaitField | None = Field(
        default=None, description="A boto3 waiter to wait for afterwards."
    )
    within: Seconds | None = Field(
        default=None,
        description="Try for so long until it succeeds, where the target is eventually consistent.",
    )
    save: Mapping[Word, Text] = Field(
        default_factory=dict, description="Variables to save: JMESPath over the response."
    )
    show: Mapping[Text, Text] = Field(
        default_factory=dict, description="Lines worth showing: JMESPath over the response."
    )
    profile: Profile | None = Field(
        default=None, description="The profile that new credentials go to."
    )
    undo: UndoField | None = Field(
        default=None,
        description="The call that takes it back; none where there is nothing to take back.",
    )
    why: Text | None = Field(default=None, description="Why the step is there, in a sentence.")
    line: SkipJsonSchema[int] = 0  # where it begins in the lab's file


class Check(_Calls):
    """A claim, and the call that proves it; it changes nothing and may be repeated."""

    says: Text = Field(description="The claim, as a sentence.")
    identity: Word = Field(default="admin", alias="as", description="Who calls: a profile.")
    call: Call | None = Field(default=None, description="service.Operation, as in iam.GetUser.")
    params: Params = Field(
        default_factory=dict,
        alias="with",
        description="The call's parameters, as the API has them.",
    )
    expect: Text | None = Field(
        default=None, description="JMESPath over the response, which must come out true."
    )
    fails: Annotated[
        tuple[Code, ...],
        BeforeValidator(_codes, json_schema_input_type=Code | list[Code]),
        Field(strict=False),
    ] = Field(
        default=(), description="The error code that AWS must answer, or a list of such codes."
    )
    because: Text | None = Field(default=None, description="Why AWS refuses, in a sentence or two.")
    within: Seconds | None = Field(
        default=None,
        description="Try until it holds, for so long, where the target is eventually consistent.",
    )
    profiles_gone: Annotated[tuple[Word, ...], Field(strict=False)] = Field(
        default=(),
        description="In place of a call, in the cleanup stage: profiles that must be gone.",
    )
    line: SkipJsonSchema[int] = 0  # where it begins in the lab's file


class Page(Part):
    """A page of AWS's documentation."""

    title: Text
    url: Annotated[str, Field(pattern=r"^https://docs\.aws\.amazon\.com/\S+$")]


class Stage(Part):
    """Steps that do, and a checkpoint, a list of checks that prove.

    A ``cleanup`` stage has no steps: it undoes everything of the run, then is proved.
    """

    id: Slug = Field(description="Its name on the command line.")
    title: Text = Field(description="Its heading.")
    intro: Text = Field(description="What and why, in Markdown, shown before the steps.")
    explain: Text | None = Field(default=None, description="The deeper story, in Markdown.")
    pages: Annotated[tuple[Page, ...], Field(strict=False)] = Field(
        default=(), description="The pages of AWS's documentation that tell more."
    )
    steps: Annotated[tuple[Step, ...], Field(strict=False)] = ()
    checkpoint: Annotated[tuple[Check, ...], Field(strict=False)] = ()
    cleanup: bool = Field(default=False, description="Whether it undoes everything of the run.")
    line: SkipJsonSchema[int] = 0  # where it begins in the lab's file


class LabFile(Part):
    """What stands in a lab's file."""

    stslab: Literal[1] = Field(description="The version of the format.")
    id: Slug = Field(description="Its name on the command line.")
    title: Text = Field(description="Its heading.")
    summary: Text | None = Field(default=None, description="What it teaches, in Markdown.")
    vars: Mapping[Word, Any] = Field(
        default_factory=dict, description="Values that calls refer to with ${{ name }}."
    )
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)]


class Lab(LabFile):
    """A lab that has been checked. ``sha256`` is of its file's bytes, in hex."""

    path: Path
    sha256: str

    def stage(self, stage_id: str) -> Stage | None:
        """The stage of this id, or None."""
        return next((stage for stage in self.stages if stage.id == stage_id), None)
