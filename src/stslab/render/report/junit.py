"""A run's results as JUnit XML: a suite for each stage, a case for each check."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from stslab.render.report.text import OPEN, claims_of, mark
from stslab.render.text.safe import visible
from stslab.runner.report import Report


class Case(NamedTuple):
    name: str
    outcome: str  # JUnit's element for it; empty if it passed
    why: str
    proof: str | None = None  # of a failure
    seconds: float | None = None


def add_suite(
    root: Element, name: str, cases: Sequence[Case], counts: Mapping[str, str], **more: str
) -> None:
    """Add a suite. ``counts`` maps attributes to the outcomes they count; ``more`` are others."""
    counted = {word: sum(case.outcome == each for case in cases) for word, each in counts.items()}
    attributes = {"name": name, "tests": len(cases), **counted, **more}
    suite = SubElement(root, "testsuite", {key: str(value) for key, value in attributes.items()})
    for case in cases:
        element = SubElement(suite, "testcase", name=visible(case.name), classname=name)
        if case.seconds is not None:
            element.set("time", f"{case.seconds:.3f}")
        if case.outcome:
            SubElement(element, case.outcome, message=visible(case.why)).text = case.proof


def written(root: Element) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def as_junit(report: Report) -> str:
    stands, run = report.standing, report.run
    root = Element("testsuites", name=visible(run.title), tests=str(len(stands.claims)))
    counts = {"failures": "failure", "skipped": "skipped"}
    for stage in stands.stages:
        cases = []
        for claim in claims_of(stands, stage):
            outcome = "" if claim.proved else "skipped" if claim.verdict in OPEN else "failure"
            proof = visible(claim.proof) if outcome == "failure" else None
            cases.append(Case(claim.says, outcome, mark(claim), proof, claim.seconds))
        add_suite(root, f"{run.lab}.{stage.id}", cases, counts, timestamp=run.started)
    return written(root)
