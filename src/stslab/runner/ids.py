"""Run ids: what makes the names of a run's things its own."""

import secrets
import string

LENGTH = 8
_FIRST = string.ascii_lowercase
_REST = string.ascii_lowercase + string.digits


def new_run_id() -> str:
    """Eight lower-case letters and digits, a letter first: valid in any AWS name, buckets too.

    About 40 bits of chance, so that two runs, wherever they are, do not meet.
    """
    rest = (secrets.choice(_REST) for _ in range(LENGTH - 1))
    return secrets.choice(_FIRST) + "".join(rest)
