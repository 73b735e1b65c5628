"""Make a run's calls: with retries, counted, and redacted."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import TypeVar

from stslab.errors import NotOwn
from stslab.kinds.operations import changes
from stslab.kinds.table import EXISTS, SPREADING, is_repeatable
from stslab.lab.model import DENIALS, Check
from stslab.policy.messages.reading import read
from stslab.redaction import redact, redact_text, secrets_in
from stslab.runner import ports
from stslab.runner.events import Event, Waiting
from stslab.runner.ports import Answer, Call, Lost, Outcome, Refusal
from stslab.vocabulary import ADMIN, Gate

T = TypeVar("T")
Patience = tuple[float, str]
"""Until when to retry (seconds since the first try; 0: stop), and what is waited for, in words."""

LONGEST_PAUSE = 5.0
_SHOWN_EVERY = 1.0
TRANSIENT_SECONDS = 60.0
_SPREADING_SECONDS = 60.0
_SERVER_ERROR = 500
AT_ONCE = 8  # how many lookups run together: few enough for IAM's request rates


def only_reads(call: Call) -> None:
    """The guard without a run: only reads are allowed."""
    if changes(call.name):
        raise NotOwn(f"{call.name} is not part of a run. Nothing was sent.")


@dataclass(eq=False, repr=False)  # its secrets are shown nowhere
class Calls:
    """The calls of one run, or of a cleanup, on one account. ``made`` counts them.

    ``guard`` is called before each, and raises NotOwn if it may not be sent.
    """

    account: ports.AwsAccount
    profiles: ports.Profiles
    emit: Callable[[Event], None]
    clock: ports.Clock = field(default_factory=ports.Clock)
    hand: ports.Hand = field(default_factory=ports.Hand)
    made: int = field(default=0, init=False)
    guard: Callable[[Call], None] = field(default_factory=lambda: only_reads, init=False)
    _secrets: set[str] = field(default_factory=set, init=False)
    _unknown: set[str] = field(default_factory=set, init=False)
    _ahead: list[tuple[Call, Future[Outcome]]] = field(default_factory=list, init=False)

    @property
    def target(self) -> ports.TargetInfo:
        return self.account.target

    def until(
        self, attempt: Callable[[], T], judge: Callable[[T], Patience], *, pause: float = 0.0
    ) -> T:
        """Repeat ``attempt`` until ``judge`` says stop or its time is up. Return the last result.

        ``pause`` is a steady pause; without it, pauses grow up to five seconds.
        """
        started, tries, shown = self.clock.monotonic(), 0, -_SHOWN_EVERY
        wait = pause or min(self.target.pace, 1.0)
        while True:
            result = attempt()
            tries += 1
            limit, what = judge(result)
            elapsed = self.clock.monotonic() - started
            if elapsed + wait > limit:
                return result
            if elapsed - shown >= _SHOWN_EVERY:
                self.emit(Waiting(what, tries, elapsed, limit))
                shown = elapsed
            self.clock.sleep(wait)
            wait = pause or min(wait * 1.5, LONGEST_PAUSE)

    def shown(self, call: Call) -> Call:
        return Call(call.identity, call.service, call.operation, self.clean(call.params))

    def clean(self, value: T) -> T:
        """A copy without secrets: neither known ones, nor members with secret keys."""
        cleaned: T = redact(value, self._secrets)
        return cleaned

    def clean_text(self, text: str) -> str:
        return redact_text(text, self._secrets)

    def learn(self, value: object) -> None:
        """Remember the secrets in ``value``, so that they are redacted from now on."""
        self._secrets.update(secrets_in(value))

    def learn_profiles(self, names: Iterable[str]) -> None:
        """Remember the secrets of these profiles, and the token."""
        for keys in filter(None, map(self.profiles.get, names)):
            self._secrets.update(filter(None, [keys.secret_access_key, keys.session_token]))
        self._secrets.update(filter(None, [self.profiles.token()]))

    def once(self, call: Call) -> Outcome:
        """Make the call once; NotOwn if it would change something that is not the run's own."""
        self.guard(call)
        self.made += 1
        self.learn(call.params)
        if changes(call.name):
            self._ahead.clear()
        for begun in self._ahead:
            if begun[0] == call:
                self._ahead.remove(begun)
                return begun[1].result()
        return self.account.call(call)

    def ahead(self, items: Iterable[T], read_of: Callable[[T], Call]) -> Iterator[T]:
        """The items in order, with the lookups of the next ones begun while one is handled.

        Their answers are dropped as soon as the run changes something. The embedded account
        answers at once: there, no lookup is begun early.
        """
        window: deque[T] = deque()
        try:
            for item in items:
                if not self.target.embedded:
                    self._ahead.append((read_of(item), _begun(self.account.call, read_of(item))))
                window.append(item)
                if self.target.embedded or len(window) == AT_ONCE:
                    yield window.popleft()
            yield from window
        finally:
            self._ahead.clear()

    def make(self, call: Call, *, within: float = 0.0, expected: Collection[str] = ()) -> Outcome:
        """Make the call, with retries after transient errors and while IAM spreads changes.

        A refusal whose code is ``expected`` is not retried. On an eventually consistent target,
        any other is retried for ``within`` seconds. The outcome is Lost if the call may have
        taken effect and must not be repeated.
        """
        repeatable = is_repeatable(call.name)

        def judge(outcome: Outcome) -> Patience:
            if isinstance(outcome, Answer):
                return 0.0, ""
            if isinstance(outcome, Lost):
                limit = TRANSIENT_SECONDS if repeatable else 0.0
                return limit, f"{call.operation}: {outcome.text}"
            limit = self._limit(outcome, call.identity, repeatable=repeatable, within=within)
            return 0.0 if outcome.code in expected else limit, f"{call.operation}: {outcome.code}"

        outcome = self.until(lambda: self.once(call), judge)
        if not isinstance(outcome, Refusal):
            return outcome
        if outcome.code in SPREADING:
            # A key that is still unknown after a minute is not new, but gone.
            self._unknown.add(self._key_of(call.identity))
        if outcome.status >= _SERVER_ERROR and not repeatable:
            # After a server error the call may have taken effect.
            return Lost(f"AWS answered {outcome.code} ({outcome.message})")
        return outcome

    def administers(self, identity: str) -> bool:
        """Whether the identity is the learner's own, in one of the accounts."""
        return identity == ADMIN or identity in self.target.accounts

    def lacks(self, identity: str) -> bool:
        """Whether the identity is a profile that is not in the files."""
        known = self.profiles.get(identity) or self.profiles.settings.get(identity)
        return not (known or self.administers(identity))

    def pages(self, call: Call, tokens: Mapping[str, str]) -> Iterator[Outcome]:
        """The pages of a listing. ``tokens`` maps members of an answer to parameters."""
        params = dict(call.params)
        for _ in range(1000):
            outcome = self.make(Call(call.identity, call.service, call.operation, params))
            yield outcome
            data = outcome.data
            following = params | {tokens[name]: data[name] for name in tokens if data.get(name)}
            if following == params or data.get("IsTruncated") is False:
                return
            params = following

    def _limit(self, refusal: Refusal, identity: str, *, repeatable: bool, within: float) -> float:
        """For how many seconds after the first try a refused call is repeated."""
        if refusal.transient:
            return TRANSIENT_SECONDS if repeatable or refusal.status < _SERVER_ERROR else 0.0
        if not self.target.eventually_consistent or refusal.code in EXISTS:
            return 0.0
        unheard = refusal.code in SPREADING and self._key_of(identity) not in self._unknown
        spreading = unheard and not self.administers(identity)
        return max(within, _SPREADING_SECONDS if spreading else 0.0)

    def _key_of(self, identity: str) -> str:
        found = self.profiles.get(identity)
        return found.access_key_id if found else ""


def _begun(look: Callable[[Call], Outcome], read: Call) -> Future[Outcome]:
    """Begin a lookup in a daemon thread, which does not keep the process from ending."""
    future = Future[Outcome]()

    def work() -> None:
        try:
            future.set_result(look(read))
        except BaseException as error:  # noqa: BLE001 - raised where the answer is taken
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future


def reason_of(refusal: Answer | Refusal) -> ports.Reason | None:
    """The gate that AWS's error names; other gates may have refused too, except for a signature."""
    if isinstance(refusal, Answer):  # AWS does not say what allowed it
        return None
    message = read(f"An error occurred ({refusal.code}) when calling it: {refusal.message}")
    if message is None or message.gate is None:
        return None
    if message.gate is Gate.SIGNATURE:
        return ports.Reason((message.gate,))
    is_trust = message.assumes_role and message.gate is Gate.RESOURCE
    return ports.Reason((str(Gate.TRUST if is_trust else message.gate),), whole=False)


def mismatch(check: Check, code: str, reason: ports.Reason | None) -> str:
    """How the reason of an expected refusal differs from the check's; "" if it fits or is unknown.

    A denial without gates comes from a rule of the service.
    """
    if reason is None or not (check.by or code in DENIALS):
        return ""
    actual, wanted = (" and ".join(gates) or "no policy" for gates in (reason.gates, check.by))
    gates = {*reason.gates}
    right = gates == {*check.by} if reason.whole else gates <= {*check.by}
    if not right:
        why = f"refused by {actual}, where {wanted} should refuse"
        if (actual, wanted) == (Gate.IDENTITY, Gate.RESOURCE):
            why += "; if either could allow it and neither does, the identity policy refuses"
        return why
    if check.key and reason.whole and check.key.lower() not in map(str.lower, reason.keys):
        decided = " and ".join(reason.keys) or "no condition"
        return f"{decided} decided, where {check.key} should decide"
    return ""
