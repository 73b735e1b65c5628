"""The table of commands, in ``commands.txt``: where each is, its help in a line, and examples."""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_ROW = re.compile(r"# (?P<name>\S+(?: \S+)*)  (?P<where>\S+)(?:  (?P<help>.*))?")


class Entry(NamedTuple):
    """Where a command is (``module:attribute``), its help in one line, and examples of its use."""

    where: str
    help: str
    examples: tuple[str, ...] = ()


def family(group: str = "") -> dict[str, Entry]:
    """The commands of a group (``sandbox saml``), by name, in their order."""
    found = (name.rpartition(" ") for name in _table())
    return {name: _table()[f"{of} {name}".lstrip()] for of, _, name in found if of == group}


@cache
def _table() -> dict[str, Entry]:
    """Each command by all its words. A row's examples are the lines below it."""
    table: dict[str, Entry] = {}
    name = ""
    text = files("stslab.cli").joinpath("commands.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        if row:
            name, (module, _, attribute) = row["name"], row["where"].partition(":")
            where = f"stslab.cli.{module}:{attribute or 'command'}"
            table[name] = Entry(where, row["help"] or "")
        else:
            table[name] = table[name]._replace(examples=(*table[name].examples, line))
    return table
