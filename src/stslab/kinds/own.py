"""What a run may change: the things that are its own, and what its lab declares. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a lab declares beyond its own things, and the person agreed to.

    ``roles`` are ARNs, ``accounts`` ids (``*`` is everyone), ``services`` as boto3 names them.
    """

    roles: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    """What a run may change, and whom it may let in.

    ``things`` are the run's own, as (kind, name). ``unknown`` are texts (``<name>``, or the
    beginning of an expression) that stand for what only an answer will tell: it is judged then.
    """

    run: str
    account: str
    partition: str
    things: frozenset[tuple[str, str]] = frozenset()
    embedded: bool = True
    allowed: Allowed = Allowed()
    unknown: frozenset[str] = frozenset()

    def has(self, kind: str, name: str) -> bool:
        """Whether a thing, called by its name or its ARN, is the run's own."""
        return (kind, name) in self.things or (kind, self._in_arn(kind, name)) in self.things

    def arn(self, kind: str, name: str) -> str:
        """What an ARN of a thing of this account names, or nothing."""
        return self._in_arn(kind, name)

    def is_unknown(self, value: Any) -> bool:
        """Whether something in the value is known only later."""
        return bool(self.unknown) and not self.unknown.isdisjoint(_STANDS_FOR.findall(str(value)))

    def _in_arn(self, kind: str, arn: str) -> str:
        pattern = _ARNS.get(kind)
        found = pattern and pattern.fullmatch(arn)
        if not found or found["partition"] != self.partition:
            return ""
        return found["name"] if found["account"] in (self.account, "") else ""


_STANDS_FOR = re.compile(r"<[^<>]*>|\$\{\{")


def _pattern(rest: str) -> re.Pattern[str]:
    return re.compile(rf"arn:(?P<partition>[^:]+):{rest}")


_PATH = r"(?:[\x21-\x7e]*/)?(?P<name>[^/:]+)"
_ARNS: Mapping[str, re.Pattern[str]] = {
    "iam.user": _pattern(rf"iam::(?P<account>\d+|<account>):user/{_PATH}"),
    "iam.role": _pattern(rf"iam::(?P<account>\d+|<account>):role/{_PATH}"),
    "iam.group": _pattern(rf"iam::(?P<account>\d+|<account>):group/{_PATH}"),
    "s3.bucket": _pattern(r"s3::(?P<account>):(?P<name>[^/:]+)"),
    "cloudformation.stack": _pattern(
        r"cloudformation:[^:]*:(?P<account>\d+|<account>):stack/(?P<name>[^/:]+)/[^/:]+"
    ),
}
