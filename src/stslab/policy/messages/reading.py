"""Reads a message in any of the forms that clients print it in.

Each pattern's repetitions are bounded, and few places are looked at closely: a megabyte of
anything else takes no time.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from stslab.policy.gates import GATES
from stslab.policy.messages.clients import DENIALS, Frame, frame_near, spaced, unpacked, unwrapped
from stslab.policy.messages.known import KNOWN
from stslab.policy.messages.message import Message, OtherGate
from stslab.policy.vocabulary import Gate

_MOST_REFUSALS: Final = 100
_BEFORE: Final = 2_048  # characters that are searched for the caller
_AFTER: Final = 300  # characters within which the reason stands, behind action and resource


def _glued(words: str) -> str:
    """The words as a pattern: where a line was wrapped, a space may be missing."""
    return r"\s?".join(map(re.escape, words.split()))


_REFUSED: Final = re.compile(_glued("not authorized to perform") + r"\s?:?\s?", re.IGNORECASE)
_HOST: Final = re.compile(r"anonymous|[a-z0-9.-]{1,100}\.amazonaws\.com(?:\.cn)?")
_BLACKED_OUT: Final = re.compile(r"arn:[^=]{1,200}")
_ACTION: Final = re.compile(
    r"[\"']?([A-Za-z][A-Za-z0-9-]{1,63}:[A-Za-z*][A-Za-z0-9*]{0,127})[\"']?"
)
_KINDS: Final = (
    "access key|group|instance profile|mfa device|policy|role|saml provider|server certificate|user"
)
_RESOURCE: Final = re.compile(
    r"\s?(?:on|with)\s?(?:the\s)?(?:resource:?\s?|(?=arn:|<))"
    rf"(?:\"([^\"]{{1,2048}})\"|'([^']{{1,2048}})'|((?:(?:{_KINDS})\s)?[^\s\"'()\\]{{1,2048}}))"
)
_NAMES: Final[dict[str, Gate | OtherGate]] = {
    **{str(kind): gate for kind, gate in GATES.items()},
    "sessions policy": Gate.SESSION,  # as "Troubleshoot access denied error messages" has it
    "VPC endpoint policy": OtherGate.ENDPOINT,
}
_BY_NAME: Final = {name.lower().replace(" ", ""): gate for name, gate in _NAMES.items()}
_NAMED: Final = "(" + "|".join(map(_glued, _NAMES)) + ")"
_NOTHING_ALLOWS: Final = re.compile(rf"\s?because\s?no\s?{_NAMED}\s?allows", re.IGNORECASE)
_DENIES: Final = re.compile(
    rf"\s?{_glued('with an explicit deny')}"
    rf"(?:\s?in\s?(?:an?|the)\s?{_NAMED}"
    rf"(?:\s?transitively\s?through\s?an?\s?{_NAMED})?)?"
    r"(?::\s?(arn:[^\s\"'<>()\\]{1,2048}))?",
    re.IGNORECASE,
)
_NOT_PUBLIC: Final = re.compile(
    r"\s?because\s?public[\w\s()]{1,60}by\s?the\s?"
    r"(BlockPublicAcls|IgnorePublicAcls|BlockPublicPolicy|RestrictPublicBuckets)"
)
_ENDS: Final = re.compile(r"\s?(?:$|[.,;:)(\[\\<-]|status code)|\n")
_ENCODED: Final = spaced(r"(?i)\bEncoded (?:authorization )?failure\b")
_BARE: Final = spaced(
    rf"(?:{DENIALS})\b|\bAccess Denied\b|\(403\) when calling|\bForbidden: Forbidden\b|"
    r"\bnot authorized to perform this operation\b|\bStatus Code: 403\b"
)
_S3_SAYS: Final = spaced(r"\bAccess Denied\b(?!: You)")


class _Reading(NamedTuple):
    """A message, and whether the parts of its sentence stand where they should."""

    message: Message | None
    whole: bool = False

    @property
    def sense(self) -> int:
        """How much it makes of the text: lines that are joined wrongly tear words apart."""
        one = self.message
        if one is None:
            return 0
        parts = (one.caller, one.action, one.resource, one.gate, one.policy, one.encoded)
        around = (one.code, one.operation, one.service, one.known)
        return 2 * self.whole + sum(map(bool, (*parts, *around)))


def read(text: str) -> Message | None:
    """What the text says; None where it holds no error of AWS that is known."""
    text, event = unpacked(text)
    message = _best(text)
    if message is None or event == Frame():
        return message
    return _with(message, event)


def _best(text: str) -> Message | None:
    """The reading that makes most sense.

    A long line is not joined with one that may be no part of the message, but to look there
    for its code and its operation.
    """
    lines = unwrapped(text)
    between, anywhere = _read(lines.between_words), _read(lines.anywhere)
    if between.sense >= anywhere.sense + lines.likely:
        return between.message
    if between.whole and not lines.likely and between.message and anywhere.message:
        return _completed(between.message, anywhere.message)
    return anywhere.message


def _completed(message: Message, other: Message) -> Message:
    return replace(
        message,
        code=message.code or other.code,
        service=message.service or other.service,
        operation=message.operation or other.operation,
    )


def _with(message: Message, frame: Frame) -> Message:
    """The message with what its frame adds."""
    return replace(
        message,
        caller=message.caller or frame.caller,
        action=message.action or frame.action,
        resource=message.resource or frame.resource,
        code=frame.code,
        service=frame.service,
        operation=frame.operation,
    )


def _read(text: str) -> _Reading:
    encoded = bool(_ENCODED.search(text))
    refusals = list(islice(_refusals(text), _MOST_REFUSALS))
    if refusals:
        first = refusals[0]
        several = {(one.caller, one.action, one.resource) for _, one, _ in refusals}
        message = _with(first.message, frame_near(text, first.at))
        return _Reading(replace(message, encoded=encoded, more=len(several) - 1), first.whole)
    for known in KNOWN:
        if found := known.pattern.search(text):
            frame = frame_near(text, found.start())
            if not frame.code and found[0].isalpha():
                frame = replace(frame, code=found[0])
            return _Reading(_with(Message(known=known, gate=known.gate), frame))
    if found := _BARE.search(text):
        frame = frame_near(text, found.start())
        if not frame.service and _S3_SAYS.search(text):
            frame = replace(frame, service="s3")  # whose words they are, where nothing says it
        return _Reading(_with(Message(encoded=encoded), frame))
    return _Reading(None)


class _Refusal(NamedTuple):
    """A sentence, where it stands, and whether its parts stand where they should."""

    at: int
    message: Message
    whole: bool


def _refusals(text: str) -> Iterator[_Refusal]:
    """Each sentence "... is not authorized to perform: ...", with the place where it stands."""
    for found in _REFUSED.finditer(text):
        action = _ACTION.match(text, found.end())
        if action:
            yield _refusal(text, found.start(), action)


def _refusal(text: str, at: int, action: re.Match[str]) -> _Refusal:
    caller, clean = _caller(text[max(at - _BEFORE, 0) : at].rstrip())
    resource = _RESOURCE.match(text, action.end())
    message, adjoins = _reason(text, resource.end() if resource else action.end())
    named = next(filter(None, resource.groups()), "") if resource else ""
    message = replace(
        message, caller=caller, action=action[1], resource=" ".join(named.split()).rstrip(".,;")
    )
    return _Refusal(at, message, adjoins and clean)


def _caller(before: str) -> tuple[str, bool]:
    """Who "is not authorized", and whether it is no word that was torn apart."""
    if not before.endswith("is"):
        return "", True
    before = before[:-2].rstrip().rstrip("\"'")
    word = before.split()[-1] if before.split() else ""
    if "arn:" in word:
        return word[word.index("arn:") :], True
    if _HOST.fullmatch(word):
        return word, True
    words = " ".join(before.rpartition("User:")[2].split())
    return (words, False) if _BLACKED_OUT.fullmatch(words) else ("", True)


def _reason(text: str, at: int) -> tuple[Message, bool]:
    """Which gate refused and how, and whether that stands where it should."""
    following = _REFUSED.search(text, at, at + _AFTER)
    until = following.start() if following else at + _AFTER
    for pattern, told in _REASONS.items():
        found = pattern.match(text, at) or pattern.search(text, at, until)
        if found:
            return told(found), found.start() == at
    return Message(), bool(_ENDS.match(text, at))


def _told_implicit(found: re.Match[str]) -> Message:
    return Message(gate=_gate(found[1]), explicit=False)


def _told_explicit(found: re.Match[str]) -> Message:
    """A policy that was reached through another is the one whose Deny applies."""
    policy = (found[3] or "").rstrip(".,;:")
    return Message(gate=_gate(found[2] or found[1]), explicit=True, policy=policy)


def _told_public(found: re.Match[str]) -> Message:
    return Message(gate=OtherGate.PUBLIC_ACCESS, setting=found[1])


def _gate(name: str | None) -> Gate | OtherGate | None:
    return _BY_NAME[re.sub(r"\s", "", name).lower()] if name else None


_REASONS: Final = {
    _NOTHING_ALLOWS: _told_implicit,
    _DENIES: _told_explicit,
    _NOT_PUBLIC: _told_public,
}
