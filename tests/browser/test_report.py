"""The report of a run, and that of a class, in a real browser."""

import base64
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.browser.chromium import Page, chromium
from tests.e2e.machine import CLAIMS, Machine

from stslab.runner.journal.records import Prediction
from stslab.runner.journal.store import Journal

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

WRONG = "allowed, because the trust policy names the user"
CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => {
    v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  const bad = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const a = light(getComputedStyle(e).color), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([e.tagName, e.className, ratio]);
  }
  return bad;
})()
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The report of a real run with predictions, and that of a class."""
    machine = Machine(tmp_path_factory.mktemp("class"))
    assert machine.stslab("run", "--yes").code == 0
    with Journal(machine.state / "journal.sqlite") as journal:
        run = journal.runs()[0].id
        journal.write(run, Prediction("create-user", 1, "who decides", "denied", right=True))
        journal.write(run, Prediction("deploy-role", 6, "trust", WRONG, right=False))
    one, report, together = (machine.root / name for name in ("r.html", "r.json", "c.html"))
    assert machine.stslab("report", "--html", str(one), "--learner", "<i>Ana</i>").code == 0
    report.write_text(machine.stslab("report", "--json", "--learner", "Ana").out)
    together.write_text(machine.stslab("report", "merge", str(report), "--html").out)
    yield {"run": one, "class": together}
    machine.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(params=["run", "class"])
def page(request: pytest.FixtureRequest, pages: dict[str, Path], browser: Page) -> Page:
    browser.looks()
    browser.open(pages[request.param])
    return browser


@pytest.fixture
def report(pages: dict[str, Path], browser: Page) -> Page:
    browser.looks()
    browser.open(pages["run"])
    return browser


def test_it_asks_for_nothing_and_the_console_stays_empty(page: Page) -> None:
    page.run("1")
    assert page.complaints == []
    assert [one.partition(":")[0] for one in page.requests] == ["file"]


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read_light_and_dark(page: Page, dark: bool) -> None:
    page.looks(dark=dark)
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is not dark
    assert page.run(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 700, 1400])
def test_it_fits_the_screen(page: Page, width: int) -> None:
    page.looks(width=width)
    assert page.run("document.scrollingElement.scrollWidth") <= width


def test_by_keyboard_alone(report: Page) -> None:
    report.press("Tab")
    assert report.run("document.activeElement.className") == "skip"
    report.press("Enter")
    assert report.run("document.activeElement.id") == "main"
    seen = set()
    for _ in range(200):
        report.press("Tab")
        seen.add(report.run("document.activeElement.tagName + document.activeElement.className"))
        if report.run("document.activeElement.tagName") == "SUMMARY":
            break
    assert {"A", "DIVscroll"} <= seen
    assert not report.run("document.activeElement.parentElement.open")
    report.press("Enter")
    assert report.run("document.activeElement.parentElement.open")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert report.run(outline) == "solid"


def test_what_a_screen_reader_is_told(page: Page) -> None:
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    told = [
        (one["role"]["value"], one.get("name", {}).get("value", ""))
        for one in nodes
        if not one.get("ignored")
    ]
    roles = [role for role, _ in told]
    assert roles.count("main") == 1
    levels = page.run("[...document.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for role in ("table", "region", "navigation", "link"):
        assert all(name for one, name in told if one == role), role
    assert page.run("document.documentElement.lang") == "en"
    chains = [name for role, name in told if role == "list" and name]
    assert chains in ([], ["The chain so far"] * 5 + ["The chain, undone"])


def test_the_chain_grows_by_stage_and_is_gone_at_the_end(report: Page) -> None:
    boxes = report.run(
        "[...document.querySelectorAll('.chain')].map(c => ['.new', '.box', '.undone']"
        ".map(one => c.querySelectorAll(one).length))"
    )
    assert boxes[0] == [2, 2, 0]
    sizes = [size for _, size, _ in boxes]
    assert sizes == sorted(sizes)
    assert boxes[-1] == [0, sizes[-1], sizes[-1]]


@pytest.mark.parametrize("width", [360, 1000])
def test_each_box_of_the_chain_can_be_read(report: Page, width: int) -> None:
    report.looks(width=width)
    cut = "[...document.querySelectorAll('.box')].filter(b => b.scrollWidth > b.clientWidth + 1)"
    assert report.run(f"{cut}.length") == 0
    small = "parseFloat(getComputedStyle(document.querySelector('.box code')).fontSize)"
    assert report.run(small) >= 11


def test_each_decision_has_its_gates_and_what_decided(report: Page) -> None:
    decided = report.run(
        "[...document.querySelectorAll('details')].map(d => ["
        "d.querySelectorAll('.gates > li').length, d.querySelectorAll('.decides').length])"
    )
    assert len(decided) > CLAIMS // 2
    assert all(gates and marked for gates, marked in decided)
    text = report.run(
        "[...document.querySelectorAll('.claims > li')].find(one => one.textContent"
        ".includes('not even an administrator')).querySelector('details').textContent"
    )
    assert "Role trust policy: does not allow" in text
    assert "decided" in text


def test_what_was_said_stands_there_as_text(report: Page) -> None:
    body = report.run("document.body.textContent")
    assert "<i>Ana</i> (self-reported)" in body
    assert f"Predicted: {WRONG} (wrong)" in body
    assert "1 of 2 predictions right" in body


def test_the_class_has_what_was_often_predicted_wrong(
    pages: dict[str, Path], browser: Page
) -> None:
    browser.open(pages["class"])
    body = browser.run("document.querySelector('main').textContent")
    assert "The user may not assume the role yet" in body
    assert WRONG in body


def test_on_paper_all_of_it_is_there(page: Page) -> None:
    page.looks(media="print")
    hidden = "[...document.querySelectorAll('.gates')].filter(one => !one.offsetHeight).length"
    assert page.run(hidden) == 0
    printed = base64.b64decode(page.ask("Page.printToPDF")["data"])
    assert printed.startswith(b"%PDF")


def test_no_secret_is_in_them(pages: dict[str, Path]) -> None:
    home = pages["run"].parent / "state"
    (token,) = home.glob("sandbox/**/control.token")
    for file in pages.values():
        assert token.read_text().strip() not in file.read_text()
        assert "SecretAccessKey" not in json.dumps(file.read_text())
