"""Asks a person whether the real account is the one that they mean."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from stslab.errors import CredentialsError
from stslab.render.paper import Paper

if TYPE_CHECKING:
    from stslab.cli.accounts import Open


def confirm_account(console: Console, opened: "Open") -> None:
    """Say who and where the learner is; they type the account's id to go on.

    Raises:
        CredentialsError: they type something else.
    """
    info, identity = opened.target.info, opened.identity
    paper = Paper(console)
    paper.line(paper.symbols.warning, "yellow", "This works on a real AWS account")
    paper.fields(
        [
            ("you are", identity.arn if identity else "unknown"),
            ("account", info.account),
            ("region", info.region),
            ("makes", "what `stslab show` lists, with the run's id in each name"),
            ("costs", "nothing; all of it is taken back at the end"),
        ],
        indent=2,
    )
    console.print("Type the account's id to go on: ", end="")
    if sys.stdin.readline().strip() != info.account:
        raise CredentialsError(
            "That is not the account's id. Nothing was called.",
            "Without --target, the lab runs on the embedded account.",
        )
