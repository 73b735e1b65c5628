"""What a run may change: its own things, and what its lab declares. Pure."""

import re
from collections.abc import Mapping

import msgspec


class Allowed(msgspec.Struct, frozen=True):
    """What a lab declares besides its own things, and the learner agreed to."""

    roles: tuple[str, ...] = ()  # ARNs
    accounts: tuple[str, ...] = ()  # ids; ``*`` is everyone
    services: tuple[str, ...] = ()  # as boto3 names them


Named = tuple[str, str, str]  # A thing: its account's id, its kind, and its name


class Own(msgspec.Struct, frozen=True):
    """What a run may change with a call in ``account``, and which principals it may let in."""

    run: str
    account: str
    partition: str
    things: frozenset[Named] = frozenset()  # the run's own, in any of its ``accounts``
    accounts: tuple[str, ...] = ()
    embedded: bool = True
    allowed: Allowed = Allowed()
    unknown: frozenset[str] = frozenset()  # texts (``<name>``) for values that are not known yet

    def has(self, kind: str, name: str) -> bool:
        """Whether a thing is the run's own; ``name`` may be its ARN."""
        if kind == "s3.bucket":  # its name is globally unique
            named = {name, self.named_by(kind, name)}
            return any(one[1] == kind and one[2] in named for one in self.things)
        accounts = (self.account, *self.accounts)
        named_there = {(one, kind, self.named_by(kind, name, one)) for one in accounts}
        return not self.things.isdisjoint({(self.account, kind, name), *named_there})

    def is_unknown(self, value: object) -> bool:
        return bool(self.unknown) and not self.unknown.isdisjoint(_PLACEHOLDER.findall(str(value)))

    def named_by(self, kind: str, arn: str, account: str = "") -> str:
        """The name in the ARN of a thing in ``account`` (default: the caller's), else empty."""
        found = re.fullmatch(_ARNS[kind], arn) if kind in _ARNS else None
        if not found or found["partition"] != self.partition:
            return ""
        return found["name"] if found["account"] in (account or self.account, "") else ""


_PLACEHOLDER = re.compile(r"<[^<>]*>|\$\{\{")
_ARN = "arn:(?P<partition>[^:]+)"
_ACCOUNT = r"(?P<account>\d+|<account>|<partner>)"
_PATH = r"(?:[\x21-\x7e]*/)?(?P<name>[^/:]+)"
_STACK = rf"cloudformation:[^:]*:{_ACCOUNT}:stack/(?P<name>[^/:]+)/[^/:]+"
_ARNS: Mapping[str, str] = {
    "iam.user": rf"{_ARN}:iam::{_ACCOUNT}:user/{_PATH}",
    "iam.role": rf"{_ARN}:iam::{_ACCOUNT}:role/{_PATH}",
    "iam.group": rf"{_ARN}:iam::{_ACCOUNT}:group/{_PATH}",
    "s3.bucket": rf"{_ARN}:s3::(?P<account>):(?P<name>[^/:]+)",
    "cloudformation.stack": rf"{_ARN}:{_STACK}",
}
