"""What came of labs in JUnit's XML: a suite for each lab, a case for each claim and mutant."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from stslab.cli.labs.trial import Verdict
from stslab.render.text.safe import visible

Case = tuple[str, str, str]
"""Its name, what JUnit calls its outcome (empty: it passed), and why."""


def as_junit(verdicts: Sequence[Verdict]) -> str:
    root = Element("testsuites", name="stslab test")
    for verdict in verdicts:
        cases = list(_cases(verdict))
        counts = {f"{word}s": sum(one[1] == word for one in cases) for word in ("failure", "error")}
        suite = SubElement(root, "testsuite", name=verdict.lab, tests=str(len(cases)))
        suite.attrib |= {name: str(count) for name, count in counts.items()}
        suite.set("time", f"{verdict.seconds:.3f}")
        for name, outcome, why in cases:
            case = SubElement(suite, "testcase", name=visible(name), classname=verdict.lab)
            if outcome:
                SubElement(case, outcome, message=visible(why))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _cases(verdict: Verdict) -> Iterator[Case]:
    outcomes = {True: "", False: "failure", None: "skipped"}
    for claim in verdict.claims:
        yield claim.says, outcomes[claim.held], claim.why
    for one in (*verdict.cells, *verdict.tasks, *verdict.faults):
        yield f"after {one.stage}: {one.title}", "failure" if one.why else "", one.why
    for note in (*verdict.unnoticed, *verdict.idle):
        yield f"{note.rule}, line {note.line}: {note.what}", "failure", note.could
    for left in verdict.left:
        yield left, "failure", "it is left in the account"
    if verdict.error and not any(claim.held is False for claim in verdict.claims):
        yield "The lab runs", "error", verdict.error.message
