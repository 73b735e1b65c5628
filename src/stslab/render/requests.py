"""Draw requests to the embedded account, and the state of the run below them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from stslab.durations import spoken
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line
from stslab.render.text.symbols import in_words
from stslab.vocabulary import LEARNER

if TYPE_CHECKING:
    from stslab.lesson.watch import Status

Event = Mapping[str, Any]
Gate = Mapping[str, Any]
_COLUMNS, _COLUMNS_IF_NARROW = (20, 24), (13, 20)  # who, and the call
_NARROW = 80
_DAY, _TIME = slice(0, 10), slice(11, 19)
_INDENT = 11
_SHOWN = 8  # characters of a request's id


def call_name(event: Event) -> str:
    """The call in the form of an action, ``sts:AssumeRole``; just the service if that is all."""
    service = str(event.get("eventSource", "")).partition(".")[0]
    return f"{service}:{event['eventName']}" if event.get("eventName") else service


def who(event: Event) -> str:
    """The caller in short: ``user/bob``, ``root``, ``lab/session``."""
    identity = event.get("userIdentity", {})
    if identity.get("arn"):
        return _short_arn(identity["arn"]).removeprefix("assumed-role/")
    return vouched_for(identity) or str(identity.get("accessKeyId") or "not signed")


def vouched_for(identity: Event) -> str:
    """The user named by an identity provider, as in ``ana (SAML)``; else ""."""
    named_by = {"SAMLUser": "SAML", "WebIdentityUser": "web identity"}
    how = named_by.get(str(identity.get("type", "")))
    return f"{identity.get('userName') or '?'} ({how})" if how else ""


def _short_arn(arn: str) -> str:
    """An ARN without its partition, service and region, and without the learner's account."""
    parts = arn.split(":", 5)
    if len(parts) < 6:  # noqa: PLR2004 - arn, partition, service, region, account, resource
        return arn
    return parts[5] if parts[4] in ("", LEARNER) else f"{parts[4]}:{parts[5]}"


class RequestTable:
    """A table that grows by one request at a time; in a pipe nothing is cut."""

    def __init__(
        self,
        paper: Paper,
        is_refused: Callable[[Event], bool],
        gates: Callable[[Event], Sequence[Gate]] = lambda _: (),  # to show with a request
        explains: str = "stslab why",  # the command that explains one
    ) -> None:
        self._paper, self._is_refused, self._gates = paper, is_refused, gates
        self._explains, self._day = explains, ""
        self._widths = _COLUMNS_IF_NARROW if paper.width < _NARROW else _COLUMNS

    def show(self, event: Event) -> None:
        time, decided = str(event.get("eventTime", "")), deciding(event)
        if self._day != (day := time[_DAY]):
            self._day = day
            columns = "" if in_words() else self._columns(_INDENT, "who", "called", "on")
            self._paper.whole(f"{one_line(day):<{_INDENT}}{columns}".rstrip(), "bold")
        denied = decided is not None and decided["decision"] != "Allowed"
        good = not event.get("errorCode") and not denied
        sign = self._paper.sign("done" if good else "failed")
        line = Text(f"{time[_TIME]} ", style="dim")
        line.append(f"{sign.plain} ", style=f"not dim {sign.style}")
        resource = _short_arn(decided["resource"]) if decided else ""
        texts = [one_line(text) for text in (who(event), call_name(event), resource)]
        told = ", ".join(filter(None, texts))
        row = told if in_words() else self._columns(line.cell_len, *texts)
        self._paper.console.print(line.append(row, style="not dim"), soft_wrap=not in_words())
        why = decided["reason"] if denied and decided else str(event.get("errorMessage", ""))
        reason = "" if good else f"{event.get('errorCode') or 'AccessDenied'}: {why}"
        if self._is_refused(event):
            reason += f" ({self._explains} {str(event['requestID'])[:_SHOWN]})"
        if gates := self._gates(event):
            self._paper.prose(self._gates_in_order(gates), indent=_INDENT)
        source = str(event.get("sourceIPAddress", ""))
        source = "" if source in ("127.0.0.1", "") else f"from {source}"
        for text in filter(None, (source, reason)):
            self._paper.prose(one_line(text), indent=_INDENT, style="dim" if good else "red")

    def _gates_in_order(self, gates: Sequence[Gate]) -> str:
        signs = self._paper.symbols
        marks = {"allows": signs.done, "denies": signs.failed}
        decided = f"{signs.failed} (decided)"
        texts = (
            f"{gate['gate']} {decided if gate['decided'] else marks.get(gate['says'], signs.dot)}"
            for gate in gates
        )
        return f" {signs.hint} ".join(texts)

    def _columns(self, used: int, *texts: str) -> str:
        """The texts after ``used`` columns, cut to fit on a terminal."""
        console = self._paper.console
        room = console.width - used - sum(self._widths) - 2
        fit = _fitted if console.is_terminal else str.ljust
        return " ".join(map(fit, texts, (*self._widths, room))).rstrip()


def _fitted(text: str, width: int) -> str:
    """The text in exactly ``width`` columns, cut in the middle if it is longer."""
    if cell_len(text) > width:
        kept = max(width - 1, 2)
        text = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    return text + " " * (width - cell_len(text))


def deciding(event: Event) -> Mapping[str, Any] | None:
    """The decision to show of a request: the first that refuses it, else the first."""
    decisions = event["decisions"]
    refusing = (each for each in decisions if each["decision"] != "Allowed")
    return next(refusing, decisions[0] if decisions else None)


def drawn(paper: Paper, status: "Status") -> Text:
    """The run's stage, tasks and identities in a few lines, none wider than the console."""
    symbols, now, width = paper.symbols, status.now, paper.console.width
    rows = [("─" * width, "dim")]
    if now is None and status.running:
        rows.append(("There is no unfinished run. Start one: stslab run", "dim"))
    if now is not None:
        where = f"{now.lab}, {now.how}" if now.how else now.lab
        rows.append((f"{where}   {now.number}/{now.of}  {one_line(now.title)}", "bold"))
        looks = {True: (symbols.done, "green"), False: (symbols.pending, "")}
        tasks = [(text, *looks[done]) for text, done in now.tasks]
        tasks += [(text, symbols.failed, "red") for text in now.missing]
        rows += [(f"  {sign} {one_line(text)}", style) for text, sign, style in tasks]
    identities = []
    for name, left in sorted(status.left(), key=lambda pair: pair[1] is None):
        ends = f"{spoken(left)} left" if left is not None and left > 0 else "ended"
        told = one_line(name if left is None else f"{name} ({ends})")
        identities.append(told.replace(" ", "\xa0"))
    rows.append(("   ".join(("profiles:", *identities)), ""))
    wraps = partial(wrap, width=width, subsequent_indent=" " * 4, break_on_hyphens=False)
    lines = [Text(one.replace("\xa0", " "), style) for row, style in rows for one in wraps(row)]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)
