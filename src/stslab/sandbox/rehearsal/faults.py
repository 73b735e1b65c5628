"""Which calls go wrong, and how: by rates, or by a script that names the call.

IAM, STS and CloudFormation: "Common Errors" of their API References (``ThrottlingException``,
``InternalFailure``, ``ServiceUnavailable``); IAM and CloudFormation themselves say
``Throttling``. S3: "Error responses" of its API Reference (``SlowDown``, ``InternalError``).
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.rehearsal.spec import Spec, share

THROTTLE, ERROR, ERROR_AFTER = "throttle", "error", "error-after"
RESET_BEFORE, RESET_AFTER = "reset-before", "reset-after"
KINDS = (THROTTLE, ERROR, ERROR_AFTER, RESET_BEFORE, RESET_AFTER)
AFTER = frozenset({ERROR_AFTER, RESET_AFTER})
"""The kinds that strike when the call has taken effect."""

_SLOW_DOWN = ApiFault("SlowDown", "Please reduce your request rate.", 503, fault="Receiver")
_THROTTLED: Mapping[str, ApiFault] = {
    "s3": _SLOW_DOWN,
    "sts": ApiFault("ThrottlingException", "Rate exceeded"),
}
_OTHER_THROTTLED = ApiFault("Throttling", "Rate exceeded")


@dataclass(slots=True)
class Scripted:
    """A fault that is wanted: at the ``at``-th call from now that ``call`` matches, ``times``.

    ``call`` is ``service.Operation``, with ``*`` for any.
    """

    call: str
    kind: str
    at: int = 1
    times: int = 1

    def strikes(self, call: str) -> bool:
        """Whether this call goes wrong; counts it."""
        if not fnmatchcase(call, self.call):
            return False
        self.at -= 1
        return self.at <= 0

    @property
    def over(self) -> bool:
        return self.at <= 1 - self.times


class Faults:
    """Decides of each call whether it goes wrong. ``seen`` and ``struck`` count."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._rates = (
            (THROTTLE, spec.throttle),
            (ERROR, spec.errors),
            (ERROR_AFTER, spec.errors_after),
            (RESET_BEFORE, spec.reset_before),
            (RESET_AFTER, spec.reset_after),
        )
        self._script: list[Scripted] = []
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def script(self, wanted: list[Scripted]) -> None:
        """Let these happen, in place of what an earlier script still wanted."""
        with self._lock:
            self._script = list(wanted)

    def next(self, call: str) -> str:
        """The kind of fault that strikes this call, or nothing."""
        with self._lock:
            self.seen[call] += 1
            kind = self._scripted(call) or self._by_rate(call)
            if kind:
                self.struck[kind] += 1
            return kind

    def _scripted(self, call: str) -> str:
        struck = ""
        for wanted in self._script:
            if wanted.strikes(call):
                struck = struck or wanted.kind
        self._script = [wanted for wanted in self._script if not wanted.over]
        return struck

    def _by_rate(self, call: str) -> str:
        for kind, rate in self._rates:
            if rate and share(self._spec.seed, kind, call, self.seen[call]) < rate:
                return kind
        return ""


def answer(service: str, kind: str, number: int) -> ApiFault:
    """What AWS answers for a fault of this kind; ``number`` varies the server's errors."""
    if kind == THROTTLE:
        return _THROTTLED.get(service, _OTHER_THROTTLED)
    return faults.unavailable() if number % 2 else faults.failure(service)
