"""Completion of labs and stages."""

import click

from stslab.cli.options import complete_fault, complete_lab, complete_stage
from stslab.cli.workspace import load_lab
from stslab.lab.listing import headers

PARAM = click.Option(["--to"])


def _context(**params: str) -> click.Context:
    context = click.Context(click.Command("run"))
    context.params = params
    return context


def test_the_patterns_find_what_the_parser_finds():
    for lab in headers():
        stages = [*lab.stages]
        assert complete_stage(_context(lab=lab.id), PARAM, "") == stages
        assert complete_stage(_context(lab=str(lab.path)), PARAM, "") == stages
        faults = [fault.id for fault in load_lab(lab.path).faults]
        assert complete_fault(_context(lab=lab.id), PARAM, "") == faults
        assert lab.id in complete_lab(_context(), PARAM, "")


def test_only_matching_names_are_offered():
    assert complete_stage(_context(), PARAM, "at") == ["attach-policy"]
    assert complete_lab(_context(), PARAM, "assume-r") == ["assume-role"]
    assert complete_lab(_context(), PARAM, "zzz") == []
    assert complete_lab(_context(), PARAM, "ne") == ["next"]
    assert complete_lab(click.Context(click.Command("lint")), PARAM, "ne") == []
    assert complete_stage(_context(lab="/no/such/file"), PARAM, "") == []
