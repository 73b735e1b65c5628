"""Setting and unsetting variables, as each kind of shell writes it."""

import shlex
from collections.abc import Callable, Iterable, Mapping


def _sh_set(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _sh_unset(name: str) -> str:
    return f"unset {name}"


def _fish_set(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _fish_unset(name: str) -> str:
    return f"set -e {name}"


_SYNTAX: Mapping[str, tuple[Callable[[str, str], str], Callable[[str], str]]] = {
    "sh": (_sh_set, _sh_unset),
    "fish": (_fish_set, _fish_unset),
}
SHELLS = tuple(_SYNTAX)


def script(shell: str, settings: Mapping[str, str], unset: Iterable[str]) -> str:
    """Lines for ``eval``: what is to be unset, then what is to be set."""
    to_set, to_unset = _SYNTAX[shell]
    lines = [to_unset(name) for name in unset]
    lines += [to_set(name, value) for name, value in settings.items()]
    return "\n".join(f"{line};" for line in lines)


def likely_shell(path: str) -> str:
    """The syntax of the shell at this path (``$SHELL``): sh for all but fish."""
    return "fish" if path.rsplit("/", 1)[-1] == "fish" else "sh"
