"""A run's report as a page, as JUnit's XML, and masked."""

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.render.report.conftest import WRONG
from tests.runner.conftest import CLAIMS, Machine

from stslab.render.report import html
from stslab.render.report.html import page_of
from stslab.render.report.junit import as_junit
from stslab.render.report.text import as_markdown, show_report
from stslab.render.terminal.paper import Paper
from stslab.runner.journal.standing import ClaimState
from stslab.runner.report import Report, ReportedFault, masked

Tell = Callable[..., Report]
_EMPTY = {"meta", "rect", "path"}
DENIED = {
    "decision": "ExplicitlyDenied",
    "reason": "an explicit deny",
    "layers": [
        {
            "layer": "identity-based policy",
            "decision": "ExplicitlyDenied",
            "blocks": True,
            "policies": [
                {
                    "policy": "mine",
                    "statements": [
                        {"statement": "Lets", "effect": "Allow", "matches": True},
                        {"statement": "Stops", "effect": "Deny", "matches": True},
                    ],
                }
            ],
        }
    ],
}


class Reader(HTMLParser):
    """Reads a page, and checks that each element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_a_page_is_well_formed_and_self_contained(told: Tell) -> None:
    reader = read(page_of(told(), {}))
    ids = [attrs["id"] for _, attrs in reader.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {str(attrs["href"])[1:] for tag, attrs in reader.found if tag == "a"}
    assert targets <= set(map(str, ids))
    assert not [attrs for _, attrs in reader.found if "src" in attrs]
    text = " ".join(reader.text)
    assert f"{CLAIMS} of {CLAIMS} claims proved" in text
    assert f"Predicted: {WRONG} (wrong)" in text


def test_texts_of_labs_and_aws_are_escaped(told: Tell) -> None:
    whole = told("create-user")
    hostile = "</p><script>alert(1)</script>$title\x1b\u202e"
    claims = [replace(one, says=hostile, proof=hostile) for one in whole.standing.claims]
    changed = replace(whole, standing=replace(whole.standing, claims=tuple(claims)))
    page = page_of(replace(changed, learner=hostile), {})
    read(page)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_deciding_part_of_a_decision_is_marked(told: Tell) -> None:
    whole = told("create-user")
    asked = whole.standing.claims[1].request_id
    page = page_of(whole, {asked: [DENIED]})
    marked = re.findall(r'<span class="decides">(.*?)</span>', page)
    assert marked == ["✘ Stops (Deny) applies"]


def test_a_call_that_was_allowed_and_denied_in_one_stage_has_both_answers(told: Tell) -> None:
    whole = told("create-user")
    claim = next(each for each in whole.standing.claims if each.verdict == "allowed")
    denied = replace(claim, verdict=ClaimState.DENIED, gates=("identity policy",))
    for both in ((denied, claim), (claim, denied, denied)):
        page = page_of(replace(whole, standing=replace(whole.standing, claims=both)), {})
        cell = page.split("in that stage</caption>")[1].split("</table>")[0]
        answers = re.findall("<div>.*</span> (.*)</div>", cell)  # each on a line of its own
        assert sorted(answers) == ["allowed", "denied by the identity policy"]


def test_a_stage_that_was_not_reached_has_no_picture(told: Tell) -> None:
    page = page_of(told("deploy-role"), {})
    assert page.count('<ol class="chain"') == 2
    assert "IAM role" in page


def test_the_picture_goes_from_user_to_bucket_in_any_order_of_making(told: Tell) -> None:
    whole = told("verify-access")
    made = [(one.what, one.name) for one in sorted(html.boxes(whole), key=lambda one: one.link)]
    assert [what for what, _ in made] == [
        "IAM user", "access key", "inline policy", "IAM role", "session", "S3 bucket", "object",
    ]  # fmt: skip
    assert all(name for _, name in made)
    assert dict(made)["session"] == "assumed"
    (stack,) = (one for one in whole.calls if one.call == "cloudformation.CreateStack")
    assert f"IAM role {dict(made)['IAM role']}" in stack.changes[0]


def test_a_stages_things_are_new_in_its_picture_and_undone_at_the_end(told: Tell) -> None:
    pages = page_of(told(), {}).split('<ol class="chain"')[1:]
    assert [one.count('class="box new"') for one in pages] == [2, 2, 1, 1, 1, 0]
    assert pages[-1].count('class="box undone"') == 7


def test_hints_are_counted_where_some_were_taken(told: Tell) -> None:
    report = told("deploy-role")
    for hints in (0, 2):
        whole, shown = replace(report, hints=hints), io.StringIO()
        show_report(Paper(Console(file=shown, width=100)), whole)
        page = " ".join(read(page_of(whole, {})).text)
        for text in (page, as_markdown(whole), shown.getvalue()):
            assert bool(re.search(r"\bhints[ \n|]+2\b", text)) is bool(hints)
            assert hints or "hint" not in text


def test_a_report_on_a_fault_leaves_out_what_set_it_up(told: Tell) -> None:
    fault = ReportedFault("--seed 7", fixed=True, title="t", where="w", hints=0, whys=0, solved=False,
                          tries=1, opened=False, seconds=61.0)  # fmt: skip
    whole = replace(told("deploy-role"), fault=fault, clean=True)
    for text in (as_markdown(whole), " ".join(read(page_of(whole, {})).text)):
        assert "The fault is fixed; nothing is left in the account." in text
        assert "claims proved" not in text
        assert "not tried" not in text
    unfixed = replace(whole, fault=replace(fault, fixed=False))
    assert "The fault is not fixed; nothing is left" in as_markdown(unfixed)


def test_junit_has_a_case_for_each_claim(told: Tell) -> None:
    root = ET.fromstring(as_junit(told("deploy-role")))  # noqa: S314 - our own
    cases = root.findall("testsuite/testcase")
    assert len(cases) == CLAIMS
    skipped = [one for one in cases if one.find("skipped") is not None]
    assert len(skipped) == CLAIMS - 9
    assert not root.findall(".//failure")


def test_a_claim_that_does_not_hold_is_a_failure(told: Tell, machine: Machine) -> None:
    told("deploy-role")
    machine.allows_nothing()
    with pytest.raises(Exception, match="does not hold"), machine.process() as process:
        process.run()
    root = ET.fromstring(as_junit(_again(machine)))  # noqa: S314 - our own
    (failure,) = root.findall(".//failure")
    assert failure.get("message", "").startswith("NOT PROVED")
    (suite,) = (one for one in root if one.get("failures") != "0")
    assert suite.get("name") == "assume-role.attach-policy"


def _again(machine: Machine) -> Report:
    from stslab.runner.journal.store import Journal
    from stslab.runner.report import report

    with Journal(machine.folder / "journal.sqlite") as journal:
        run = journal.runs()[0].id
        return report(journal.past(run), journal.links(run))


def test_no_masked_form_has_an_account_id(told: Tell) -> None:
    whole = told()
    account = whole.run.account
    hidden = masked(whole)
    assert account in as_markdown(whole)
    for text in (as_markdown(hidden), page_of(hidden, {}), as_junit(hidden)):
        assert account not in text
        assert not re.search(r"A[KS]IA[A-Z2-7]{12}", text)
    assert account not in json.dumps(hidden.as_dict())
    assert hidden.standing.proved == whole.standing.proved


def test_the_learners_name_is_marked_as_self_reported(told: Tell) -> None:
    named = replace(told("create-user"), learner="Ana")
    assert "| learner | Ana (self-reported) |" in as_markdown(named)
