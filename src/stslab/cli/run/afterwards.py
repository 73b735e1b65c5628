"""What to say when a run stands still and its things are there to be looked at."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from stslab.cli.failures import with_flags
from stslab.cli.identities import LENT
from stslab.render.terminal.paper import Paper

if TYPE_CHECKING:
    from stslab.cli.accounts import Open


def say_what_to_try(console: Console, opened: "Open", scope: Mapping[str, Any]) -> None:
    """How to look around with the ordinary aws CLI, how to go on, and how to clean up."""
    paper = Paper(console)
    paper.blank()
    paper.prose("Look around with the aws CLI:", style="bold")
    paper.command(with_flags('eval "$(stslab env)"'))
    for name in opened.profiles.names():
        if name in LENT:
            continue
        paper.command(f"aws sts get-caller-identity --profile {name}")
    bucket = scope.get("bucket_name")
    if bucket:
        for name in scope.get("profiles", {}):
            paper.command(f"aws s3 ls s3://{bucket} --profile {name}")
    say_how_to_go_on(console)


def say_how_to_go_on(console: Console) -> None:
    """How a run that stands still goes on, or is taken back."""
    paper = Paper(console)
    paper.blank()
    paper.prose(with_flags("Go on:      stslab run"), lead=paper.symbols.hint)
    paper.prose(with_flags("Clean up:   stslab cleanup"), lead=paper.symbols.hint)
