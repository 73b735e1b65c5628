"""A run's report in JUnit's XML: a suite for each stage, a case for each claim."""

from xml.etree.ElementTree import Element, SubElement, tostring

from stslab.render.report.text import mark
from stslab.render.text.safe import visible
from stslab.runner.journal.standing import Claim, Verdict
from stslab.runner.report import Report

_SKIPPED = (Verdict.NOT_TRIED, Verdict.NEVER_MADE)


def as_junit(report: Report) -> str:
    stands = report.standing
    root = Element("testsuites", name=visible(report.run.title), tests=str(len(stands.claims)))
    for stage in stands.stages:
        claims = [one for one in stands.claims if one.stage == stage.id]
        failed, skipped = (
            sum(_came_of(one) == outcome for one in claims) for outcome in ("failure", "skipped")
        )
        suite = SubElement(
            root,
            "testsuite",
            name=f"{report.run.lab}.{stage.id}",
            tests=str(len(claims)),
            failures=str(failed),
            skipped=str(skipped),
            timestamp=report.run.started,
        )
        for claim in claims:
            _case(suite, claim, f"{report.run.lab}.{stage.id}")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, claim: Claim, where: str) -> None:
    took = f"{claim.seconds:.3f}"
    case = SubElement(suite, "testcase", name=visible(claim.says), classname=where, time=took)
    outcome = _came_of(claim)
    if outcome:
        told = SubElement(case, outcome, message=visible(mark(claim)))
        told.text = visible(claim.proof) if outcome == "failure" else None


def _came_of(claim: Claim) -> str:
    """What JUnit calls it; empty for a claim that was proved."""
    if claim.proved:
        return ""
    return "skipped" if claim.verdict in _SKIPPED else "failure"
