"""``stslab why``: explain a refusal, from the embedded account's decision or AWS's message."""

import json
import re
import sys
from contextlib import suppress

import click

from stslab.cli.options import json_option
from stslab.errors import UsageError
from stslab.home import home
from stslab.structures import beside, said

_LONGEST = 4 * 1024 * 1024  # bytes of a message that are read
_WORD = re.compile(r"[A-Za-z0-9-]{1,36}")  # S3's ids have other letters too; no secret is so short


@click.command("why")
@click.argument("about", nargs=-1, metavar="[REQUEST-ID | MESSAGE | FILE | -]")
@json_option("A JSON object, on stdout.")
def command(*, about: tuple[str, ...], as_json: bool) -> None:
    """Explain a failure: the embedded account's last, one by its id, or AWS's error message.

    During a `stslab run --practice` or `stslab break`, the last refusal is explained a little
    more each time, as at the prompt. With an id, all of it is shown.

    For a request to the embedded account it shows the policies, the result of each statement,
    which of them refused, and what to change. The id is the request id in AWS's answer;
    `stslab sandbox log` shows it, and its first characters are enough.

    An error message may come from any account; none is needed to explain it. You see the
    caller, the call and the resource, which gate refused as far as the message says, what it
    can't say, and what to look at first, with commands. The message may be wrapped, and come
    from the aws CLI, an SDK, Terraform, or CloudTrail's JSON. It stays on this machine.
    """
    if about and not "".join(about).strip():
        raise UsageError(*said(beside(__file__, "refused.yaml"), "no message"))
    given = " ".join(about)
    if not given or re.fullmatch(r"(?!-$)[0-9A-Fa-f-]{1,36}", given):
        _explain_request(given, as_json=as_json)
        return
    from stslab.policy.messages import advise, read
    from stslab.render.terminal.paper import paper_on
    from stslab.render.why import message_as_json, show_message

    text = _file_text(given)
    message = read(given if text is None else text)
    if message is None and text is None and _WORD.fullmatch(given):
        _explain_request(given, as_json=as_json)
    elif message is None:
        says = "neither" if text is None and " " not in given else "no message"
        raise UsageError(*said(beside(__file__, "refused.yaml"), says))
    elif as_json:
        click.echo(json.dumps(message_as_json(message, advise(message)), indent=2))
    else:
        show_message(paper_on(sys.stdout), message, advise(message))


def _file_text(name: str) -> str | None:
    """The content of the file, or of stdin (``-``); None: no such file, so it is a message."""
    if name == "-" and sys.stdin.isatty():
        click.echo("Paste the message, then press Ctrl-D.", err=True)
    try:
        with click.open_file(name, "rb") as file:
            return str(file.read(_LONGEST).decode("utf-8", errors="replace"))
    except (IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{name} can't be read: {error.strerror}.") from error
    except (OSError, ValueError):
        return None


def _explain_request(request_id: str, *, as_json: bool) -> None:
    if not request_id and not as_json and _finds_out():
        from stslab.cli.run.tasks import help_with

        with suppress(UsageError):  # there is nothing left to find out
            help_with("why", "")
            return
    from stslab.cli.run.refusals import explained

    explanation = explained(home(), request_id)
    if explanation is None:
        click.echo("The embedded account has refused nothing yet.", err=True)
    if as_json:
        click.echo(json.dumps(explanation, indent=2))
    elif explanation:
        from stslab.render.terminal.paper import paper_on
        from stslab.render.why import show

        show(paper_on(sys.stdout), explanation)


def _finds_out() -> bool:
    """Whether the current run is by hand, or has a fault: then `why` explains by degrees."""
    from stslab.runner.journal.records import How
    from stslab.runner.journal.store import Journal

    place = home()
    with Journal.of(place) as journal:
        runs = journal.unfinished(place.target)[:1]
        return any(journal.past(run.id).how in (How.HAND, How.BREAK) for run in runs)
