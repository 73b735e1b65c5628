"""`!include` reads the lab's own files and the bundled ones, and nothing else."""

import hashlib
import os
from pathlib import Path

import pytest

from stslab import resources
from stslab.errors import InvalidLab
from stslab.lab import loader
from stslab.lab.model import Lab

TEXT = """stslab: 1
id: some
title: Some
vars:
  text: !include {name}
stages:
  - {{id: a, title: A, intro: I, checkpoint: [{{says: S, call: sts.GetCallerIdentity}}]}}
"""


def load(folder: Path, name: str) -> Lab:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "some.yaml"
    path.write_text(TEXT.format(name=name), encoding="utf-8")
    return loader.load(path, catalogue=None)


def refused(folder: Path, name: str) -> str:
    with pytest.raises(InvalidLab) as caught:
        load(folder, name)
    (problem,) = caught.value.problems
    assert getattr(problem, "line", 0) == 5
    assert getattr(problem, "column", 0) == 9
    assert "secret" not in str(caught.value)
    return str(problem)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that labs may not read, and a folder for labs beside it."""
    (tmp_path / "outside.txt").write_text("secret", encoding="utf-8")
    return tmp_path / "labs"


def test_a_file_beside_the_lab(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "text.txt").write_text("\ufeffé\n${aws:username}", encoding="utf-8")
    assert load(tmp_path, "sub/text.txt").vars["text"] == "é\n${aws:username}"


@pytest.mark.parametrize("name", ["policy.json", "templates/sts-role.yaml", "lab/steps.yaml"])
def test_the_bundled_files(name: str, tmp_path: Path):
    bundled = (resources.bundled() / name).read_text(encoding="utf-8")
    assert bundled
    if "${{" in bundled:
        assert "There is no file" not in refused_by_name_only(tmp_path, name)
    else:
        assert load(tmp_path, name).vars["text"] == bundled


def refused_by_name_only(folder: Path, name: str) -> str:
    """The problems of a lab that includes a text with an unknown name."""
    with pytest.raises(InvalidLab) as caught:
        load(folder, name)
    assert all(getattr(one, "file", "") == name for one in caught.value.problems)
    return str(caught.value)


def test_a_lab_in_a_folder_named_lab_includes_the_files_beside_it(tmp_path: Path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine.yaml").write_text("mine", encoding="utf-8")
    (tmp_path / "policy.json").write_text("own", encoding="utf-8")
    assert load(tmp_path / "lab", "templates/mine.yaml").vars["text"] == "mine"
    assert load(tmp_path / "lab", "policy.json").vars["text"] == "own"


def test_but_not_other_files_beside_it(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("secret", encoding="utf-8")
    refused(tmp_path / "lab", "notes.txt")
    refused(tmp_path / "lab", "templates/../notes.txt")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "sub/../../outside.txt",
        "./../outside.txt",
        "..",
        ".",
        "''",
        "/etc/passwd",
        "/",
        "~/.aws/credentials",
        "missing.txt",
        "'a\\0b'",
        "5",
        "some.yaml/x",
        "file:///etc/passwd",
        "src/stslab/errors.py",
        "pyproject.toml",
        "templates/../pyproject.toml",
        "x" * 5000,
    ],
)
def test_paths_out_of_the_folder(name: str, outside: Path):
    leads_out = name.startswith("/") or ".." in name
    said = "is outside of the lab's folder" if leads_out else "There is no file"
    assert said in refused(outside, name)


def test_an_absolute_path_is_refused_even_outside_of_the_tree(outside: Path):
    refused(outside, str(outside.parent / "outside.txt"))


@pytest.mark.parametrize("target", ["../outside.txt", "/etc/passwd", "link.txt"])
def test_links_out_of_the_folder(target: str, outside: Path):
    outside.mkdir()
    (outside / "link.txt").symlink_to(target)
    refused(outside, "link.txt")


def test_a_folder_that_is_a_link_to_elsewhere(outside: Path):
    outside.mkdir()
    (outside / "up").symlink_to("..", target_is_directory=True)
    refused(outside, "up/outside.txt")


def test_a_link_inside_the_folder(tmp_path: Path):
    (tmp_path / "real.txt").write_text("text", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert load(tmp_path, "link.txt").vars["text"] == "text"


def test_hidden_files_are_not_included(tmp_path: Path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("secret", encoding="utf-8")
    refused(tmp_path, ".aws/credentials")


def test_paths_that_are_not_files(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path, "pipe")
    (tmp_path / "folder").mkdir()
    refused(tmp_path, "folder")


@pytest.mark.parametrize(
    ("raw", "says"),
    [(b"\xff\xfe", "This is not UTF-8"), (b"x" * (1024 * 1024 + 1), "larger than 1 MiB")],
)
def test_files_that_are_not_text(raw: bytes, says: str, tmp_path: Path):
    (tmp_path / "raw.bin").write_bytes(raw)
    assert says in refused(tmp_path, "raw.bin")


def test_an_included_list_is_text_all_the_same(tmp_path: Path):
    (tmp_path / "list.yaml").write_text("[a, b]", encoding="utf-8")
    assert load(tmp_path, "list.yaml").vars["text"] == "[a, b]"


def test_nothing_reaches_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STSLAB_TEST_SECRET", "secret")
    for name in ("$STSLAB_TEST_SECRET", "${STSLAB_TEST_SECRET}", "'${{ env.STSLAB_TEST_SECRET }}'"):
        refused(tmp_path, name)


def test_the_hash_of_a_lab_is_of_its_file_and_of_all_that_it_includes(tmp_path: Path):
    def hashed() -> str:
        return loader.load(tmp_path / "a.yaml", catalogue=None).sha256

    lines = "  b: !include b.txt\n  c: !include c.txt\n  again: !include b.txt\n"
    stages = "stages: [{id: s, title: S, intro: I, steps: [{title: T, call: iam.GetUser}]}]\n"
    (tmp_path / "a.yaml").write_text(f"stslab: 1\nid: a\ntitle: A\nvars:\n{lines}{stages}")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "c.txt").write_text("c")
    each = [
        hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("a.yaml", "b.txt", "c.txt")
    ]
    before = hashed()
    assert before == hashlib.sha256("".join(f"{one}\n" for one in each).encode()).hexdigest()
    (tmp_path / "c.txt").write_text("other")
    assert hashed() != before
