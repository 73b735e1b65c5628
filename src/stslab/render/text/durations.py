"""Times as people say them."""

_MINUTE = 60


def spoken(seconds: float) -> str:
    """Seconds as ``0.4 s``, ``12 s`` or ``2 min 5 s``."""
    if seconds < 0.05:  # noqa: PLR2004 - what would be said as 0.0 s
        return "under 0.1 s"
    if seconds < 9.95:  # noqa: PLR2004 - tenths matter below ten
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: ``1 call``, ``3 calls``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
