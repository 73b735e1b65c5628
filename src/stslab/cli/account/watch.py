"""``stslab watch``: follow a run from a second terminal."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import click
from msgspec import to_builtins
from rich.live import Live

from stslab.aws.profiles import ProfileFiles
from stslab.cli.accounts import decider
from stslab.cli.workspace import lab_of
from stslab.errors import StslabError
from stslab.home import Home, home
from stslab.lab.listing import find
from stslab.lab.loader import load
from stslab.lesson.byhand import is_by_learner, is_look, is_own
from stslab.lesson.watch import Now, Status, now
from stslab.policy.decision import GATES
from stslab.policy.explain import WORDS
from stslab.render.requests import RequestTable, call_name, deciding, drawn, who
from stslab.render.terminal.paper import draws_over, paper_on
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import RunRecord
from stslab.runner.journal.store import Journal
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED, Event, Tail, is_refused
from stslab.sandbox.server import client
from stslab.vocabulary import Gate, PolicyKind


def follow(*, every: bool, as_json: bool) -> None:
    stopped = threading.Event()
    # Ctrl-C ends no look halfway. In this thread set() could wait without end for the wait() that
    # it interrupts.
    before = signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=stopped.set).start())
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGINT, before)
        watching = _Watching(home(), _Lines() if as_json else _Display(stack), stack, every=every)
        while not stopped.wait(0.3):
            watching.look()


class _Watching:
    """Looks at the log, the journal and the profiles, and shows what is new in them."""

    def __init__(
        self, home: Home, shown: "_Lines | _Display", stack: ExitStack, *, every: bool
    ) -> None:
        self.home, self.shown, self.every = home, shown, every
        self.stack = stack  # closes what is opened
        self.files = ProfileFiles(home.profiles(home.target))
        self.journal: Journal | None = None
        self.tail = stack.enter_context(closing(Tail(home.sandbox)))
        self.tail.read()
        self.running: bool | None = None
        self.status = Status(False, None, {}, datetime.now(UTC))
        self.told: Status | None = None
        self.ahead = timedelta()  # of the account's clock
        self.state: tuple[int, ...] = ()  # changes if something was written
        self.keys = set[str]()  # of stslab's own calls

    def look(self) -> None:
        if self.journal is None and self.home.has_journal:
            self.journal = self.stack.enter_context(Journal(self.home.journal))
        running = client.find(self.home.sandbox) is not None
        if running is not self.running:
            self.shown.account(running=running)
        self.running = running
        events = self.tail.read()
        breaking = any(past.broken() for _, past in self._present())
        is_hidden = self._is_own if breaking else is_look  # its calls would give a fault away
        for event in events:
            if self.every or not is_hidden(event):
                self.shown.request(event)
        written = self.journal.written_by_others if self.journal else 0
        state = (running, written, *self.files.written())
        if events or state != self.state:
            try:
                self.status = self._read(running=running)
                self.ahead = self.status.time - datetime.now(UTC)
                self.state = state
            except StslabError:  # the account stopped just now
                self.state = ()
        if self.shown.redraws or self.status != self.told:
            self.shown.status(replace(self.status, time=datetime.now(UTC) + self.ahead))
        self.told = self.status

    def _is_own(self, event: Event) -> bool:
        """Whether stslab made the request, or a service did for it."""
        own, key = is_own(event), event["userIdentity"].get("accessKeyId", "")
        self.keys |= {key} if own else set()
        return own or (key in self.keys and not is_by_learner(event))

    def _present(self) -> Iterator[tuple[RunRecord, Past]]:
        if self.journal:
            for run in self.journal.unfinished(self.home.target)[:1]:
                yield run, self.journal.past(run.id)

    def _read(self, *, running: bool) -> Status:
        """The status, with the time of the account's clock."""
        known = ((name, self.files.get(name)) for name in self.files.names())
        ends = {name: keys.expiration for name, keys in known if keys}
        if not running:
            return Status(running, None, ends, datetime.now(UTC))
        run = self._now()
        clock = client.control(self.home.sandbox, "GET", "clock")["now"]
        return Status(running, run, ends, datetime.fromisoformat(clock))

    def _now(self) -> Now | None:
        for run, past in self._present():
            try:
                lab = load(find(lab_of(run)), catalogue=None)
            except StslabError:  # it can't be read any more
                return None
            decide = decider(partial(client.control, self.home.sandbox), self.files.get)
            return now(lab, run, past, decide)
        return None


def gates(event: Event) -> list[dict[str, object]]:
    """The gates of a request in order, and whether it stopped there."""
    decided = deciding(event)
    accepted = decided is not None or event.get("errorCode") not in UNAUTHENTICATED
    found = [(Gate.SIGNATURE, "allows" if accepted else "denies", not accepted)]
    for layer in decided["layers"] if decided else ():
        gate, says = GATES[PolicyKind(layer["layer"])], WORDS[layer["decision"]][1]
        found.append((gate, says, bool(layer["blocks"])))
    return [{"gate": str(gate), "says": says, "decided": stopped} for gate, says, stopped in found]


class _Lines:
    redraws = False  # the status, each time

    def request(self, event: Event) -> None:
        decided = deciding(event)
        self._print(
            "request",
            time=event["eventTime"],
            id=event["requestID"],
            who=who(event),
            arn=event["userIdentity"].get("arn", ""),
            call=call_name(event),
            on=decided["resource"] if decided else "",
            allowed="errorCode" not in event,
            code=event.get("errorCode", ""),
            why=decided["reason"] if decided else event.get("errorMessage", ""),
            gates=gates(event),
        )

    def account(self, *, running: bool) -> None:
        self._print("account", running=running)

    def status(self, status: Status) -> None:
        run = to_builtins(status.now) if status.now else None
        if run:
            run["tasks"] = [{"text": text, "done": done} for text, done in run["tasks"]]
        identities = []
        for name, left in status.left():
            seconds = None if left is None else int(left)
            identities.append({"name": name, "ends": status.ends[name], "seconds": seconds})
        self._print("status", run=run, identities=identities)

    def _print(self, kind: str, **fields: object) -> None:
        click.echo(json.dumps({"event": kind, **fields}))


class _Display:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack  # restores the terminal
        self._paper = paper_on(sys.stdout)
        self._live: Live | None = None
        self.redraws = draws_over(self._paper.console)
        self.request = RequestTable(self._paper, is_refused, gates).show

    def account(self, *, running: bool) -> None:
        runs = "The embedded account runs. Each request is shown here. Ctrl-C ends this."
        stopped = "The embedded account is not running. Waiting for it to start."
        self._paper.prose(runs if running else stopped, style="dim")

    def status(self, status: Status) -> None:
        if not self.redraws:
            self._paper.console.print(drawn(self._paper, status), end="")
            return
        if self._live is None:
            live = Live(console=self._paper.console, auto_refresh=False, transient=True)
            self._live = self._stack.enter_context(live)
        self._live.update(drawn(self._paper, status), refresh=True)
