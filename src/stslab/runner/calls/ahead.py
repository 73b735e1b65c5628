"""Lookups that do not wait for each other: begun together, each answer taken when it is its turn.

What the run shows and decides keeps its order; only the waiting overlaps. An answer that was
begun before the run changed anything is not used after it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import TypeVar

from stslab.runner.ports import Call, Outcome

T = TypeVar("T")

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
