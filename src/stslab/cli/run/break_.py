"""``stslab break``: find and fix one fault in a working set-up."""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from stslab.cli.options import complete_lab, json_option
from stslab.errors import UsageError
from stslab.resources import bundled_labs

if TYPE_CHECKING:
    from stslab.lab.model import Lab
    from stslab.runner.journal.records import Fault


@click.command("break")
@click.argument("lab", default="", shell_complete=complete_lab)
@click.option("--fault", default="", metavar="ID", help="This fault; --list lists them.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N",
              help="The fault of this number, the same for everybody.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="Only list the faults (of all labs).")
@json_option("With --list: a JSON array, on stdout.")
def command(*, lab: str, fault: str, seed: int | None, listed: bool, as_json: bool) -> None:
    """Set up LAB on the embedded account, break one thing, and let you find and fix it.

    You see what a colleague would report. Diagnose it at the prompt or in another terminal, with
    `why`, the log, `stslab simulate` and the aws CLI, and fix it. It is fixed when everybody may
    do what they should again, and nothing more. Without --fault and --seed it is random.
    """
    if listed:
        _list(lab, as_json=as_json)
        return
    if as_json or (fault and seed is not None):
        raise UsageError(
            "--json goes with --list." if as_json else "--fault and --seed do not go together.",
            "See `stslab break --help`.",
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "A person looks for the fault: it needs a terminal.",
            "Without one: stslab break --list; and `stslab test` tries each fault by itself.",
        )
    from stslab.cli.bench import bench, load_lab
    from stslab.cli.failures import USUAL_LAB, Interrupted, goes_on_in
    from stslab.cli.run.faulty import GOES_ON, break_and_fix

    loaded = load_lab(lab or USUAL_LAB)
    goes_on_in(lab or USUAL_LAB)
    asked = f"--fault {fault}" if fault else f"--seed {seed}" if seed is not None else ""
    with bench("stslab break", lab=loaded) as laid:
        try:
            break_and_fix(laid, loaded, asked)
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted("Stopped.", GOES_ON) from None


def _list(lab: str, *, as_json: bool) -> None:
    from stslab.cli.bench import load_lab
    from stslab.lab.reading.listing import find

    rows = []
    for path in [find(lab)] if lab else bundled_labs():
        loaded = load_lab(path)
        if sys.stderr.isatty():
            click.echo(f"{loaded.id}: proving which faults can be found and fixed ...", err=True)
        rows += [
            {"id": fault.id, "lab": loaded.id, "title": fault.title, "derived": fault.derived}
            for fault in offered(loaded)
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("No fault can be proved: declare one, or add an `access` table.", err=True)
    width = shutil.get_terminal_size().columns
    for row in rows:
        click.echo(f"{row['id']}  ({row['lab']}{', derived' if row['derived'] else ''})")
        click.echo(click.wrap_text(str(row["title"]), width, "  ", "  "))


def offered(lab: "Lab") -> "list[Fault]":
    """The faults that are proved, sorted by id."""
    from stslab.cli.in_memory import proofs

    proved = [proof for _, proof in proofs(lab) if not isinstance(proof, str)]
    return sorted(proved, key=lambda fault: fault.id)


def chosen(lab: "Lab", faults: "Sequence[Fault]", asked: str) -> "Fault":
    """The fault for ``asked``, a flag and its value."""
    flag, value = asked.split(" ", 1)
    if not faults:
        raise UsageError(
            f"The lab {lab.id} has no fault that can be proved.",
            "Declare one in `faults:`; derived ones need an `access` table.",
        )
    if flag == "--seed":
        number = int.from_bytes(hashlib.sha256(f"{lab.id} {value}".encode()).digest()[:8])
        return faults[number % len(faults)]
    found = next((fault for fault in faults if fault.id == value), None)
    if found is None:
        raise UsageError(
            f"The lab {lab.id} has no fault {value}.", "List its faults: stslab break --list"
        )
    return found
