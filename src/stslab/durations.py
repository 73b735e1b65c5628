"""Durations and counts in words."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def spoken(seconds: float) -> str:
    """Seconds as ``0.4 s``, ``12 s``, ``2 min 5 s`` or ``1 d 3 h``: two units at most."""
    if seconds < 0.05:  # noqa: PLR2004 - it would read 0.0 s
        return "under 0.1 s"
    if seconds < 9.95:  # noqa: PLR2004 - tenths matter below ten
        return f"{seconds:.1f} s"
    return " ".join(f"{number} {unit}" for number, unit in parts(seconds)[:2] if number)


def parts(seconds: float) -> list[tuple[int, str]]:
    """The days, hours, minutes and seconds, from the first that is not 0."""
    rest, found = round(seconds), list[tuple[int, str]]()
    for unit, size in _UNITS:
        number, rest = divmod(rest, size)
        if number or found:
            found.append((number, unit))
    return found


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: ``1 call``, ``3 calls``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
