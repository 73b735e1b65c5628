"""Makes a run's calls: with patience, counted, and with nothing secret to be seen."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import TypeVar

from stslab.errors import NotOwn
from stslab.kinds.operations import changes
from stslab.kinds.table import EXISTS, is_repeatable
from stslab.lab.model import DENIALS, Check
from stslab.policy.messages.reading import read
from stslab.redaction import redact, redact_text, secrets_in
from stslab.runner.events import CallShown, Event, Waiting
from stslab.runner.ports import (
    ADMIN,
    Account,
    Answer,
    Call,
    Clock,
    Data,
    Hand,
    Lost,
    Outcome,
    Profiles,
    Reason,
    Refusal,
    TargetInfo,
)
from stslab.vocabulary import Gate

T = TypeVar("T")
Verdict = tuple[float, str]
"""Until when to try again, in seconds since the first try, and for what, in words; 0: no more."""

LONGEST_PAUSE = 5.0
_GROWTH = 1.5
_SHOWN_EVERY = 1.0
TRANSIENT_SECONDS = 60.0
_SPREADING_SECONDS = 60.0
_SERVER_ERROR = 500
_PAGES = 1000

# What a new key or user answers while IAM spreads it (IAM User Guide, "Troubleshoot IAM",
# "Changes that I make are not always immediately visible").
_SPREADING = frozenset(
    {"InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"}
)


def only_reads(call: Call) -> None:
    """The guard where there is no run: nothing is its own, so looking is all that is done."""
    if changes(call.name):
        raise NotOwn(f"{call.name} is no part of a run. Nothing was sent.")


class Calls:
    """The calls of one run, or of a cleanup, on one account. ``made`` counts them.

    ``guard`` judges each before it is sent, and raises NotOwn.
    """

    def __init__(
        self,
        account: Account,
        profiles: Profiles,
        emit: Callable[[Event], None],
        clock: Clock,
        hand: Hand | None = None,
    ) -> None:
        """``hand`` knows what was done in the account by hand, where that can be told."""
        self.hand = hand or Hand()
        self.account, self.profiles, self.emit, self.clock = account, profiles, emit, clock
        self.made = 0
        self.guard: Callable[[Call], None] = only_reads
        self._secrets: set[str] = set()
        self._unknown: set[str] = set()
        self._ahead = Ahead(self._send)

    @property
    def target(self) -> TargetInfo:
        return self.account.target

    def until(
        self, attempt: Callable[[], T], judge: Callable[[T], Verdict], *, pause: float = 0.0
    ) -> T:
        """The first result that ``judge`` is content with, or the last one that there was time for.

        ``pause`` is a steady pause; without it pauses grow, up to five seconds.
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
            wait = pause or min(wait * _GROWTH, LONGEST_PAUSE)

    def shown(self, call: Call) -> CallShown:
        return CallShown(call.identity, call.service, call.operation, self.clean(call.params))

    def clean(self, value: T) -> T:
        """``value`` without secrets, by their keys and by what is known of them."""
        cleaned: T = redact(value, self._secrets)
        return cleaned

    def clean_text(self, text: str) -> str:
        return redact_text(text, self._secrets)

    def learn(self, value: object) -> None:
        """Take note of the secrets in ``value``, so that they are kept out of all that follows."""
        self._secrets.update(secrets_in(value))

    def learn_profiles(self, names: Iterable[str]) -> None:
        """Take note of the secrets of these profiles, and of the token beside them."""
        for one in filter(None, map(self.profiles.get, names)):
            self._secrets.update(filter(None, [one.secret_access_key, one.session_token]))
        self._secrets.update(filter(None, [self.profiles.token()]))

    def once(self, call: Call) -> Outcome:
        """Make the call once. Raises NotOwn: it would change what is not the run's own."""
        self.guard(call)
        self.made += 1
        self.learn(call.params)
        if not changes(call.name):
            return self._ahead.take(call) or self._send(call)
        self._ahead.forget()
        return self._send(call)

    def _send(self, call: Call) -> Outcome:
        return self.account.call(call.identity, call.service, call.operation, call.params)

    def ahead(self, items: Iterable[T], read_of: Callable[[T], Call]) -> Iterator[T]:
        """The items, while lookups for the next are under way; not where answers come at once."""
        return iter(items) if self.target.embedded else self._ahead.over(items, read_of)

    def make(self, call: Call, *, within: float = 0.0, expected: Collection[str] = ()) -> Outcome:
        """Make the call; again where that is safe and AWS says so, or IAM is still spreading.

        A refusal whose code is ``expected`` is the answer that was wanted. ``within`` is for
        how many seconds any other is worth another try, on a target that is eventually
        consistent. What may have taken effect and must not be repeated comes back as Lost.
        """
        repeatable = is_repeatable(call.name)

        def judge(outcome: Outcome) -> Verdict:
            wanted = isinstance(outcome, Refusal) and outcome.code in expected
            worth = self._worth(outcome, call.identity, repeatable=repeatable, within=within)
            return 0.0 if wanted else worth, f"{call.operation}: {_reason(outcome)}"

        outcome = self.until(lambda: self.once(call), judge)
        if _is_spreading(outcome):
            # It had its minute: a key that is still unknown is not new, but gone.
            self._unknown.add(self._key_of(call.identity))
        if isinstance(outcome, Refusal) and outcome.status >= _SERVER_ERROR and not repeatable:
            # A server's error does not say that nothing happened.
            return Lost(f"AWS answered {outcome.code} ({outcome.message})")
        return outcome

    def administers(self, identity: str) -> bool:
        """Whether it is the learner's own, in one of the accounts."""
        return identity == ADMIN or identity in self.target.accounts

    def lacks(self, identity: str) -> bool:
        """Whether it is a profile that is not in the files (any more)."""
        known = self.profiles.get(identity) or self.profiles.settings(identity)
        return not (known or self.administers(identity))

    def pages(self, call: Call, tokens: Mapping[str, str]) -> Iterator[Outcome]:
        """The pages of a listing; ``tokens`` maps an answer's members to the next call's."""
        asked = dict(call.params)
        for _ in range(_PAGES):
            outcome = self.make(Call(call.identity, call.service, call.operation, asked))
            yield outcome
            following = _following(outcome, tokens)
            if not following or {**asked, **following} == asked:
                return
            asked = {**asked, **following}

    def _worth(self, outcome: Outcome, identity: str, *, repeatable: bool, within: float) -> float:
        """For how many seconds after the first try another one is worth it."""
        if isinstance(outcome, Answer):
            return 0.0
        if isinstance(outcome, Lost):
            return TRANSIENT_SECONDS if repeatable else 0.0
        if outcome.transient:
            harmless = repeatable or outcome.status < _SERVER_ERROR
            return TRANSIENT_SECONDS if harmless else 0.0
        if not self.target.eventually_consistent or outcome.code in EXISTS:
            return 0.0
        unheard = _is_spreading(outcome) and self._key_of(identity) not in self._unknown
        spreading = unheard and not self.administers(identity)
        return max(within, _SPREADING_SECONDS if spreading else 0.0)

    def _key_of(self, identity: str) -> str:
        found = self.profiles.get(identity)
        return found.access_key_id if found else ""


def _is_spreading(outcome: Outcome) -> bool:
    return isinstance(outcome, Refusal) and outcome.code in _SPREADING


def _reason(outcome: Outcome) -> str:
    if isinstance(outcome, Refusal):
        return outcome.code
    return outcome.reason if isinstance(outcome, Lost) else ""


def _following(outcome: Outcome, tokens: Mapping[str, str]) -> Data:
    if not isinstance(outcome, Answer) or outcome.data.get("IsTruncated") is False:
        return {}
    return {tokens[name]: outcome.data[name] for name in tokens if outcome.data.get(name)}


# -- lookups that do not wait for each other ---------------------------------------------------
# What the run shows and decides keeps its order; only the waiting overlaps. An answer that was
# begun before the run changed anything is not used after it.

AT_ONCE = 8
"""How many lookups are under way together: few enough for IAM's request rates."""


def _begun(make: Callable[[], Outcome]) -> Future[Outcome]:
    """One lookup under way, in a daemon: a process that is to end does not wait for it."""
    found = Future[Outcome]()

    def work() -> None:
        try:
            found.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is taken
            found.set_exception(error)

    Thread(target=work, daemon=True).start()
    return found


class Ahead:
    """Lookups that were begun and whose answers have not been taken yet."""

    def __init__(self, look: Callable[[Call], Outcome]) -> None:
        self._look = look
        self._pending: list[tuple[Call, Future[Outcome]]] = []

    def over(self, items: Iterable[T], read_of: Callable[[T], Call]) -> Generator[T, None, None]:
        """The items, one after the other, each when the lookups of the next are under way."""
        window: deque[T] = deque()
        try:
            for item in items:
                read = read_of(item)
                self._pending.append((read, _begun(partial(self._look, read))))
                window.append(item)
                if len(window) == AT_ONCE:
                    yield window.popleft()
            while window:
                yield window.popleft()
        finally:
            self.forget()

    def take(self, read: Call) -> Outcome | None:
        """The answer to this lookup, or None where it was not begun. It is there once."""
        for number, (begun, lookup) in enumerate(self._pending):
            if begun == read:
                del self._pending[number]
                return lookup.result()
        return None

    def forget(self) -> None:
        """Take no answer any more: something changes, or the rest is not wanted."""
        self._pending = []


# -- why a call was refused ----------------------------------------------------------------------


def told(refusal: Refusal) -> Reason | None:
    """The gate that the error names: of a signature that is all, of policies it is one of them."""
    message = read(f"An error occurred ({refusal.code}) when calling it: {refusal.message}")
    if message is None or message.gate is None:
        return None
    if message.gate is Gate.SIGNATURE:
        return Reason((message.gate,))
    is_trust = message.assumes_role and message.gate is Gate.RESOURCE
    return Reason((str(Gate.TRUST if is_trust else message.gate),), whole=False)


def mismatch(check: Check, code: str, reason: Reason | None) -> str:
    """What is wrong with the reason of an expected refusal; nothing where it is not told.

    A denial that names no gate is one by a rule of the service.
    """
    if reason is None or not (check.by or code in DENIALS):
        return ""
    came, wanted = (" and ".join(gates) or "no policy" for gates in (reason.gates, check.by))
    gates = {*reason.gates}
    right = gates == {*check.by} if reason.whole else gates <= {*check.by}
    if not right:
        return f"refused by {came}, where {wanted} was to refuse"
    if check.key and reason.whole and check.key.lower() not in map(str.lower, reason.keys):
        decided = " and ".join(reason.keys) or "no condition"
        return f"{decided} decided, where {check.key} was to decide"
    return ""
