"""``stslab why``: explain a refusal, from the embedded account's decision or AWS's message."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import click

from stslab.cli.options import json_option
from stslab.errors import SandboxError, StslabError, UsageError
from stslab.home import Home, home
from stslab.sandbox.pipeline.log_file import Event, is_refused, newest_first

_LONGEST = 4 * 1024 * 1024  # bytes of a message that are read
_HEX = re.compile(r"(?!-$)[0-9A-Fa-f-]{1,36}")
_WORD = re.compile(r"[A-Za-z0-9-]{1,36}")  # S3's ids have other letters too; no secret is so short
_NO_MESSAGE = "No refusal by AWS was found in the text."
_HOW = (
    "Give the whole message, with its code (such as AccessDenied): in quotes, as a file, or on"
    " stdin to `stslab why -`. Without arguments, the embedded account's last failure is explained."
)


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
        raise UsageError(_NO_MESSAGE, _HOW)
    given = " ".join(about)
    if not given or _HEX.fullmatch(given):
        _explain_request(given, as_json=as_json)
        return
    from stslab.policy.messages import advise, read
    from stslab.render.terminal.paper import paper_on
    from stslab.render.why import message_as_json, show_message

    text = _file_text(given)
    message = read(given if text is None else text)
    if message is None and text is None and _WORD.fullmatch(given):
        _explain_request(given, as_json=as_json)
    elif message is None and text is None and " " not in given:
        raise UsageError("That is neither a file nor an error message of AWS.", _HOW)
    elif message is None:
        raise UsageError(_NO_MESSAGE, _HOW)
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
    from stslab.aws.target import sandbox_name
    from stslab.runner.journal.records import How
    from stslab.runner.journal.store import Journal

    place = home()
    with Journal.of(place) as journal:
        runs = journal.unfinished(sandbox_name(place.named))[:1]
        return any(journal.past(run.id).how in (How.HAND, How.BREAK) for run in runs)


# -- requests in the embedded account's log ------------------------------------------------------

_SHORTEST = 6


def explained(home: Home, request_id: str = "", since: str = "") -> dict[str, Any] | None:
    """Explain the request of this id, or the newest failure since then; None if there is none.

    UsageError: the log has no such request, or several.
    """
    from stslab.render.requests import call_name
    from stslab.sandbox.why.explanation import explain

    folder = home.sandbox

    def events() -> Iterator[Event]:
        return takewhile(lambda event: str(event["eventTime"]) >= since, newest_first(folder))

    event = _with_id(folder, request_id) if request_id else _newest_failure(events())
    if event is None:
        return None
    told = explain(
        event,
        key=partial(_key_facts, folder),
        events=partial(newest_first, folder),
        may=partial(_who_may, home, event),
    )
    if not (request_id or _is_met(event)):
        for last in islice(filter(_is_met, events()), 1):
            known = f"stslab why {last['requestID'][:8]}"
            told["why"] += f" The last refusal was of {call_name(last)}: `{known}` explains it."
    return told


def _who_may(home: Home, event: Event) -> list[str]:
    """The profiles that would be allowed the same call now, with full access only if no other is.

    Another account's count only for AssumeRole: their other calls are about that account.
    """
    from stslab.aws.profiles import ProfileFiles
    from stslab.aws.target import sandbox_name
    from stslab.lesson.verdict import decided
    from stslab.runner.ports import ADMIN
    from stslab.sandbox.api.identifiers import account_of_key
    from stslab.sandbox.server.client import control

    caller = event["userIdentity"].get("accessKeyId", "")
    service, operation = str(event["eventSource"]).partition(".")[0], event["eventName"]
    call = service, operation, event["requestParameters"]
    would = partial(control, home.sandbox, "POST", "would")
    allowed = []
    with suppress(StslabError):
        profiles = ProfileFiles(home.profiles(sandbox_name(home.named)), region="")
        for name in profiles.names():
            keys = profiles.get(name)
            if keys is None or keys.access_key_id == caller:
                continue
            across = account_of_key(keys.access_key_id) != account_of_key(caller)
            if (operation == "AssumeRole" or not across) and decided(would, keys, *call).allowed:
                allowed.append(name)
        return [name for name in allowed if name not in (ADMIN, "root")] or allowed[:1]
    return []  # the account did not answer for all of them


def _newest_failure(events: Iterable[Event]) -> Event | None:
    """The newest refusal, or the learner's last call if it is newer and failed in another way."""
    from stslab.lesson.byhand import is_by_learner

    last_call = True
    for event in events:
        theirs = is_by_learner(event)
        if _is_met(event) or (theirs and last_call and "errorCode" in event):
            return event
        last_call = last_call and not theirs
    return None


def _with_id(folder: Path, request_id: str) -> Event:
    start = request_id.strip().lower()
    found = {
        event["requestID"]: event
        for event in newest_first(folder)
        if str(event["requestID"]).lower().startswith(start)
    }
    if len(found) == 1 and (len(start) >= _SHORTEST or start in map(str.lower, found)):
        return next(iter(found.values()))
    problem = "several requests" if found else "no request"
    fix = "List the last requests with their ids: stslab sandbox log"
    raise UsageError(f"The log has {problem} whose id begins with {request_id}.", fix)


def _is_met(event: Event) -> bool:
    """Whether somebody met a refusal. STS also refuses what policies allow: too long a session."""
    from stslab.lesson.byhand import is_own

    code = event.get("errorCode", "")
    if is_own(event) and code == "InvalidClientTokenId":  # stslab tried a key that cleanup deleted
        return False
    return is_refused(event) or bool(code and event["eventSource"] == "sts.amazonaws.com")


def _key_facts(folder: Path, access_key_id: str) -> Mapping[str, Any] | None:
    """What the embedded account knows about the key; None if it is not running."""
    from stslab.sandbox.server import client

    with suppress(SandboxError):
        return client.control(folder, "GET", f"key?id={access_key_id}") if access_key_id else None
    return None
