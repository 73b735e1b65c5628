"""What clients put around AWS's sentence: broken lines, JSON, XML, codes and operations."""

import html
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import jmespath

from stslab.policy.messages.message import Message, table

_MOST_VALUES: Final = 100_000
_NEAR: Final = 2_048  # characters on each side within which an error's code stands

DENIALS: Final = (
    "AccessDeniedException|AccessDenied|AllAccessDisabled|AuthorizationErrorException|"
    "AuthorizationError|NotAuthorized|UnauthorizedAccess|UnauthorizedOperation"
)
"""The codes of a refusal, as a pattern: IAM's, EC2's, SNS's, S3's."""

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_BORDER: Final = re.compile(r"^[ \t]{0,20}[│┃║╷╵╎▏>] ?")
_WIDEST: Final = 240  # columns of a terminal that wraps
_REST: Final = re.compile(r"[\w+,.@/:*<>{}-]{1,2048}")
_RUN: Final = re.compile(r"[A-Za-z0-9/+]{32,}")


def spaced(pattern: str) -> re.Pattern[str]:
    """The pattern; where it has a blank, a line may have been broken."""
    return re.compile(pattern.replace(" ", r"\s"))


_FRAMES: Final = (
    spaced(
        r"An error occurred \((?P<code>[\w.]{1,100})\) "
        r"when calling the (?P<operation>\w{1,100}) operation"
    ),
    spaced(r"\boperation error (?P<service>[\w ]{1,60}): (?P<operation>\w{1,100}),"),
    spaced(r"\bapi error (?P<code>[\w.]{1,100}):"),
    spaced(r"\(Service: (?:Amazon|AWS)? ?(?P<service>[\w ]{1,60})[;,]"),
    spaced(r"\bError Code: (?P<code>[\w.]{1,100})"),
    spaced(r'\bError executing "(?P<operation>\w{1,100})" on\b'),
    spaced(r"<Code> ?(?P<code>[\w.]{1,100}) ?</Code>"),
    spaced(r"\bErrors::(?P<code>\w{1,100})"),
    spaced(rf"(?P<code>{DENIALS})\b"),
)
_PREFIXES: Final = {"securitytokenservice": "sts"}


def _action(service: str, operation: str) -> str:
    """The action that a service's operation asks for; empty where its name does not tell."""
    if service not in table("facts")["named alike"]:
        return ""
    s3 = table("facts")["s3 actions"] if service == "s3" else {}
    return f"{service}:{s3.get(operation, operation)}"


def frame_near(line: str, at: int) -> Message:
    """The code, the service and the operation next to a place of the line, before it or behind."""
    found: dict[str, str] = {}
    called = ""  # the service in whose name the operation was called
    for frame in _FRAMES:
        near = list(frame.finditer(line, max(at - _NEAR, 0), at + _NEAR))
        before = [match for match in near if match.start() <= at]
        for match in before[-1:] or near[:1]:
            groups = match.groupdict()
            called = called or (groups.get("service", "") if "operation" in groups else "")
            found = {**groups, **found}
    operation = found.get("operation", "")
    own = "s3" if operation in table("facts")["s3 actions"] else ""
    return Message(
        code=found.get("code", "").rpartition(".")[2],
        service=_prefix(found.get("service", "")) or own,
        operation=operation,
        action=_action(_prefix(called) or own, operation),
    )


def _prefix(service: str) -> str:
    """A service's name as SDKs write it, as actions begin with it."""
    plain = "".join(service.split()).lower()
    return _PREFIXES.get(plain, plain)


class Unwrapped(NamedTuple):
    """A text whose lines may have been broken by a terminal.

    ``between_words``: as if a line ended where a word does. ``anywhere``: as if lines that are
    as long as the terminal was wide go on in the next one, which may be ``likely``.
    """

    between_words: str
    anywhere: str
    likely: bool


def unwrapped(text: str) -> Unwrapped:
    """The text without what frames it, its lines joined in both ways."""
    lines = _ESCAPES.sub("", text).replace("\r", "").strip("\n").split("\n")
    width = max(map(len, lines))
    bare = [_BORDER.sub("", line) for line in lines]
    ends = ["" if len(line) == width else "\n" for line in lines]
    next_to_first = bare[ends.index("") + 1 :][:1]
    return Unwrapped(
        _plain("\n".join(bare)),
        _plain("".join(part for pair in zip(bare, ends, strict=True) for part in pair)),
        likely=ends.count("") > 1 or (width <= _WIDEST and any(map(_goes_on, next_to_first))),
    )


def _goes_on(line: str) -> bool:
    """Whether the line can be the rest of a broken word: no prompt, no setting, no secret."""
    word = line.partition(" ")[0].rstrip(".,;:)\"'")
    runs = _RUN.findall(word)
    mixed = [run for run in runs if not (run.isalpha() or run.islower() or run.isupper())]
    return bool(_REST.fullmatch(word)) and not mixed


def _plain(text: str) -> str:
    """Without what XML, or text in quotation marks, writes otherwise; one blank between words."""
    if "</" in text:
        text = html.unescape(text).replace("</", " </")
    lines = text.replace('\\"', '"').replace("\\n", "\n").split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def unpacked(text: str) -> tuple[str, Message]:
    """The sentence of a CloudTrail event, or of any JSON, with what else the event says.

    Text that is no JSON comes back as it is. JSON may have been wrapped by a terminal.
    """
    values = _values_of(text) or _values_of(text.replace("\r", "").replace("\n", ""))
    for value in values:
        if isinstance(value, Mapping) and value.get("errorCode") and value.get("eventName"):
            return str(value.get("errorMessage") or value["errorCode"]), _of_event(value)
    return "\n".join(value for value in values if isinstance(value, str)) or text, Message()


def _values_of(text: str) -> list[object]:
    """What is in a JSON document; nothing in any other text."""
    text = text.strip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        return []
    try:
        return list(_values(json.loads(text)))
    except (ValueError, RecursionError):
        return []


def _values(document: object) -> Iterator[object]:
    """All values, those of outer structures first; CloudTrail's events may be JSON as text."""
    waiting = deque([document])
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value = waiting.popleft()
        yield value
        if isinstance(value, Mapping):
            packed = value.get("CloudTrailEvent")
            waiting.extend([json.loads(packed)] if isinstance(packed, str) else value.values())
        elif isinstance(value, list):
            waiting.extend(value)


_EVENT: Final = jmespath.compile(
    """{
        code: errorCode, operation: eventName, service: eventSource,
        caller: userIdentity.arn || userIdentity.invokedBy,
        resource: resources[0].ARN || requestParameters.roleArn,
        bucket: requestParameters.bucketName, key: requestParameters.key
    }"""
)


def _of_event(event: Mapping[str, object]) -> Message:
    """What "CloudTrail record contents" has beside the message."""
    found = {
        name: value if isinstance(value, str) else ""
        for name, value in _EVENT.search(event).items()
    }
    service, bucket, key = found["service"].partition(".")[0], found["bucket"], found["key"]
    return Message(
        code=found["code"].rpartition(".")[2],
        service=service,
        operation=found["operation"],
        action=_action(service, found["operation"]),
        caller=found["caller"],
        resource=found["resource"] or (bucket and f"arn:aws:s3:::{bucket}" + (key and f"/{key}")),
    )
