"""Labs are found by id or path, and listed without being checked."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.lab.reference import FAULTS, HEADERS, faults_text, headers_text

from stslab import resources
from stslab.errors import LabError
from stslab.lab import listing
from stslab.lab.embedded import embedded_only
from stslab.lab.loader import load


def test_the_bundled_lab_is_listed():
    (header,) = [one for one in listing.headers() if one.id == "assume-role"]
    assert header.title == "Assume a role with AWS STS"
    assert header.path == resources.labs_folder() / "steps.yaml"
    assert not header.problem
    assert header.stages["create-user"] == "Create a user with no permissions"
    assert [*header.stages] == [
        "create-user", "deploy-role", "attach-policy", "assume-role", "verify-access", "cleanup",
    ]  # fmt: skip


def test_what_is_kept_of_the_bundled_labs_is_current():
    """Otherwise: python -m tests.lab.reference."""
    assert HEADERS.read_text(encoding="utf-8") == headers_text()
    assert FAULTS.read_text(encoding="utf-8") == faults_text()


def test_an_edited_lab_is_read_anew(tmp_path: Path):
    text = (resources.labs_folder() / "steps.yaml").read_text(encoding="utf-8")
    edited = text.replace("Assume a role with AWS STS", "Borrow a role")
    edited = edited.replace("call: iam.CreateUser", "call: embedded.MoveClock")
    found = {}
    for name, written in (("as-it-came", text), ("edited", edited)):
        (tmp_path / f"{name}.yaml").write_text(written, encoding="utf-8")
        header = listing.header(tmp_path / f"{name}.yaml")
        assert header.path.stem == name
        found[name] = header.title, header.embedded_only
    assert found == {
        "as-it-came": ("Assume a role with AWS STS", False),
        "edited": ("Borrow a role", True),
    }


@pytest.mark.parametrize("path", resources.bundled_labs(), ids=lambda path: path.stem)
def test_a_lab_that_is_not_checked_needs_what_the_checked_one_does(path: Path):
    needs = embedded_only(load(path, catalogue=None))
    assert listing.read(path, path.read_bytes()).embedded_only == bool(needs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "broken.yaml:1:5: This is not YAML"),
        ("a: 1", "It has no id"),
        ("- id", "It has no id"),
        ("id: 5", "It has no id"),
        ("id: My Lab", "It has no id that can be used."),
        ("", "This file is empty"),
        ("id: x\nstages: 5", ""),
        ("id: x\nstages: [5, {id: [a]}]", ""),
    ],
)
def test_an_unreadable_lab_is_listed_with_the_reason(text: str, says: str, tmp_path: Path):
    (tmp_path / "broken.yaml").write_text(text, encoding="utf-8")
    header = listing.header(tmp_path / "broken.yaml")
    assert says in header.problem
    assert header.id in {"broken", "x"}


def test_a_folder_named_like_a_lab_is_not_a_lab(tmp_path: Path):
    (tmp_path / "some.yaml").mkdir()
    header = listing.header(tmp_path / "some.yaml")
    assert "can't be read" in header.problem


def test_a_missing_folder_has_no_labs(tmp_path: Path):
    assert resources.labs_in(tmp_path / "none") == []


def test_labs_are_known_by_their_ids_else_by_their_files(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path))
    for name, text in (("a", 'id: "mine"  # my own'), ("b", "id: No id"), ("c", "title: c")):
        (tmp_path / f"{name}.yaml").write_text(f"stslab: 1\n{text}\n", encoding="utf-8")
    known = resources.labs_by_id()
    assert {name: known[name].name for name in ("mine", "b", "c", "assume-role")} == {
        "mine": "a.yaml", "b": "b.yaml", "c": "c.yaml", "assume-role": "steps.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        '"id": mine',
        "id : mine",
        "id: mine\t",
        "id:\n  mine",
        "\ufeffid: mine\r",
        "id: 'mine' # own",
    ],
)
def test_a_lab_is_found_by_the_id_that_is_listed(line: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path))
    path = tmp_path / "a.yaml"
    path.write_text(f"{line}\nstslab: 1\ntitle: T\nstages: []\n", encoding="utf-8")
    assert listing.header(path).id == "mine"
    assert listing.find("mine") == path


def test_a_mark_without_a_space_is_no_comment(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path))
    (tmp_path / "a.yaml").write_text("stslab: 1\nid: mine#1\n", encoding="utf-8")
    assert listing.header(tmp_path / "a.yaml").id == "a"
    assert listing.find("a").name == "a.yaml"


def test_find_by_id_and_by_path(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine", encoding="utf-8")
    assert listing.find("assume-role") == resources.labs_folder() / "steps.yaml"
    assert listing.find(str(path)) == path
    assert listing.find(path) == path


@pytest.mark.parametrize("name", ["some/where", "steps.yml"])
def test_loading_a_path_tells_that_it_leads_nowhere(name: str):
    with pytest.raises(LabError, match=f"The lab {name} can't be read"):
        load(listing.find(name), catalogue=None)


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("assume-rol", "There is no lab 'assume-rol'.", "Did you mean assume-role?"),
        ("", "There is no lab", "assume-role"),
    ],
)
def test_what_is_not_found(name: str, says: str, hint: str):
    with pytest.raises(LabError) as caught:
        listing.find(name)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_a_folder_names_its_only_lab(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"stslab: 1\nid: {name}", encoding="utf-8")
        if name == "one":
            assert listing.find(tmp_path) == tmp_path / "one.yaml"
    with pytest.raises(LabError, match="has 2 labs") as caught:
        listing.find(tmp_path)
    assert f"{tmp_path}/one.yaml, {tmp_path}/two.yaml" in caught.value.hint


def test_listing_imports_nothing_heavy():
    """`stslab labs` is instant: neither YAML nor msgspec is imported for it."""
    code = (
        "import sys; from stslab import resources; from stslab.lab import listing;"
        "listing.headers();"
        "listing.find('assume-role');"
        "print(*sorted({'yaml', 'msgspec', 'boto3', 'moto', 'rich', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
