"""Run ids: what makes the names of a run's things its own; and who runs it."""

import getpass
import platform
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


def person() -> str:
    """The user and the machine, for reports; what can't be told is left out."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, nor for this user's number
        user = ""
    return "@".join(filter(None, [user, platform.node()]))
