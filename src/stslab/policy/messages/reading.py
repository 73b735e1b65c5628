"""Reads AWS's messages. Repetitions in patterns are bounded."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from functools import cache, partial
from itertools import islice
from typing import Any, Final

import jmespath
import msgspec
from msgspec.structs import replace

from stslab.policy.catalogue import action_of, has_no_resource, is_action, s3_actions
from stslab.policy.decision import GATES
from stslab.policy.messages import clients
from stslab.policy.request import account_of, split_arn
from stslab.structures import beside
from stslab.vocabulary import Gate

_ASSUMING: Final = ("sts:assumerole", "sts:setsourceidentity", "sts:tagsession")
_MOST_REFUSALS: Final = 100
_AFTER: Final = 300  # characters after action and resource that are searched for the reason
table: Final = partial(beside, __file__)  # the content of a YAML file in this folder


class OtherGate(StrEnum):
    """Gates in AWS's messages that the embedded account does not have."""

    ENDPOINT = "vpc endpoint policy"
    PUBLIC_ACCESS = "block public access"


class Known(msgspec.Struct, frozen=True):
    """An error in its own words: a row of known.yaml or services.yaml; ``match``: its patterns."""

    match: tuple[str, ...]
    says: str  # what happened
    look: tuple[Any, ...]  # steps as rows
    gate: Gate | None = None
    open: tuple[str, ...] = ()  # what the message can't say


class Message(msgspec.Struct, frozen=True):
    """The content of a message; parts that it does not have are empty or None."""

    caller: str = ""  # as written, even with a blacked-out account id; so are resource and policy
    action: str = ""
    resource: str = ""
    gate: Gate | OtherGate | None = None
    explicit: bool | None = None  # a Deny applied (True), or nothing allowed (False)
    policy: str = ""
    setting: str = ""  # of S3 Block Public Access
    code: str = ""
    operation: str = ""
    service: str = ""
    encoded: bool = False  # it has an encoded authorization message, which is never kept
    authorization: str = ""  # the id under which AWS keeps the decision's details for a day
    decoded: bool = False  # it is one, decoded
    statement: str = ""  # the Deny that applied, which only a decoded message names
    known: Known | None = None
    more: int = 0  # further refusals in the same text

    @property
    def caller_kind(self) -> str:
        """The kind of caller in the ARN; empty if unknown."""
        forms = table("facts.yaml")["callers"].items()
        return next((kind for form, kind in forms if re.match(form, self.caller)), "")

    @property
    def resource_arn(self) -> str:
        """The resource's ARN, without the kind before it in IAM's messages; empty for a name."""
        named = self.resource[max(self.resource.find("arn:"), 0) :]
        return named if split_arn(named) else ""

    @property
    def same_account(self) -> bool | None:
        """Whether caller and resource are in one account; None if an ARN has no account."""
        ours, theirs = account_of(self.caller), account_of(self.resource_arn)
        return ours == theirs if ours and theirs else None

    @property
    def names_none(self) -> bool:
        """Whether a policy has to allow ``*``. Who names the gate names the resource, if any."""
        # S3's optional types are alternatives: an object, or one behind an access point.
        named = self.resource or self.gate is None or self.action.lower().startswith("s3:")
        return has_no_resource(self.action, named=bool(named))

    @property
    def assumes_role(self) -> bool:
        """Whether the caller asked for a role's session, which its trust policy decides."""
        return self.action.lower().startswith(_ASSUMING)


_NEAR: Final = 2_048  # characters that are searched for the caller, and for the error's code

DENIALS: Final = (
    "AccessDeniedException|AccessDenied|AllAccessDisabled|AuthorizationErrorException|"
    "AuthorizationError|NotAuthorized|(?:AssumeRole)?UnauthorizedAccess|UnauthorizedOperation"
)
"""The error codes of refusals, as a pattern: IAM's, EC2's, SNS's, S3's."""
_CODES: Final = rf"{DENIALS}|MalformedPolicy\w{{0,24}}|LimitExceeded"


def spaced(pattern: str) -> re.Pattern[str]:
    """The pattern, in which a space may also be a line break."""
    return re.compile(pattern.replace(" ", r"\s"))


@cache
def _frames() -> tuple[re.Pattern[str], ...]:
    return *map(spaced, table("facts.yaml")["frames"]), spaced(rf"(?P<code>{_CODES})\b")


def frame_near(line: str, at: int) -> Message:
    """The code, the service and the operation nearest to a position, before or after it."""
    found: dict[str, str] = {}
    called = ""  # the service of the operation
    for frame in _frames():
        near = list(frame.finditer(line, max(at - _NEAR, 0), at + _NEAR))
        before = [match for match in near if match.start() <= at]
        for match in before[-1:] or near[:1]:
            groups = match.groupdict()
            called = called or (groups.get("service", "") if "operation" in groups else "")
            found = {**groups, **found}
    operation, code = found.get("operation", ""), found.get("code", "").rpartition(".")[2]
    of_ec2 = code == "UnauthorizedOperation" and is_action(f"ec2:{operation}")
    own = "s3" if operation in s3_actions() else "ec2" if of_ec2 else ""
    return Message(
        code=code,
        service=_prefix(found.get("service", "")) or own,
        operation=operation,
        action=action_of(_prefix(called) or own, operation),
    )


def _prefix(service: str) -> str:
    name = "".join(service.split()).lower()
    return {"securitytokenservice": "sts", "identitymanagement": "iam"}.get(name, name)


def unpacked(text: str) -> tuple[str, Message]:
    """The message of a CloudTrail event, or the texts of any JSON; and the rest of the event."""
    values = clients.values(text) or clients.values(text.replace("\r", "").replace("\n", ""))
    for value in values:
        if isinstance(value, Mapping) and value.get("errorCode") and value.get("eventName"):
            return f"{value.get('errorMessage') or ''} ({value['errorCode']})", _of_event(value)
        if isinstance(value, Mapping) and value.get("allowed") is False and "context" in value:
            told = Message(decoded=True, explicit=bool(value.get("explicitDeny")))
            return "", replace(told, **_texts("decoded", value))
    return "\n".join(value for value in values if isinstance(value, str)) or text, Message()


def _texts(form: str, value: Mapping[str, object]) -> dict[str, str]:
    """The texts in JSON of this form, by their names in ``facts.yaml``."""
    queries: Mapping[str, str] = table("facts.yaml")["forms"][form]
    found = {name: jmespath.search(query, value) for name, query in queries.items()}
    return {name: text if isinstance(text, str) else "" for name, text in found.items()}


def _of_event(event: Mapping[str, object]) -> Message:
    """The fields of an event, without its message ("CloudTrail record contents")."""
    found = _texts("event", event)
    service, bucket, key = found["service"].partition(".")[0], found["bucket"], found["key"]
    return Message(
        code=found["code"].rpartition(".")[2],
        service=service,
        operation=found["operation"],
        action=action_of(service, found["operation"]),
        caller=found["caller"],
        resource=found["resource"] or (bucket and f"arn:aws:s3:::{bucket}" + (key and f"/{key}")),
    )


def _glued(words: str) -> str:
    """A pattern for these words, in which spaces may be missing after wrapping."""
    return r"\s?".join(map(re.escape, words.split()))


_REFUSED: Final = re.compile(  # CodeBuild's own refusal is a row of services.yaml
    rf"(?<!CodeBuild\sis\s){_glued('not authorized to perform')}\s?:?\s?", re.IGNORECASE
)
_HOST: Final = re.compile(r"anonymous|[a-z0-9.-]{1,100}\.amazonaws\.com(?:\.cn)?")
_BLACKED_OUT: Final = re.compile(r"arn:[^=]{1,200}")
_ACTION: Final = re.compile(
    r"[\"'`]?([A-Za-z][A-Za-z0-9-]{1,63}:[A-Za-z*][A-Za-z0-9*]{0,127})[\"'`]?"
)
_KINDS: Final = (
    "access key|group|instance profile|mfa device|policy|role|saml provider|server certificate|user"
)
_RESOURCE: Final = re.compile(
    r"\s?(?:on|with)\s?(?:the\s)?(?:resource(?!\sassoc):?\s?|(?=arn:|<))"
    r"(?:\"([^\"]{1,2048})\"|`\"?([^\s'`\"]{1,2048})\"?`|['`]([^']{1,2048})'|"
    rf"((?:(?:{_KINDS})\s)?(?!:)(?:{{[^{{}}]{{1,40}}}}|<[^<>]{{1,40}}>|[^\s\"'()\\]){{1,2048}}))"
)
_NAMES: Final[dict[str, Gate | OtherGate]] = {
    **{str(kind): gate for kind, gate in GATES.items()},
    "sessions policy": Gate.SESSION,  # as "Troubleshoot access denied error messages" has it
    "VPC endpoint policy": OtherGate.ENDPOINT,
}
_BY_NAME: Final = {name.lower().replace(" ", ""): gate for name, gate in _NAMES.items()}
_NAMED: Final = "|".join(map(_glued, _NAMES))
# "transitively through": the policy named there is the one whose Deny applies.
_REASON: Final = re.compile(
    rf"\s?because\s?no\s?(?P<silent>{_NAMED})\s?allows"
    r"(?:\s?the\s?(?P<lacks>[\w-]{1,64}:\w{1,128})\s?action\b)?"
    rf"|\s?(?P<deny>(?:with|due\s?to)\s?{_glued('an explicit deny')})"
    rf"(?:\s?in\s?(?:an?|the)\s?(?P<denying>{_NAMED})"
    rf"(?:\s?transitively\s?through\s?an?\s?(?P<through>{_NAMED}))?)?"
    rf"(?:(?:,\s?{_glued('with policy ARN')})?:\s?(?P<policy>arn:[^\s\"'<>()\\]{{1,2048}}))?"
    r"|\s?because\s?public[\w\s()]{1,60}by\s?the\s?"
    r"(?P<setting>(?:BlockPublic|IgnorePublic)Acls|BlockPublicPolicy|RestrictPublicBuckets)",
    re.IGNORECASE,
)
_ENDS: Final = re.compile(r"\s?(?:$|[.,;:)(\[\\<-]|status code|at\s)|\n")
_ENCODED: Final = spaced(r"(?i)\bEncoded (?:authorization )?failure\b")
_AUTHORIZATION: Final = spaced(r"with the following authorization id: ([0-9a-z]{1,64})\b")
_DETAILS: Final = re.compile(r" Go to https://\S+ for complete details, .*? id: [0-9a-z]+")
_BARE: Final = spaced(
    rf"(?:{DENIALS})\b|\bAccess Denied\b|\(403\) when calling|Forbidden(?:: Forbidden| \(HTTP 403)|"
    r"\bnot authorized to perform\b|\bStatus Code: 403\b|S3(?:Exception: |::Errors::)Forbidden\b"
)
_S3_SAYS: Final = spaced(r"\bAccess Denied\b(?!: You|\. User)|S3Exception\b|_s3_response\b")
_ERROR: Final = re.compile(r"^\W{0,9}(?:Error: |An error occurred \()", re.MULTILINE)
_FRAME: Final = ("caller", "action", "resource", "code", "service", "operation")


@cache
def _known() -> tuple[tuple[re.Pattern[str], Known], ...]:
    every = table("known.yaml")["errors"] + table("services.yaml")["errors"]
    rows = msgspec.convert(every, tuple[Known, ...])
    return tuple((spaced("|".join(row.match).replace(" ", " ?")), row) for row in rows)


def in_short(message: str) -> str:
    """AWS's message with "..." in place of the link to its details, and of their id."""
    return _DETAILS.sub(" ...", message)


def read(text: str) -> Message | None:
    """The message in the text; None if it has no known error of AWS."""
    text, event = unpacked(text)
    if event.decoded:
        return event
    between_words, broken_anywhere, likely = clients.unwrapped(text)
    between, anywhere = _read(between_words), _read(broken_anywhere)
    message, _ = between if _sense(*between) >= _sense(*anywhere) + likely else anywhere
    if message is None or event == Message():
        return message
    return _completed(replace(message, code="", service="", operation=""), event)


def _sense(message: Message | None, whole: bool) -> int:
    """How many parts were found: fewer if lines were joined the wrong way."""
    parts = (*_FRAME, "gate", "policy", "encoded", "known")
    return 2 * whole - (message is None) + sum(bool(getattr(message, part, None)) for part in parts)


def _completed(message: Message, frame: Message) -> Message:
    """With the parts of the frame that the message lacks. A secret beside it is none of them."""
    parts = {one: getattr(message, one) or getattr(frame, one) for one in _FRAME}
    for name, part in parts.items():
        if "arn:" not in part and clients.may_be_secret(part):
            parts[name] = ""
    return replace(message, **parts)


def _read(text: str) -> tuple[Message | None, bool]:
    """The message in the text, and whether the parts of its sentence adjoin each other."""
    for form, sentence in table("facts.yaml")["console"].items():
        text = spaced(form).sub(sentence, text)
    encoded = bool(_ENCODED.search(text))
    errors = [one for one in _ERROR.split(text) if _BARE.search(one)]
    refusals = list(islice(_refusals(text), _MOST_REFUSALS))
    if refusals:
        at, first, whole = refusals[0]
        several = {(one.caller, one.action, one.resource) for _, one, _ in refusals}
        ids = [*_AUTHORIZATION.findall(text), ""]
        more = len(several) - 1 + sum(not _REFUSED.search(one) for one in errors)
        message = replace(first, encoded=encoded, authorization=ids[0], more=more)
        return _completed(message, frame_near(text, at)), whole
    for pattern, known in _known():
        if found := pattern.search(text):
            frame = frame_near(text, found.start())
            code = found[0] if not frame.code and found[0].isalpha() else ""
            more = sum(not pattern.search(one) for one in errors)
            message = Message(known=known, gate=known.gate, code=code, more=more)
            return _completed(message, frame), False
    if found := _BARE.search(text):
        frame = frame_near(text, found.start())
        # Only the wording tells the service.
        service = "s3" if not frame.service and _S3_SAYS.search(text) else ""
        message = Message(encoded=encoded, service=service, resource=_object_in(text))
        return _completed(message, frame), False
    return None, False


def _object_in(text: str) -> str:
    """The ARN of the bucket or object that a client names beside the error."""
    found = filter(None, (spaced(form).search(text) for form in table("facts.yaml")["objects"]))
    names = next((one.groupdict() for one in found), {"bucket": ""})
    path = names["bucket"] + (f"/{names['key']}" if "key" in names else "")
    return path and f"arn:aws:s3:::{path}"


def _refusals(text: str) -> Iterator[tuple[int, Message, bool]]:
    """Each refusal in a text: its position, its message, and whether its parts are adjacent."""
    for found in _REFUSED.finditer(text):
        if action := _ACTION.match(text, found.end()):
            at = found.start()
            caller, clean = _caller(text[max(at - _NEAR, 0) : at].rstrip())
            resource = _RESOURCE.match(text, action.end())
            message, adjoins = _reason(text, (resource or action).end())
            named = resource[resource.lastindex or 0] if resource else ""
            named = " ".join(named.split()).rstrip(".,;")
            # Some calls need another action too; AWS misspells one that is the same.
            same = get_close_matches(message.action.lower(), [action[1].lower()], cutoff=0.9)
            lacks = action[1] if same or not message.action else message.action
            refusal = replace(message, caller=caller, action=lacks, resource=named)
            if refusal.assumes_role and refusal.gate is Gate.RESOURCE:
                refusal = replace(refusal, gate=Gate.TRUST)  # which is the role's resource policy
            yield at, refusal, adjoins and clean


def _caller(before: str) -> tuple[str, bool]:
    """The caller that "is not authorized", and whether it is surely complete."""
    if not before.endswith("is"):
        return "", True
    before = before[:-2].rstrip().rstrip("\"'`")
    word = before.split()[-1] if before.split() else ""
    if "arn:" in word:
        return word[word.index("arn:") :], True
    if _HOST.fullmatch(word):
        return word, True
    words = " ".join(before.rpartition("User:")[2].split())
    return (words, False) if _BLACKED_OUT.fullmatch(words) else ("", True)


def _reason(text: str, at: int) -> tuple[Message, bool]:
    """Which gate refused and how, and whether that adjoins the sentence."""
    following = _REFUSED.search(text, at, at + _AFTER)
    until = following.start() if following else at + _AFTER
    found = _REASON.match(text, at) or _REASON.search(text, at, until)
    if not found:
        known = next((row for pattern, row in _known() if pattern.match(text, at)), None)
        return Message(known=known), bool(known or _ENDS.match(text, at))
    adjoins, parts = found.start() == at, found.groupdict("")
    if parts["setting"]:
        return Message(gate=OtherGate.PUBLIC_ACCESS, setting=parts["setting"]), adjoins
    named = parts["through"] or parts["denying"] or parts["silent"]
    gate = _BY_NAME.get("".join(named.split()).lower())
    policy, deny = parts["policy"].rstrip(".,;:"), bool(parts["deny"])
    return Message(gate=gate, explicit=deny, policy=policy, action=parts["lacks"]), adjoins
