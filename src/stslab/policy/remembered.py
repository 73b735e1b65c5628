"""What is remembered, within bounds: requests and policies may come from strangers.

A cache that counts its entries only holds as much as strangers send: a thousand actions of a
megabyte each are a gigabyte. ``make bench`` shows what the caches save.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
V = TypeVar("V")

SHORT: Final = 512
"""Characters of a text that is worth remembering by: ARNs, actions and values are shorter."""


def remembered(most: int, longest: int = SHORT) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """As ``lru_cache``, but what a function gives for a long first argument is not kept."""

    def decorate(read: Callable[P, V]) -> Callable[P, V]:
        fresh: Callable[..., V] = read
        kept: Callable[..., V] = lru_cache(maxsize=most)(read)

        def reads(text: str | bytes, *args: Hashable) -> V:
            return (kept if len(text) < longest else fresh)(text, *args)

        return reads  # type: ignore[return-value]  # of the same parameters, which go by position

    return decorate
