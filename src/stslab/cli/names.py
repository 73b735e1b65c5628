"""The ids of labs, stages and runs, for a shell that completes them.

Labs are read with two patterns instead of a YAML parser: a completion must be instant, and a
name that is missed costs nothing.
"""

import re
from pathlib import Path

import click

from stslab.errors import StslabError
from stslab.home import home
from stslab.resources import bundled_labs, foreign_folder, text_of

_LAB = re.compile(r"^id:\s*['\"]?([a-z][a-z0-9-]*)", re.MULTILINE)
_STAGES = re.compile(r"^stages:.*?(?=^[a-z]|\Z)", re.MULTILINE | re.DOTALL)
_STAGE = re.compile(r"^\s+-\s+id:\s*['\"]?([a-z][a-z0-9-]*)", re.MULTILINE)
_DEFAULT_LAB = "assume-role"


def complete_lab(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _labs() if name.startswith(incomplete)]


def complete_stage(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The stages whose ids begin so: of the lab that the command line names."""
    wanted = str(ctx.params.get("lab") or _DEFAULT_LAB)
    text = _labs().get(wanted) or text_of(Path(wanted))
    stages = _STAGES.search(text)
    return [
        one for one in _STAGE.findall(stages[0] if stages else "") if one.startswith(incomplete)
    ]


def complete_run(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from stslab.runner.journal.store import Journal

    try:
        with Journal.of(home()) as journal:
            return [run.id for run in journal.runs() if run.id.startswith(incomplete)]
    except StslabError:
        return []


def _labs() -> dict[str, str]:
    """The text of each lab that goes by an id."""
    folder = foreign_folder()
    further = [*folder.glob("*.yaml"), *folder.glob("*/*.yaml")] if folder else []
    texts = [text_of(path) for path in (*further, *bundled_labs())]
    return {found[1]: text for text in texts if (found := _LAB.search(text))}
