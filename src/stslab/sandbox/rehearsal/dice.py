"""Chance that is the same every time: it depends on the seed and on what it is asked for."""

import hashlib

_BYTES = 7
_RANGE = float(1 << (8 * _BYTES))


def share(seed: int, *what: object) -> float:
    """A number from 0 up to 1, the same for the same seed and the same question."""
    text = "\0".join(map(str, (seed, *what)))
    digest = hashlib.blake2b(text.encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest) / _RANGE
