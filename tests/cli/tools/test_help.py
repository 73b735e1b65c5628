"""Help pages, examples in each command's help, and completion."""

import re
import shlex
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Stslab

from stslab.cli.commands import LazyGroup
from stslab.cli.main import cli
from stslab.cli.tools.help import topics

TEXT = files("stslab.cli").joinpath("commands.txt").read_text().splitlines()
EXAMPLES = [line for line in TEXT if not line.startswith("# ")]
GROUPS = {"sandbox", "sandbox saml"}
EVERY = {
    f"{group} {name}".strip(): entry
    for group in ("", "sandbox", "sandbox saml", "report")
    for name, entry in LazyGroup(family=group).entries.items()
    if entry.help
}


@pytest.mark.parametrize("topic", list(topics()))
@pytest.mark.parametrize("look", [(), ("--plain",)])
def test_each_topic_is_a_short_page(topic: str, look: tuple[str, ...], stslab: Stslab) -> None:
    said = stslab(*look, "help", topic)
    assert said.code == 0
    assert 5 < len(said.out.splitlines()) < 60
    assert topics()[topic][1] in said.out
    assert f"From docs/{topics()[topic][0]}" in said.out


def test_no_comment_beside_a_command_is_broken_at_80_columns() -> None:
    for page in {page for page, *_ in topics().values()}:
        lines = Path("docs", page).read_text().splitlines()
        said = [line for line in lines if line.startswith("    ") and "  # " in line]
        assert [line for line in said if len(line) > 80] == []


def test_in_a_pipe_a_table_has_two_columns(stslab: Stslab) -> None:
    assert "\n3: a check did not hold\n" in stslab("help", "exit-codes").out


def test_help_lists_the_topics(stslab: Stslab) -> None:
    said = stslab("help")
    assert all(f"\n  {name} " in said.out for name in topics())


def test_help_of_a_command_is_its_help(stslab: Stslab) -> None:
    assert stslab("help", "show").out.strip() == stslab("show", "--help").out.strip()
    assert "Usage: stslab sandbox log" in stslab("help", "sandbox", "log").out


@pytest.mark.parametrize(
    ("asked", "hint"), [("leson", "'lesson'?"), ("brek", "'break'?"), ("zz", "topics")]
)
def test_an_unknown_topic(asked: str, hint: str, stslab: Stslab) -> None:
    said = stslab("help", asked)
    assert said.code == 2
    assert hint in said.err


@pytest.mark.parametrize("name", list(EVERY))
def test_each_command_has_the_display_options_and_examples(name: str, stslab: Stslab) -> None:
    said = stslab(*name.split(), "--help")
    assert said.code == 0
    assert "--plain" in said.out
    assert "--no-color" in said.out
    assert name in GROUPS or "Examples:" in said.out


def _examples() -> Iterator[str]:
    for text in " ".join(EXAMPLES).replace("\\", "").split("stslab ")[1:]:
        yield re.split(r'\)"| [<>] | eval| terraform| aws iam', text)[0]


@pytest.mark.parametrize("example", [*_examples()])
def test_each_example_is_valid(example: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("lab.account", "report.json", "ana.json", "ben.json"):
        (tmp_path / file).write_text("{}")
    group: click.Command = cli
    words = shlex.split(example)
    ctx = click.Context(cli, info_name="stslab")
    while isinstance(group, click.Group):
        with group.make_context(ctx.info_name, list(words), parent=ctx) as ctx:
            name, found, words = group.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
            assert found is not None, name
            group = found
    group.make_context(example, words, parent=ctx)


def _completed(*words: str) -> list[str]:
    from click.shell_completion import ShellComplete

    found = ShellComplete(cli, {}, "stslab", "_X").get_completions(list(words[:-1]), words[-1])
    return [one.value for one in found]


def test_a_shell_completes_topics_labs_stages_faults_targets_and_runs(state) -> None:
    assert _completed("help", "le") == ["lesson"]
    assert _completed("show", "assume") == ["assume-role"]
    assert _completed("step", "--lab", "assume-r") == ["assume-role"]
    assert "create-user" in _completed("run", "--from", "")
    assert _completed("break", "external-id", "--fault", "any") == ["any-id"]
    assert _completed("run", "external-id", "--from", "") != _completed("run", "--from", "")
    assert _completed("run", "--target", "") == ["sandbox", "aws"]
    assert _completed("run", "--target", "a") == ["aws"]
    assert _completed("cleanup", "") == []
    _a_run(state)
    for command in ("cleanup", "report"):
        assert _completed(command, "") == ["ab12cd34"]
        assert _completed(command, "zz") == []


def _a_run(state) -> None:
    from stslab.runner.journal.records import RunRecord, RunState
    from stslab.runner.journal.store import Journal

    run = RunRecord(
        "ab12cd34", "assume-role", "A lab", "lab.yaml", "0" * 64, "sandbox", "sandbox",
        "111122223333", "us-east-1", "aws", "x", RunState.ACTIVE, "2030-01-01T00:00:00+00:00",
    )  # fmt: skip
    state.mkdir(parents=True)
    with Journal(state / "journal.sqlite") as journal:
        journal.begin(run)
