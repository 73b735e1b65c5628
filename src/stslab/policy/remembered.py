"""What is remembered, within bounds: requests and policies may come from strangers.

A cache that counts its entries only holds as much as strangers send: a thousand actions of a
megabyte each are a gigabyte.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
K = TypeVar("K")
V = TypeVar("V")

SHORT: Final = 512
"""Characters of a text that is worth remembering by: ARNs, actions and values are shorter."""

_ROOM: Final = 8_000_000
_SHARE: Final = 8


def unless_long(kept: Callable[P, V], text: str) -> Callable[P, V]:
    """A function with an ``lru_cache``; for a long text the one without, which keeps nothing."""
    plain: Callable[P, V] = kept.__wrapped__  # type: ignore[attr-defined]  # what it caches
    return kept if len(text) < SHORT else plain


def for_short_texts(most: int) -> Callable[[Callable[[str], V]], Callable[[str], V]]:
    """As ``lru_cache``, for functions of one text: what it gives for a long one is not kept."""

    def decorate(read: Callable[[str], V]) -> Callable[[str], V]:
        kept = lru_cache(maxsize=most)(read)

        def reads(text: str) -> V:
            return kept(text) if len(text) < SHORT else read(text)

        return reads

    return decorate


class Remembered(dict[K, V]):
    """Values by key, as long as there is room; then it begins anew.

    ``most``: how many. What they were made of may have 8 million characters in all, and what is
    larger than an eighth of that is not kept: it would push out all others.
    """

    __slots__ = ("_most", "_size")

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._size = 0

    def keep(self, key: K, value: V, size: int) -> None:
        """Remember the value of ``size`` characters, which is not there yet."""
        if size > _ROOM // _SHARE:
            return
        if len(self) >= self._most or self._size + size > _ROOM:
            self.clear()
        self[key] = value
        self._size += size

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._size = 0
