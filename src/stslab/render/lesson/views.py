"""Draw each scene. The functions have the scenes' names in small letters."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.text import Text

from stslab.lesson import evidence, scenes
from stslab.lesson.access import Link
from stslab.lesson.byhand import StageTasks, Task
from stslab.lesson.faults import Remaining
from stslab.lesson.questions import DONT_KNOW, UNSURE, Answer, Gates
from stslab.lesson.verdict import GateReading
from stslab.render.terminal.paper import Paper, RunPaper
from stslab.render.terminal.run_view import step_drifted
from stslab.render.text.durations import spoken
from stslab.render.text.safe import one_line
from stslab.render.text.symbols import in_words
from stslab.vocabulary import Gate

_LABEL = 28
_GAP = 2
_NARROWEST, _WIDEST = 7, 14
"""The width of a caller's column in the access table."""
_FIND_OUT = (
    "Find out why and fix it, here or in another terminal. `why` explains a little more each time;"
    " you can also use stslab sandbox log, stslab simulate and the aws CLI."
)
View = Callable[[RunPaper, Any], None]


def heading(paper: Paper, left: str, right: str = "") -> None:
    gap = paper.width - len(left) - len(right) - 2
    if gap < _GAP:  # the right part has no room: it stands above
        paper.put(Text(f" {right}", style="dim"))
        right = ""
    line = Text(" ").append(one_line(left), style="bold").append(" " * max(gap, 0))
    paper.put(line.append(right, style="dim"), "")


def welcome(paper: Paper, scene: scenes.Welcome) -> None:
    """The lab and its stages; nothing runs yet."""
    heading(paper, scene.title)
    if scene.summary:
        paper.markdown(scene.summary, indent=1)
        paper.blank()
    signs = {"done": paper.symbols.done, "current": paper.symbols.current}
    for number, stage in enumerate(scene.stages, 1):
        sign = signs.get(stage.state, " ") if scene.resumed else " "
        paper.put(Text(f"   {sign} {number}  {one_line(stage.title)}"))
    paper.blank()
    paper.prose(scene.place, indent=1)
    if scene.advice:
        paper.blank()
        paper.prose(scene.advice, indent=1)


def story(paper: Paper, scene: scenes.Story) -> None:
    heading(paper, scene.title, scene.place)
    paper.markdown(scene.text, indent=1)
    for title, url in scene.pages:
        paper.blank()
        paper.prose(title, indent=1, style="bold")
        paper.whole(f"   {url}", "cyan")
    if scene.things:
        paper.blank()
        back = ", and your changes reverted" if "by hand" in str(scene.things) else ""
        paper.prose(f"This will be undone, if it still exists{back}:", indent=1, style="bold")
    for thing in scene.things:
        paper.line("dot", thing, indent=3)


def done(paper: Paper, before: scenes.Done | None) -> None:
    """The result of the last step or check, above the next scene."""
    if before is None:
        return
    for well, text in before.lines:
        paper.line("done" if well else "failed", text, indent=1)
    paper.fields(list(before.shown), indent=4)
    paper.blank()


def doing(paper: Paper, scene: scenes.Doing) -> None:
    done(paper, scene.before)
    if scene.intro:
        story(paper, scene.intro)
        paper.blank()
    heading(paper, scene.title, scene.place)
    if scene.why:
        paper.prose(scene.why, indent=1)
    _statements(paper, scene.documents, below=bool(scene.why))


def _statements(paper: Paper, documents: Mapping[str, Any], *, below: bool) -> None:
    """The statements of each document in words, under its name."""
    for at, (name, document) in enumerate(documents.items()):
        if at or below:
            paper.blank()
        paper.prose(name, indent=3, style="bold")
        for statement in evidence.statements_of(document):
            for number, line in enumerate(evidence.statement_lines(statement)):
                paper.prose(line, indent=5 if number == 0 else 7)


def asking(paper: RunPaper, scene: scenes.Asking) -> None:
    done(paper, scene.before)
    heading(paper, scene.title, f"question {scene.number} of {scene.of}")
    _evidence(paper, scene)
    paper.command(paper.describe(scene.call), indent=3)
    paper.blank()
    paper.prose("What will AWS answer?", indent=1, style="bold")
    for answer in scene.question.answers:
        paper.prose(answer.text, indent=3, lead=f"{answer.digit} ")
    paper.prose(DONT_KNOW, indent=3, lead=f"{UNSURE} ")


def _evidence(paper: Paper, scene: scenes.Asking) -> None:
    claims = evidence.claims_of(scene.call)
    shown = [("the token", claims)] if claims else []
    shown += [
        (label, lines or ["none"])
        for who, verdict in scene.evidence.items()
        for label, lines in evidence.evidence(verdict, who, scene.target, brief=scene.brief)
        if any(gate.says for gate in verdict.gates)  # else it is unknown before the call
    ]
    if not shown:
        return
    for label, lines in shown:
        for number, line in enumerate(lines):
            paper.prose(line, indent=3, lead=f"{'' if number else label:<{_LABEL}}")
    paper.blank()


def answered(paper: Paper, scene: scenes.Answered) -> None:
    said, right = map(scene.question.answer, (scene.said, scene.question.right))
    heading(paper, scene.title)
    _outcome(paper, scene, said, right)
    unbelieved = Gate.SIGNATURE in scene.verdict.by
    gates = [GateReading(Gate.SIGNATURE, "is not accepted", decided=True)]
    gates = gates if unbelieved else [each for each in scene.verdict.gates if each.says]
    for reading in gates:
        _gate(paper, reading, scene)
    if gates:
        paper.blank()
    if scene.because:
        paper.prose(scene.because, indent=1)
    deciding = {each.gate for each in scene.verdict.gates}
    contrasts = deciding and not unbelieved and not scene.question.whose
    if said and said != right and contrasts and deciding.issuperset(said.gates or ()):
        paper.blank()
        paper.prose(_contrast(scene, said.gates), indent=1)
    if not scene.held:
        paper.blank()
        paper.line("failed", f"The lab expects something else: {scene.message}", indent=1)


def _outcome(
    paper: Paper, scene: scenes.Answered, said: Answer | None, right: Answer | None
) -> None:
    paper.prose(f"{right.text if right else ''}.", indent=1, style="bold")
    if said == right:
        paper.line("done", "You said so.", indent=1)
    elif said:
        paper.line("failed", f"You said: {said.text}.", indent=1, style="magenta")
    if scene.refusal:
        paper.blank()
        paper.prose(f"AWS said: {scene.refusal}", indent=1, style="dim")
    paper.blank()


def _gate(paper: Paper, reading: GateReading, scene: scenes.Answered) -> None:
    known = (
        "failed" if reading.decided else {"allows": "done", "denies": "failed"}.get(reading.says)
    )
    sign = paper.sign(known) if known else paper.sign("dot", "dim")
    label = evidence.label(reading.gate, scene.who, scene.target)
    body = Text("   ").append(f"{label:<{_LABEL}}").append_text(sign).append(" ")
    body.append(reading.says, style="bold" if reading.decided else "")
    if reading.decided:
        body.append("  < decided", style="bold")
    paper.put(body)


def _contrast(scene: scenes.Answered, said: Gates) -> str:
    """What would have to be different for the wrong answer to be right."""
    by = scene.verdict.by

    def named(gates: Iterable[Gate]) -> str:
        labels = (evidence.label(gate, scene.who, scene.target) for gate in gates)
        return " and ".join(f"the {label}" for label in labels)

    if said is None or (not said and not by):
        return "Policies are one thing; the limits of the service itself are another."
    if not said:
        results = {reading.gate: reading.says for reading in scene.verdict.gates}
        too = " too" if "allows" in results.values() else ""
        denied = any(results.get(gate) == "denies" for gate in by)
        verb = "did not deny it" if denied else f"allowed it{too}"
        return f"You would be right if {named(by)} {verb}."
    wrong = [gate for gate in said if gate not in by]
    if wrong:
        return f"You would be right if {named(wrong)} refused it."
    return f"That is half of it: {named(gate for gate in by if gate not in said)} did not allow it."


def matrix(paper: Paper, scene: scenes.Matrix) -> None:
    done(paper, scene.before)
    heading(paper, scene.title)
    callers = list(dict.fromkeys(cell.who for cell in scene.cells))
    widest = max((len(cell.says) for cell in scene.cells), default=0)
    room = (paper.width - widest - 6) // max(len(callers), 1)
    column = min(max(room, _NARROWEST), _WIDEST)
    header = Text("   " + " " * (widest + 2))
    for who in callers:
        header.append(f"{who[: column - 1]:<{column}}", style="bold")
    paper.put(header)
    for says in dict.fromkeys(cell.says for cell in scene.cells):
        row = Text(f"   {says:<{widest}}  ")
        for who in callers:
            row.append_text(_cell(paper, scene, says, who, column))
        row.rstrip()
        paper.put(row)
    paper.blank()
    if scene.chain:
        chain(paper, scene.chain)
        paper.blank()
    words = in_words()
    legend = [] if words else [f"{paper.symbols.done} allowed", f"{paper.symbols.dot} denied"]
    legend += ["now: changed"] if scene.changed else []
    known = {cell.key for cell in scene.cells if cell.word != "unknown"}
    legend += ["empty: does not exist yet"] if len(known) < len(scene.cells) else []
    invalid = {cell.who for cell in scene.cells if Gate.SIGNATURE in cell.verdict.by}
    if known & scene.asked:
        legend.append("?: you will be asked")
    else:
        legend += [f"{who}: its credentials are not valid" for who in callers if who in invalid]
    paper.prose("  ".join(legend), indent=1, style="dim")


def _cell(paper: Paper, scene: scenes.Matrix, says: str, who: str, column: int) -> Text:
    cell = next((each for each in scene.cells if (each.says, each.who) == (says, who)), None)
    if cell is None or cell.verdict.allowed is None:
        return Text(" " * column)
    if cell.key in scene.asked:
        return Text(f"{'?':<{column}}")
    signs = ("denied", "allowed") if in_words() else (paper.symbols.dot, paper.symbols.done)
    sign = signs[cell.verdict.allowed]
    now = cell.key in scene.changed
    text = f"{sign} now" if now else sign
    return Text(f"{text:<{column}}", style="bold green" if now and cell.verdict.allowed else "")


def stuck(paper: Paper, scene: scenes.Stuck) -> None:
    done(paper, scene.before)
    heading(paper, scene.title)
    paper.line("failed", scene.message, indent=1)
    if scene.hint:
        paper.prose(scene.hint, indent=3, lead=paper.symbols.hint)


def documents(paper: Paper, scene: scenes.Documents) -> None:
    heading(paper, scene.title)
    if not scene.verdict.documents:
        paper.prose("No known policy applies to this call.", indent=1)
    for reading in scene.verdict.gates:
        for policy in reading.policies:
            mark = "  < decided" if reading.decided and scene.marked else ""
            paper.prose(f"{policy['policy']}{mark}", indent=1, style="bold")
            text = json.dumps(scene.verdict.documents.get(policy["policy"]), indent=2)
            for line in text.split("\n"):
                paper.whole(f"   {line}", "cyan")


def drifted(paper: RunPaper, scene: scenes.Drifted) -> None:
    heading(paper, scene.title)
    paper.prose("Something that you did has changed since then.", indent=1)
    for event in scene.drifted:
        step_drifted(paper, event)


def tasks(paper: Paper, scene: scenes.Tasks) -> None:
    heading(paper, scene.title, scene.place)
    for one in scene.standing.tasks:
        task(paper, one)
    for note in scene.standing.notes:
        paper.prose(note, indent=3, lead=paper.symbols.warning)


def task(paper: Paper, one: Task) -> None:
    sign = paper.symbols.done if one.done else paper.symbols.pending
    paper.prose(one.text, indent=3, lead=sign, style="green" if one.done else "")


def news(paper: Paper, before: StageTasks, now: StageTasks) -> None:
    """Draw what has changed: the tasks that are done or no longer done, and new notes."""
    known = {each.number: each.done for each in before.tasks}
    for each in now.tasks:
        if each.done != known.get(each.number):
            task(paper, each)
    for note in now.notes:
        if note not in before.notes:
            paper.prose(note, indent=3, lead=paper.symbols.warning)


def ticket(paper: Paper, scene: scenes.Ticket) -> None:
    heading(paper, "A colleague reports", scene.place)
    paper.prose(f'"{scene.title}"', indent=1)
    paper.blank()
    if scene.reason:
        paper.prose(scene.reason, indent=1, style="bold")
        _statements(paper, scene.documents, below=True)
        return
    paper.command(scene.command, indent=3)
    paper.prose(one_line(scene.answer), indent=3, style="red")
    paper.blank()
    remaining(paper, scene.remaining)
    paper.blank()
    paper.prose(_FIND_OUT, indent=1)


def remaining(paper: Paper, now: Remaining) -> None:
    """What is broken, and what is allowed that should not be."""
    for text in (*now.still, *(f"{text}, which was not allowed before" for text in now.wide)):
        paper.line("failed", f"{text}.", indent=3)
    for text in now.claims:
        paper.line("failed", f"This must hold too: {text}", indent=3)
    if now.done:
        paper.line("done", "All is as it should be.", indent=3)


def session(paper: Paper, scene: scenes.Session) -> None:
    done(paper, scene.before)
    heading(paper, scene.title)
    paper.prose("Three parts that belong together, and when they expire:", indent=1)
    paper.blank()
    masked = "********"
    parts = [
        ("aws_access_key_id", f"{scene.access_key_id}  (ASIA: a session's key)"),
        ("aws_secret_access_key", masked),
        ("aws_session_token", f"{masked}  (sent with every call)"),
        ("ends", f"in {spoken(scene.minutes * 60)}, at {scene.ends[11:16]} UTC"),
    ]
    paper.fields(parts, indent=3)
    paper.blank()
    text = f"They are in the profile {scene.profile} now. By hand, you would set each like this:"
    paper.prose(text, indent=1)
    paper.command(f"aws configure set aws_session_token ... --profile {scene.profile}", indent=3)
    paper.blank()
    paper.prose("Each call needs all three.", indent=1)


def chain(paper: Paper, links: tuple[Link, ...]) -> None:
    """Draw each caller below the one that its credentials came from."""
    for link in links:
        indent = 3 + 3 * link.depth
        lead = paper.symbols.hint if link.depth else ""
        what = f", {link.what}" if link.what else ""
        may = f": may {', '.join(link.may)}" if link.may else ""
        paper.prose(one_line(f"{link.who}{what}{may}"), indent=indent, lead=lead)


def remember(paper: Paper, scene: scenes.Remember) -> None:
    if scene.lines:
        heading(paper, "What to remember")
        for line in scene.lines:
            paper.prose(line, indent=3, lead=paper.symbols.dot)
        paper.blank()
    heading(paper, "Who could do what during the lab, and through which caller")
    chain(paper, scene.chain)


def ended(paper: Paper, scene: scenes.Ended) -> None:
    heading(paper, f"Done. {scene.proved} of {scene.claims} claims proved.")
    left = f"{scene.left} things are left." if scene.left else "Nothing is left in the account."
    proof = f" Each was looked up: {'. '.join(scene.gone)}." if scene.gone else ""
    paper.prose(f"{left}{proof}", indent=1)
    for words, stages in scene.notes:
        paper.prose(f"{words.capitalize()}: {', '.join(stages)}.", indent=1)
    if scene.concepts:
        right = sum(concept.right for concept in scene.concepts)
        of = sum(concept.of for concept in scene.concepts)
        paper.blank()
        paper.prose(f"You predicted {right} of {of}.", indent=1, style="bold")
        for each in scene.concepts:
            sign = "done" if each.right == each.of else "failed"
            paper.line(sign, each.name, indent=3, aside=f"{each.right} of {each.of}", style="")
    paper.blank()
    paper.prose("What next:", indent=1, style="bold")
    widest = max(len(command) for command, _ in scene.next)
    for command, effect in scene.next:
        paper.prose(effect, indent=3, lead=f"{command:<{widest}} ")


VIEWS: Mapping[str, View] = globals()
"""The functions above, by the name of the scene that each draws."""
