"""JUnit's XML: what came of a run, a suite for each stage, a case for each claim."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from stslab.render.report.text import mark
from stslab.render.text.safe import visible
from stslab.runner.journal.standing import Claim, Verdict
from stslab.runner.report import Report

_SKIPPED = (Verdict.NOT_TRIED, Verdict.NEVER_MADE)


class Case(NamedTuple):
    """A case, what JUnit calls its outcome (empty: it passed), and why; ``proof`` of a failure."""

    name: str
    outcome: str
    why: str
    proof: str | None = None
    seconds: float | None = None


def add_suite(
    root: Element, name: str, cases: Sequence[Case], counts: Mapping[str, str], **more: str
) -> None:
    """``counts`` are the attributes that count outcomes, with the outcome; ``more`` are others."""
    counted = {word: sum(one.outcome == each for one in cases) for word, each in counts.items()}
    told = {"name": name, "tests": len(cases), **counted, **more}
    suite = SubElement(root, "testsuite", {key: str(value) for key, value in told.items()})
    for one in cases:
        case = SubElement(suite, "testcase", name=visible(one.name), classname=name)
        if one.seconds is not None:
            case.set("time", f"{one.seconds:.3f}")
        if one.outcome:
            SubElement(case, one.outcome, message=visible(one.why)).text = one.proof


def written(root: Element) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def as_junit(report: Report) -> str:
    stands, run = report.standing, report.run
    root = Element("testsuites", name=visible(run.title), tests=str(len(stands.claims)))
    counts = {"failures": "failure", "skipped": "skipped"}
    for stage in stands.stages:
        cases = [_case(one) for one in stands.claims if one.stage == stage.id]
        add_suite(root, f"{run.lab}.{stage.id}", cases, counts, timestamp=run.started)
    return written(root)


def _case(claim: Claim) -> Case:
    outcome = "" if claim.proved else "skipped" if claim.verdict in _SKIPPED else "failure"
    proof = visible(claim.proof) if outcome == "failure" else None
    return Case(claim.says, outcome, mark(claim), proof, claim.seconds)
