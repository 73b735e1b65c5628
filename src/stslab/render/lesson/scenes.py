"""Scenes: frozen values that the learner's screen shows, and how each is drawn."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.text import Text

from stslab.lesson import evidence
from stslab.lesson.access import CellState, Key, Link
from stslab.lesson.byhand import StageTasks
from stslab.lesson.faults import Remaining
from stslab.lesson.questions import DONT_KNOW, UNSURE, Gates, Question
from stslab.lesson.verdict import GateReading, Verdict
from stslab.render.terminal.paper import Paper
from stslab.render.terminal.run_view import draw_drift
from stslab.render.text.durations import spoken
from stslab.render.text.safe import one_line
from stslab.render.text.symbols import in_words
from stslab.runner import events
from stslab.runner.events import Describe
from stslab.runner.journal.standing import Concept
from stslab.runner.ports import Data
from stslab.structures import parts, text_or_json
from stslab.vocabulary import Gate

_LABEL = 28
_GAP = 2
_NARROWEST, _WIDEST = 7, 14
"""The width of a caller's column in the access table."""
Fields = tuple[tuple[str, str], ...]
_MEMBERS, _LONGEST = 6, 160  # of an answer: how many are shown, and characters of each
_FIND_OUT = (
    "Find out why and fix it, here or in another terminal. `why` explains a little more each time;"
    " you can also use stslab sandbox log, stslab simulate and the aws CLI."
)


class Done(msgspec.Struct, frozen=True):
    """The result of the last step or check, shown above the next scene."""

    lines: tuple[tuple[bool, str], ...]  # whether it went well, and what it was
    shown: tuple[tuple[str, Any], ...] = ()
    names: Mapping[str, str] = {}  # shell variables, with their values

    def brief(self) -> "Done":
        """Only what went wrong; if nothing did, what was made, and how much else there was."""
        wrong = tuple(line for line in self.lines if not line[0])
        (_, first), *others = self.lines
        shown = ((label, evidence.renamed(str(value), self.names)) for label, value in self.shown)
        made = ", ".join(f"{label} {name}" for label, name in shown if name[1:] in self.names)
        lines = [(True, f"{first}: {made}" if made else first), *others]
        if len(others) > 1:
            lines[1:] = [(True, f"{len(others)} more steps and checks went well")]
        return Done(wrong or tuple(lines))

    def draw(self, paper: Paper) -> None:
        for well, text in self.lines:
            paper.line("done" if well else "failed", text, indent=1)
        paper.fields(list(self.shown), indent=4)
        paper.blank()


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One screen: what was done ``before``, a heading, and the scene's own body."""

    title: str
    place: str = ""  # in the lab, as in "stage 2 of 6"
    before: Done | None = None

    def draw(self, paper: Paper) -> None:
        if self.before:
            self.before.draw(paper)
        heading(paper, self.title, self.place)
        self.body(paper)

    def body(self, paper: Paper) -> None:
        raise NotImplementedError


def heading(paper: Paper, left: str, right: str = "") -> None:
    gap = paper.width - len(left) - len(right) - 2
    if gap >= _GAP:
        line = Text(" ").append(one_line(left), style="bold")
        paper.put(line.append(" " * gap + right, style="dim"))
    else:  # the right part has no room: it stands above
        if right:
            paper.prose(right, indent=1, style="dim")
        paper.prose(one_line(left), indent=1, style="bold")
    paper.blank()


class Welcome(Scene, frozen=True):
    """The lab, before anything runs. ``advice`` names the other choices."""

    summary: str
    stages: tuple[events.StageShown, ...]
    where: str
    resumed: bool = False
    advice: str = ""

    def body(self, paper: Paper) -> None:
        if self.summary:
            paper.markdown(self.summary, indent=1)
            paper.blank()
        signs = {"done": paper.symbols.done, "current": paper.symbols.current}
        for number, stage in enumerate(self.stages, 1):
            sign = signs.get(stage.state, " ") if self.resumed else " "
            paper.put(Text(f"   {sign} {number}  {one_line(stage.title)}"))
        paper.blank()
        paper.prose(self.where, indent=1)
        if self.advice:
            paper.blank()
            paper.prose(self.advice, indent=1)


class Story(Scene, frozen=True):
    """Markdown under a heading: the introduction of a stage or of cleanup, or a longer text."""

    text: str
    things: tuple[str, ...] = ()  # what cleanup will remove
    pages: tuple[tuple[str, str], ...] = ()  # further reading at AWS

    def body(self, paper: Paper) -> None:
        paper.markdown(self.text, indent=1)
        for title, url in self.pages:
            paper.blank()
            paper.prose(title, indent=1, style="bold")
            paper.whole(f"   {url}", "cyan")
        if self.things:
            paper.blank()
            back = ", and your changes reverted" if "by hand" in str(self.things) else ""
            paper.prose(f"This will be undone, if it still exists{back}:", indent=1, style="bold")
        for thing in self.things:
            paper.line("dot", thing, indent=3)


class Doing(Scene, frozen=True):
    """A step that waits for Enter. ``documents`` are policies worth reading first, by name."""

    why: str
    documents: Mapping[str, Any]
    intro: Story | None = None  # the stage's introduction, if it is shown above

    def draw(self, paper: Paper) -> None:
        if self.intro is None:
            super().draw(paper)
            return
        replace(self.intro, before=self.before or self.intro.before).draw(paper)
        paper.blank()
        replace(self, intro=None, before=None).draw(paper)

    def body(self, paper: Paper) -> None:
        if self.why:
            paper.prose(self.why, indent=1)
        _statements(paper, self.documents, below=bool(self.why))


def _statements(paper: Paper, documents: Mapping[str, Any], *, below: bool) -> None:
    """The statements of each document in words, under its name."""
    for at, (name, document) in enumerate(documents.items()):
        if at or below:
            paper.blank()
        paper.prose(name, indent=3, style="bold")
        for statement in evidence.statements_of(document):
            for number, line in enumerate(evidence.statement_lines(statement)):
                paper.prose(line, indent=5 if number == 0 else 7)


class Asking(Scene, frozen=True):
    """A prediction: the evidence for each possible caller, and the answers."""

    command: str
    question: Question
    claims: list[str]  # of the call's token
    evidence: Mapping[str, Verdict]
    target: str  # the resource, in words
    brief: bool = False  # show only the statements that name the action

    def body(self, paper: Paper) -> None:
        shown = [("the token", self.claims)] if self.claims else []
        shown += [
            (label, lines or ["none"])
            for who, verdict in self.evidence.items()
            for label, lines in evidence.evidence(verdict, who, self.target, brief=self.brief)
            if any(gate.says for gate in verdict.gates)  # else it is unknown before the call
        ]
        for label, lines in shown:
            for number, line in enumerate(lines):
                paper.prose(line, indent=3, lead=f"{'' if number else label:<{_LABEL}}")
        if shown:
            paper.blank()
        paper.command(self.command, indent=3)
        paper.blank()
        paper.prose("What will AWS answer?", indent=1, style="bold")
        for answer in self.question.answers:
            paper.prose(answer.text, indent=3, lead=f"{answer.digit} ")
        paper.prose(DONT_KNOW, indent=3, lead=f"{UNSURE} ")


class Answered(Scene, frozen=True):
    """The result of the real call, and the prediction: ``said`` is the answer's digit or 0."""

    who: str
    target: str
    question: Question
    said: int
    verdict: Verdict
    held: bool
    message: str
    because: str
    refusal: str = ""  # AWS's message if it refused
    answer: Fields = ()  # what it answered if not, without secrets

    def body(self, paper: Paper) -> None:
        said, right = map(self.question.answer, (self.said, self.question.right))
        paper.prose(f"{right.text if right else ''}.", indent=1, style="bold")
        if said == right:
            paper.line("done", "You said so.", indent=1)
        elif said:
            paper.line("failed", f"You said: {said.text}.", indent=1, style="magenta")
        if self.refusal or self.answer:
            paper.blank()
            paper.prose(f"AWS said: {self.refusal}", indent=1, style="dim")
            paper.fields(self.answer, indent=3)
        paper.blank()
        unbelieved = Gate.SIGNATURE in self.verdict.by
        gates = [GateReading(Gate.SIGNATURE, "is not accepted", decided=True)]
        gates = gates if unbelieved else [each for each in self.verdict.gates if each.says]
        for reading in gates:
            self._gate(paper, reading)
        if gates:
            paper.blank()
        if self.because:
            paper.prose(self.because, indent=1)
        contrast = self._contrast(said.gates) if said and said != right else ""
        if contrast:
            paper.blank()
            paper.prose(contrast, indent=1)
        if not self.held:
            paper.blank()
            paper.line("failed", f"The lab expects something else: {self.message}", indent=1)

    def _gate(self, paper: Paper, reading: GateReading) -> None:
        known = {"allows": "done", "denies": "failed"}.get(reading.says)
        known = "failed" if reading.decided else known
        sign = paper.sign(known) if known else paper.sign("dot", "dim")
        label = evidence.label(reading.gate, self.who, self.target)
        body = Text("   ").append(f"{label:<{_LABEL}}").append_text(sign).append(" ")
        body.append(reading.says, style="bold" if reading.decided else "")
        if reading.decided:
            body.append("  < decided", style="bold")
        paper.put(body)

    def _contrast(self, said: Gates) -> str:
        """What makes the wrong answer wrong, if more can be said than that it is."""
        by, results = self.verdict.by, {one.gate: one.says for one in self.verdict.gates}
        unread = not results or not results.keys() >= {*(said or ())}
        if Gate.SIGNATURE in by or self.question.whose or unread:
            return ""

        def named(gates: Iterable[Gate]) -> str:
            labels = (evidence.label(gate, self.who, self.target) for gate in gates)
            return " and ".join(f"the {label}" for label in labels)

        if said is None or (not said and not by):
            return "Policies are one thing; the limits of the service itself are another."
        if not said:
            too = " too" if "allows" in results.values() else ""
            denied = any(results.get(gate) == "denies" for gate in by)
            verb = "did not deny it" if denied else f"allowed it{too}"
            return f"You would be right if {named(by)} {verb}."
        wrong = [gate for gate in said if gate not in by]
        if not wrong:
            half = named(gate for gate in by if gate not in said)
            return f"That is half of it: {half} did not allow it."
        if any(results[gate] != "does not allow" for gate in wrong):
            return ""
        return (
            f"It is true that {named(wrong)} did not allow it, but that alone refuses nothing here."
        )


def in_brief(answer: Data) -> Fields:
    """AWS's answer in a few fields: an object's text, the names in its lists, or its values."""
    lists = {
        name: ", ".join(text_or_json(_named(one)) for one in value) or "none"
        for name, value in answer.items()
        if isinstance(value, list)
    }
    shown = {"Body": answer["Body"]} if "Body" in answer else lists or answer
    values = [(path[-1], part) for path, part in parts(shown) if isinstance(part, str | int)]
    told = ((str(name), " ".join(str(value).split())) for name, value in values[:_MEMBERS])
    return tuple(
        (name, text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...") for name, text in told
    )


def _named(part: Any) -> Any:
    return part.get("Name", part.get("Key", part)) if isinstance(part, Mapping) else part


class Matrix(Scene, frozen=True):
    """The access table and the stage's changes. Cells in ``asked`` are hidden: they come next."""

    cells: tuple[CellState, ...]
    changed: frozenset[Key] = frozenset()
    chain: tuple[Link, ...] = ()
    asked: frozenset[Key] = frozenset()

    def body(self, paper: Paper) -> None:
        callers = list(dict.fromkeys(cell.who for cell in self.cells))
        widest = max((len(cell.says) for cell in self.cells), default=0)
        room = (paper.width - widest - 6) // max(len(callers), 1)
        column = min(max(room, _NARROWEST), _WIDEST)
        header = Text("   " + " " * (widest + 2))
        for who in callers:
            header.append(f"{who[: column - 1]:<{column}}", style="bold")
        paper.put(header)
        for says in dict.fromkeys(cell.says for cell in self.cells):
            row = Text(f"   {says:<{widest}}  ")
            for who in callers:
                row.append_text(self._cell(paper, says, who, column))
            row.rstrip()
            paper.put(row)
        if self.chain:
            paper.blank()
            draw_chain(paper, self.chain)
        signs = paper.symbols
        legend = [] if in_words() else [f"{signs.done} allowed", f"{signs.dot} denied"]
        legend += ["now: changed"] if self.changed else []
        known = {cell.key for cell in self.cells if cell.word != "unknown"}
        legend += ["empty: does not exist"] if len(known) < len(self.cells) else []
        invalid = {cell.who for cell in self.cells if Gate.SIGNATURE in cell.verdict.by}
        if known & self.asked:
            legend.append("?: you will be asked")
        else:
            legend += [f"{who}: its credentials are not valid" for who in callers if who in invalid]
        if legend:
            paper.blank()
            paper.prose("  ".join(legend), indent=1, style="dim")

    def _cell(self, paper: Paper, says: str, who: str, column: int) -> Text:
        cell = next((each for each in self.cells if (each.says, each.who) == (says, who)), None)
        if cell is None or cell.verdict.allowed is None:
            return Text(" " * column)
        if cell.key in self.asked:
            return Text(f"{'?':<{column}}")
        signs = ("denied", "allowed") if in_words() else (paper.symbols.dot, paper.symbols.done)
        sign, now = signs[cell.verdict.allowed], cell.key in self.changed
        style = "bold green" if now and cell.verdict.allowed else ""
        return Text(f"{f'{sign} now' if now else sign:<{column}}", style=style)


class Stuck(Scene, frozen=True):
    """An error that stopped the lesson, and what to do."""

    message: str
    hint: str

    def body(self, paper: Paper) -> None:
        paper.line("failed", self.message, indent=1)
        if self.hint:
            paper.prose(self.hint, indent=3, lead=paper.symbols.hint)


class Drifted(Scene, frozen=True):
    """Steps that were undone by hand, before a stage that needs them."""

    drifted: tuple[events.StepDrifted, ...]
    describe: Describe

    def body(self, paper: Paper) -> None:
        paper.prose("Something that you did has changed since then.", indent=1)
        for event in self.drifted:
            draw_drift(paper, event, self.describe)


class Documents(Scene, frozen=True):
    """The full policies that apply to a request; the deciding ones may be marked."""

    verdict: Verdict
    marked: bool

    def body(self, paper: Paper) -> None:
        if not self.verdict.documents:
            paper.prose("No known policy applies to this call.", indent=1)
        for reading in self.verdict.gates:
            for policy in reading.policies:
                mark = "  < decided" if reading.decided and self.marked else ""
                paper.prose(f"{policy['policy']}{mark}", indent=1, style="bold")
                text = json.dumps(self.verdict.documents.get(policy["policy"]), indent=2)
                for line in text.split("\n"):
                    paper.whole(f"   {line}", "cyan")


class Tasks(Scene, frozen=True):
    """A stage's tasks by hand, and which are done."""

    standing: StageTasks

    def body(self, paper: Paper) -> None:
        draw_tasks(paper, self.standing, StageTasks((), ()))


def draw_tasks(paper: Paper, now: StageTasks, before: StageTasks) -> None:
    """Draw what has changed: the tasks that are done or no longer done, and new notes."""
    known = {each.number: each.done for each in before.tasks}
    for each in now.tasks:
        if each.done != known.get(each.number):
            sign = paper.symbols.done if each.done else paper.symbols.pending
            paper.prose(each.text, indent=3, lead=sign, style="green" if each.done else "")
    for note in now.notes:
        if note not in before.notes:
            paper.prose(note, indent=3, lead=paper.symbols.warning)


class Ticket(Scene, frozen=True):
    """A fault: a colleague's report, the command that shows it, and that command's answer."""

    report: str
    command: str
    answer: str
    remaining: Remaining
    reason: str = ""  # what `why` answered last
    documents: Mapping[str, Any] = {}  # the policies that fix it, once `why` shows them

    def body(self, paper: Paper) -> None:
        paper.prose(f'"{self.report}"', indent=1)
        paper.blank()
        if self.reason:
            paper.prose(self.reason, indent=1, style="bold")
            _statements(paper, self.documents, below=True)
            return
        paper.command(self.command, indent=3)
        paper.prose(one_line(self.answer), indent=3, style="red")
        paper.blank()
        draw_remaining(paper, self.remaining)
        paper.blank()
        paper.prose(_FIND_OUT, indent=1)


def draw_remaining(paper: Paper, now: Remaining) -> None:
    for text in (*now.still, *(f"{text}, which was not allowed before" for text in now.wide)):
        paper.line("failed", f"{text}.", indent=3)
    for text in now.claims:
        paper.line("failed", f"This must hold too: {text}", indent=3)
    if now.done:
        paper.line("done", "All is as it should be.", indent=3)


class Session(Scene, frozen=True):
    """The credentials of a new session."""

    access_key_id: str
    ends: str  # ISO 8601
    minutes: int  # how long they last
    profile: str  # that holds them

    def body(self, paper: Paper) -> None:
        paper.prose("Three parts that belong together, and when they expire:", indent=1)
        paper.blank()
        masked = "********"
        parts = [
            ("aws_access_key_id", f"{self.access_key_id}  (ASIA: a session's key)"),
            ("aws_secret_access_key", masked),
            ("aws_session_token", f"{masked}  (sent with every call)"),
            ("ends", f"in {spoken(self.minutes * 60)}, at {self.ends[11:16]} UTC"),
        ]
        paper.fields(parts, indent=3)
        paper.blank()
        text = f"They are in the profile {self.profile} now. By hand, you would set each like this:"
        paper.prose(text, indent=1)
        paper.command(f"aws configure set aws_session_token ... --profile {self.profile}", indent=3)
        paper.blank()
        paper.prose("Each call needs all three.", indent=1)


def draw_chain(paper: Paper, links: tuple[Link, ...]) -> None:
    """Draw each caller below the one that its credentials came from."""
    for link in links:
        indent = 3 + 3 * link.depth
        lead = paper.symbols.hint if link.depth else ""
        what = f", {link.what}" if link.what else ""
        may = f": may {', '.join(link.may)}" if link.may else ""
        paper.prose(one_line(f"{link.who}{what}{may}"), indent=indent, lead=lead)


class Remember(Scene, frozen=True):
    """What to remember of the lab, and the chain of callers with what each may do."""

    lines: tuple[str, ...]
    chain: tuple[Link, ...]

    def draw(self, paper: Paper) -> None:
        if self.lines:
            heading(paper, "What to remember")
            for line in self.lines:
                paper.prose(line, indent=3, lead=paper.symbols.dot)
            paper.blank()
        super().draw(paper)

    def body(self, paper: Paper) -> None:
        draw_chain(paper, self.chain)


class Ended(Scene, frozen=True):
    """The end: the predictions, what cleanup proved, and what is next."""

    notes: tuple[tuple[str, tuple[str, ...]], ...]  # a note, and the stages that it is about
    concepts: tuple[Concept, ...]
    gone: tuple[str, ...]  # the checks that cleanup proved
    left: int
    next: tuple[tuple[str, str], ...] = ()

    def body(self, paper: Paper) -> None:
        left = f"{self.left} things are left." if self.left else "Nothing is left in the account."
        proof = f" Each was looked up: {'. '.join(self.gone)}." if self.gone else ""
        paper.prose(f"{left}{proof}", indent=1)
        for words, stages in self.notes:
            paper.prose(f"{words.capitalize()}: {', '.join(stages)}.", indent=1)
        if self.concepts:
            right = sum(concept.right for concept in self.concepts)
            of = sum(concept.of for concept in self.concepts)
            paper.blank()
            paper.prose(f"You predicted {right} of {of} right.", indent=1, style="bold")
            for each in self.concepts:
                sign = "done" if each.right == each.of else "failed"
                paper.line(sign, each.name, indent=3, aside=f"{each.right} of {each.of}", style="")
        paper.blank()
        paper.prose("What next:", indent=1, style="bold")
        widest = max(len(command) for command, _ in self.next)
        for command, effect in self.next:
            paper.prose(effect, indent=3, lead=f"{command:<{widest}} ")
