"""How a defect goes into the log: where it happened, and nothing of what was at hand there."""

import traceback


def where(error: BaseException) -> str:
    """The lines that led to an exception, and its kind.

    Its text is left out: it may repeat a value, and values may be secret.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__}"
