"""Reads a message in any of the forms that clients print it in.

Each pattern's repetitions are bounded, and few places are looked at closely: a megabyte of
anything else takes no time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from stslab.policy.decision import GATES
from stslab.policy.messages.clients import DENIALS, frame_near, spaced, unpacked, unwrapped
from stslab.policy.messages.message import Known, Message, OtherGate, table
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
_NAMED: Final = "|".join(map(_glued, _NAMES))
# A policy that was reached through another is the one whose Deny applies.
_REASON: Final = re.compile(
    rf"\s?because\s?no\s?(?P<silent>{_NAMED})\s?allows"
    rf"|\s?(?P<deny>{_glued('with an explicit deny')})"
    rf"(?:\s?in\s?(?:an?|the)\s?(?P<denying>{_NAMED})"
    rf"(?:\s?transitively\s?through\s?an?\s?(?P<through>{_NAMED}))?)?"
    r"(?::\s?(?P<policy>arn:[^\s\"'<>()\\]{1,2048}))?"
    r"|\s?because\s?public[\w\s()]{1,60}by\s?the\s?"
    r"(?P<setting>(?:BlockPublic|IgnorePublic)Acls|BlockPublicPolicy|RestrictPublicBuckets)",
    re.IGNORECASE,
)
_ENDS: Final = re.compile(r"\s?(?:$|[.,;:)(\[\\<-]|status code)|\n")
_ENCODED: Final = spaced(r"(?i)\bEncoded (?:authorization )?failure\b")
_BARE: Final = spaced(
    rf"(?:{DENIALS})\b|\bAccess Denied\b|\(403\) when calling|\bForbidden: Forbidden\b|"
    r"\bnot authorized to perform this operation\b|\bStatus Code: 403\b"
)
_S3_SAYS: Final = spaced(r"\bAccess Denied\b(?!: You)")
_AROUND: Final = ("code", "service", "operation")
_FRAME: Final = ("caller", "action", "resource", *_AROUND)


@cache
def _known() -> tuple[tuple[re.Pattern[str], Known], ...]:
    """The errors that no policy decides, each with what it is recognised by."""
    rows = msgspec.convert(table("known")["errors"], tuple[Known, ...])
    return tuple((spaced("|".join(row.match)), row) for row in rows)


class _Reading(NamedTuple):
    """A message, and whether the parts of its sentence stand where they should."""

    message: Message | None
    whole: bool = False

    @property
    def sense(self) -> int:
        """How much it makes of the text: lines that are joined wrongly tear words apart."""
        if self.message is None:
            return 0
        told = (*_FRAME, "gate", "policy", "encoded", "known")
        return 2 * self.whole + sum(bool(getattr(self.message, part)) for part in told)


def read(text: str) -> Message | None:
    """What the text says; None where it holds no error of AWS that is known."""
    text, event = unpacked(text)
    message = _best(text)
    if message is None or event == Message():
        return message
    return _completed(replace(message, code="", service="", operation=""), event)


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
        return _completed(between.message, anywhere.message, _AROUND)
    return anywhere.message


def _completed(message: Message, frame: Message, parts: Sequence[str] = _FRAME) -> Message:
    """The message with what it does not say itself and its frame does."""
    return replace(
        message, **{each: getattr(message, each) or getattr(frame, each) for each in parts}
    )


def _read(text: str) -> _Reading:
    encoded = bool(_ENCODED.search(text))
    refusals = list(islice(_refusals(text), _MOST_REFUSALS))
    if refusals:
        at, first, whole = refusals[0]
        several = {(one.caller, one.action, one.resource) for _, one, _ in refusals}
        message = replace(first, encoded=encoded, more=len(several) - 1)
        return _Reading(_completed(message, frame_near(text, at)), whole)
    for pattern, known in _known():
        if found := pattern.search(text):
            frame = frame_near(text, found.start())
            code = found[0] if not frame.code and found[0].isalpha() else ""
            return _Reading(_completed(Message(known=known, gate=known.gate, code=code), frame))
    if found := _BARE.search(text):
        frame = frame_near(text, found.start())
        # Whose words they are, where nothing says it.
        service = "s3" if not frame.service and _S3_SAYS.search(text) else ""
        return _Reading(_completed(Message(encoded=encoded, service=service), frame))
    return _Reading(None)


def _refusals(text: str) -> Iterator[tuple[int, Message, bool]]:
    """Each sentence "... is not authorized to perform: ...", and where it stands.

    And whether its parts stand where they should.
    """
    for found in _REFUSED.finditer(text):
        if action := _ACTION.match(text, found.end()):
            at = found.start()
            caller, clean = _caller(text[max(at - _BEFORE, 0) : at].rstrip())
            resource = _RESOURCE.match(text, action.end())
            message, adjoins = _reason(text, (resource or action).end())
            named = resource[resource.lastindex or 0] if resource else ""
            named = " ".join(named.split()).rstrip(".,;")
            refusal = replace(message, caller=caller, action=action[1], resource=named)
            yield at, refusal, adjoins and clean


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
    found = _REASON.match(text, at) or _REASON.search(text, at, until)
    if not found:
        return Message(), bool(_ENDS.match(text, at))
    adjoins, said = found.start() == at, found.groupdict("")
    if said["setting"]:
        return Message(gate=OtherGate.PUBLIC_ACCESS, setting=said["setting"]), adjoins
    named = said["through"] or said["denying"] or said["silent"]
    gate = _BY_NAME.get("".join(named.split()).lower())
    policy = said["policy"].rstrip(".,;:")
    return Message(gate=gate, explicit=bool(said["deny"]), policy=policy), adjoins
