"""Scenes: what the learner's screen shows, and how each is drawn."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.text import Text

from stslab.durations import counted, spoken
from stslab.lab.model import Page
from stslab.lesson import evidence
from stslab.lesson.access import CellState, ChainLink, Key
from stslab.lesson.byhand import Lack, StageTasks, sentences
from stslab.lesson.questions import DONT_KNOW, UNSURE, Gates, Question
from stslab.lesson.verdict import GateReading, Verdict
from stslab.render.terminal.paper import Paper
from stslab.render.terminal.run_view import draw_drift
from stslab.render.text.safe import one_line
from stslab.render.text.symbols import in_words
from stslab.runner import events
from stslab.runner.journal.standing import Concept
from stslab.runner.ports import Data
from stslab.structures import parts, text_or_json
from stslab.vocabulary import Gate

_LABEL = 28
_GAP = 2
_NARROWEST, _WIDEST = 7, 14  # the width of a caller's column in the access table
_MEMBERS, _LONGEST = 6, 160  # of an answer: how many are shown, and characters of each
_MASKED = "********"
_ASKED_ONCE = "A role's trust policy is asked once, when a session begins, and not for its calls."
Fields = tuple[tuple[str, str], ...]


class Done(msgspec.Struct, frozen=True):
    """The result of the last step or check, shown above the next scene."""

    lines: tuple[tuple[bool, str], ...]  # whether it went well, and what it was
    shown: tuple[tuple[str, Any], ...] = ()
    names: Mapping[str, str] = {}  # shell variables, with their values
    made_by: int = 0  # the line below which ``shown`` stands

    def brief(self) -> "Done":
        """Only what went wrong; if nothing did, what was made, and how much else there was."""
        wrong = tuple(line for line in self.lines if not line[0])
        (_, first), *others = self.lines
        shown = ((label, evidence.renamed(str(value), self.names)) for label, value in self.shown)
        made = ", ".join(f"{label} {name}" for label, name in shown if name[1:] in self.names)
        if len(others) > 1:
            others = [(True, f"{len(others)} more steps and checks went well")]
        text = f"{first.removesuffix('.')}: {made}" if made else first
        return Done(wrong or ((True, text), *others))

    def draw(self, paper: Paper) -> None:
        for at, (well, text) in enumerate(self.lines):
            paper.line("done" if well else "failed", text, indent=1)
            paper.fields(list(self.shown) if at == self.made_by else [], indent=4)


class Scene(msgspec.Struct, frozen=True):
    """One screen: what came ``before``, a heading, and what it ``draws``."""

    title: str
    draws: Callable[[Paper], None] = lambda _: None
    place: str = ""  # in the lab, as in "stage 2 of 6"
    before: "Done | Scene | None" = None

    def draw(self, paper: Paper) -> None:
        if self.before:
            self.before.draw(paper)
            paper.blank()
        heading(paper, self.title, self.place)
        self.body(paper)

    def body(self, paper: Paper) -> None:
        self.draws(paper)


def heading(paper: Paper, left: str, right: str = "") -> None:
    gap = paper.width - len(left) - len(right) - 2
    if right and gap >= _GAP:
        line = Text(" ").append(one_line(left), style="bold")
        paper.put(line.append(" " * gap + right, style="dim"))
    else:  # the right part has no room: it stands above
        if right:
            paper.prose(right, indent=1, style="dim")
        paper.prose(one_line(left), indent=1, style="bold")
    paper.blank()


class Asking(Scene, frozen=True, kw_only=True):
    """A prediction: the evidence for each possible caller, and the answers."""

    who: str  # calls
    command: str
    question: Question
    claims: list[str]  # of the call's token
    evidence: Mapping[str, Verdict]
    target: str  # the resource, in words
    brief: bool = False  # show only the statements that name the action

    def body(self, paper: Paper) -> None:
        shown = [("the token", self.claims)] if self.claims else []
        for who, met in self.evidence.items():
            tags = [f"{key} = {value}" for key, value in met.tags.items()]
            issued = [f"issued {met.issued}"] if met.issued else []
            facts = {"aws:PrincipalTag/": ("tags", tags), "aws:TokenIssueTime": ("session", issued)}
            asked = (facts[key] for key in facts if key in str(met.documents))
            shown += [(f"{label} of {who}", lines or ["none"]) for label, lines in asked]
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
        paper.prose("What will AWS answer?", indent=1, style="bold", apart=True)
        for answer in self.question.choices:
            paper.prose(answer.text, indent=3, lead=f"{answer.digit} ")
        paper.prose(DONT_KNOW, indent=3, lead=f"{UNSURE} ")


class Answered(Scene, frozen=True, kw_only=True):
    """The result of the real call, and the prediction: ``said`` is the answer's digit or 0."""

    asking: Asking
    said: int
    verdict: Verdict
    held: bool
    message: str
    because: str
    refusal: str = ""  # AWS's message if it refused
    answer: Fields = ()  # what it answered if not, without secrets

    def body(self, paper: Paper) -> None:
        question = self.asking.question
        said, right = question.choice(self.said), question.choice(question.right)
        paper.prose(f"{right.text if right else ''}.", indent=1, style="bold")
        if said == right:
            paper.line("done", "You said so.", indent=1)
        elif said:
            paper.line("failed", f"You said: {said.text}.", indent=1, style="magenta")
        if self.refusal or self.answer:
            paper.prose(f"AWS said: {self.refusal}", indent=1, style="dim", apart=True)
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
            paper.prose(contrast, indent=1, apart=True)
        if not self.held:
            paper.blank()
            paper.line("failed", f"The lab expects something else: {self.message}", indent=1)

    def _gate(self, paper: Paper, reading: GateReading) -> None:
        known = {"allows": "done", "denies": "failed"}.get(reading.says, "dot")
        sign = paper.sign("failed" if reading.decided else known)
        label = evidence.label(reading.gate, self.asking.who, self.asking.target)
        mark, style = ("  < decided", "bold") if reading.decided else ("", "")
        body = Text().append_text(sign).append(" ").append(f"{reading.says}{mark}", style=style)
        paper.hanging(Text(f"{label:<{_LABEL - 1}}"), body, 3)

    def _contrast(self, said: Gates) -> str:
        """What makes the wrong answer wrong, if more can be said than that it is."""
        by, results = self.verdict.by, {one.gate: one.says for one in self.verdict.gates}
        unread = not results or not results.keys() >= {*(said or ())}
        if Gate.SIGNATURE in by or self.asking.question.whose or unread:
            return _ASKED_ONCE if unread and said == frozenset({Gate.TRUST}) else ""

        def named(gates: Iterable[Gate]) -> str:
            who, target = self.asking.who, self.asking.target
            labels = (evidence.label(gate, who, target) for gate in gates)
            return " and ".join(f"the {label}" for label in labels)

        if said is None or (not said and not by):
            return "Policies are one thing; the limits of the service itself are another."
        if not said:
            too = " too" if "allows" in results.values() else ""
            denied = any(results.get(gate) == "denies" for gate in by)
            verb = "did not deny it" if denied else f"allowed it{too}"
            said_so = results.keys() == {*by} and not denied  # the answer was that they allow it
            return "" if said_so else f"You would be right if {named(by)} {verb}."
        wrong = [gate for gate in said if gate not in by]
        if not wrong:
            half = named(gate for gate in by if gate not in said)
            return f"That is half of it: {half} did not allow it."
        if any(results[gate] != "does not allow" for gate in wrong):
            return ""
        silent = f"It is true that {named(wrong)} did not allow it"
        return f"{silent}, but that alone refuses nothing here."


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


# -- what other scenes draw below the heading -----------------------------------------------------


def welcome(
    paper: Paper,
    stages: Iterable[events.StageShown],
    where: str,
    *,
    summary: str = "",
    resumed: bool = True,
    advice: str = "",
) -> None:
    """The stages, before anything runs or (``resumed``) later. ``advice`` names other choices."""
    if summary:
        paper.markdown(summary, indent=1)
        paper.blank()
    signs = {"done": paper.symbols.done, "current": paper.symbols.current} if resumed else {}
    for at, stage in enumerate(stages, 1):
        paper.prose(one_line(stage.title), indent=3, lead=f"{signs.get(stage.state, ' ')} {at} ")
    paper.prose(where, indent=1, apart=True)
    if advice:
        paper.prose(advice, indent=1, apart=True)


def story(
    paper: Paper, text: str, *, things: Iterable[str] = (), pages: Iterable[Page] = ()
) -> None:
    """Markdown, such as an introduction; the ``things`` that cleanup will remove; AWS's pages."""
    paper.markdown(text, indent=1)
    for page in pages:
        paper.prose(page.title, indent=1, style="bold", apart=True)
        paper.whole(f"   {page.url}", "cyan")
    if things:
        paper.blank()
        back = ", and your changes reverted" if "by hand" in str(things) else ""
        paper.prose(f"This will be undone, if it still exists{back}:", indent=1, style="bold")
    for thing in things:
        paper.line("dot", thing, indent=3)


def step(paper: Paper, why: str, documents: Mapping[str, Any], style: str = "") -> None:
    """A step that waits for Enter: why it is done, and policies worth reading first, by name."""
    if why:
        paper.prose(why, indent=1, style=style)
    for at, (name, document) in enumerate(documents.items()):
        if at or why:
            paper.blank()
        paper.prose(name, indent=3, style="bold")
        for statement in evidence.statements_of(document):
            for number, line in enumerate(evidence.statement_lines(statement)):
                paper.prose(line, indent=7 if number else 5)


def matrix(
    paper: Paper,
    cells: Collection[CellState],
    *,
    changed: Collection[Key] = (),
    links: Collection[ChainLink] = (),
    asked: Collection[Key] = (),
) -> None:
    """The access table, with the ``changed`` cells marked and the ``asked`` ones hidden."""
    callers = list(dict.fromkeys(cell.who for cell in cells))
    widest = max((len(cell.says) for cell in cells), default=0)
    denied = "denied" if in_words() else paper.symbols.dot
    allowed = "allowed" if in_words() else paper.symbols.done
    wanted = min(max(map(len, [*callers, allowed + " now" * bool(changed)])) + 1, _WIDEST)
    rooms = [(paper.width - lead) // max(len(callers), 1) for lead in (widest + 6, 3 + _GAP)]
    room = rooms[rooms[0] < wanted]  # beside the row's name, or below it
    column = min(max(room, _NARROWEST), _WIDEST)

    def sign(cell: CellState) -> Text:
        if cell.key in asked:
            return Text("?")
        text = allowed if cell.verdict.allowed else denied
        if cell.key not in changed:
            return Text(text)
        return Text(f"{text} now", style="bold green" if cell.verdict.allowed else "")

    header = Text("".join(f"{who[: column - 1]:<{column}}" for who in callers), style="bold")
    paper.hanging(Text(" " * (widest + 1)), header, 3, len(header))
    known = {cell.key: cell for cell in cells if cell.verdict.allowed is not None}
    for says in dict.fromkeys(cell.says for cell in cells):
        row = Text()
        shown = {cell.who: sign(cell) for cell in known.values() if cell.says == says}
        for who in callers:
            text = shown.get(who, Text())
            row.append_text(text).append(" " * (column - len(text)))
        paper.hanging(Text(f"{says:<{widest + 1}}"), row, 3, len(header))
    if links:
        paper.blank()
        chain(paper, links)
    legend = [] if in_words() else [f"{allowed} allowed", f"{denied} denied"]
    legend += ["now: changed"] if changed else []
    legend += ["empty: does not exist"] if len(known) < len(cells) else []
    believed = {cell.who for cell in cells if Gate.SIGNATURE not in cell.verdict.by}
    invalid = ", ".join(who for who in callers if who not in believed)
    unusable = [f"{invalid}: no valid credentials"] if invalid else []
    legend += ["?: you will be asked"] if known.keys() & {*asked} else unusable
    if legend:
        paper.prose("  ".join(legend), indent=1, style="dim", apart=True)


def chain(paper: Paper, links: Iterable[ChainLink]) -> None:
    """Each caller below the one that its credentials came from."""
    for link in links:
        lead = paper.symbols.hint if link.depth else ""
        what = f", {link.what}" if link.what else ""
        may = f": may {', '.join(link.may)}" if link.may else ""
        paper.prose(one_line(f"{link.who}{what}{may}"), indent=3 + 3 * link.depth, lead=lead)


def stuck(paper: Paper, message: str, hint: str, claims: Mapping[str, str]) -> None:
    """An error that stopped the lesson, the claims that do not hold, and why; and what to do."""
    paper.line("failed", message, indent=1)
    for says in claims:
        paper.prose(says, indent=3, lead=paper.symbols.failed)
    for why in dict.fromkeys(claims.values()):
        paper.prose(f"{why[:1].upper()}{why[1:]}", indent=3)
    if hint:
        paper.prose(hint, indent=3, lead=paper.symbols.hint)


def drifted(paper: Paper, steps: Iterable[events.StepDrifted], describe: events.Describe) -> None:
    """Steps that were undone by hand, before a stage that needs them."""
    paper.prose("Something that you did has changed since then.", indent=1)
    for event in steps:
        draw_drift(paper, event, describe)


def policies(paper: Paper, verdict: Verdict, *, marked: bool) -> None:
    """The full policies that apply to a request; the deciding ones may be ``marked``."""
    if not verdict.documents:
        paper.prose("No policy is known that applies here.", indent=1)
    for reading in verdict.gates:
        for policy in reading.policies:
            mark = "  < decided" if reading.decided and marked else ""
            paper.prose(f"{policy['policy']}{mark}", indent=1, style="bold")
            for line in json.dumps(verdict.documents.get(policy["policy"]), indent=2).split("\n"):
                paper.whole(f"   {line}", "cyan")


def tasks(paper: Paper, now: StageTasks, before: StageTasks | None = None) -> None:
    """The tasks of a stage by hand, or what has changed: tasks done or no longer, new notes."""
    known = {each.number: each.done for each in before.tasks} if before else {}
    for each in now.tasks:
        if each.done != known.get(each.number):
            sign = paper.symbols.done if each.done else paper.symbols.pending
            paper.prose(each.text, indent=3, lead=sign, style="green" if each.done else "")
    for note in now.notes:
        if before is None or note not in before.notes:
            paper.prose(note, indent=3, lead=paper.symbols.warning)


def reason(paper: Paper, report: str, why: str, documents: Mapping[str, Any]) -> None:
    """A fault as reported, and why; at last also what is right."""
    paper.prose(f'"{report}"', indent=1)
    paper.blank()
    step(paper, why, documents, style="bold")


def ticket(paper: Paper, report: str, shown: tuple[str, str], still: Sequence[Lack]) -> None:
    """A fault as reported, with a command that shows it, and its answer."""
    paper.prose(f'"{report}"', indent=1)
    paper.blank()
    command, answer = shown
    if command:  # else what was reported is right again
        paper.command(command, indent=3)
        paper.prose(one_line(answer), indent=3, style="red")
        paper.blank()
    remaining(paper, still)
    paper.prose(evidence.WORDS["said"]["find out"], indent=1, apart=True)


def remaining(paper: Paper, lacks: Sequence[Lack]) -> None:
    for says in sentences(lacks):
        paper.line("failed", says, indent=3)
    if not lacks:
        paper.line("done", "All is as it should be.", indent=3)


def session(paper: Paper, profile: str, held: Mapping[str, str], minutes: int) -> None:
    """The credentials of a new session that ``held`` describes; the ``profile`` has them."""
    paper.prose("Three parts that belong together, and when they expire:", indent=1)
    paper.blank()
    parts = [
        ("aws_access_key_id", f"{held['access_key_id']}  (ASIA: a session's key)"),
        ("aws_secret_access_key", _MASKED),
        ("aws_session_token", f"{_MASKED}  (sent with every call)"),
        ("ends", f"in {spoken(minutes * 60)}, at {held['expiration'][11:16]} UTC"),
    ]
    paper.fields(parts, indent=3)
    paper.blank()
    text = f"They are in the profile {profile} now. By hand, you would set each like this:"
    paper.prose(text, indent=1)
    paper.command(f"aws configure set aws_session_token ... --profile {profile}", indent=3)
    paper.prose("Each call needs all three.", indent=1, apart=True)


def points(paper: Paper, lines: Iterable[str]) -> None:
    for line in lines:
        paper.prose(line, indent=3, lead=paper.symbols.dot)


def end(
    paper: Paper,
    finished: events.RunFinished,
    concepts: Collection[Concept],
    gone: Collection[str],
    onward: Collection[tuple[str, str]],
) -> None:
    """The predictions, the checks that cleanup proved (``gone``), and what is next."""
    left = f"{counted(len(finished.left), 'thing')} left" if finished.left else "Nothing is left"
    proof = f" Each was looked up: {'. '.join(gone)}." if gone else ""
    paper.prose(f"{left} in the account.{proof}", indent=1)
    for words, stages in finished.notes:
        paper.prose(f"{words.capitalize()}: {', '.join(stages)}.", indent=1)
    if concepts:
        right = sum(concept.right for concept in concepts)
        of = sum(concept.of for concept in concepts)
        paper.prose(f"You predicted {right} of {of} right.", indent=1, style="bold", apart=True)
        for each in concepts:
            sign = "done" if each.right == each.of else "failed"
            paper.line(sign, each.name, indent=3, aside=f"{each.right} of {each.of}", style="")
    paper.prose("What next:", indent=1, style="bold", apart=True)
    widest = max(len(command) for command, _ in onward)
    for command, effect in onward:
        paper.prose(effect, indent=3, lead=f"{command:<{widest}} ")
