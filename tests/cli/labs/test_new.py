"""`stslab new`: a new lab passes its test."""

import pytest

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount
from stslab.cli.labs.labs import STARTS as FOLDER
from stslab.cli.labs.mutation import play
from stslab.cli.labs.testing import tasks
from stslab.lab.loader import load

STARTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ACCOUNT = InMemoryAccount()


@pytest.mark.parametrize("start", STARTS)
def test_each_start_is_green_at_once(start, stslab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = stslab("new", "some-lab", "--from", start)
    assert said.code == 0, said.err
    path = tmp_path / "some-lab" / "some-lab.yaml"
    assert f"stslab test {path.relative_to(tmp_path)} --mutate" in said.out
    assert path.read_text().startswith("# yaml-language-server: $schema=lab.schema.json\n")
    assert (path.parent / "lab.schema.json").is_file()
    assert stslab("lint", "some-lab").code == 0
    lab = load(path, catalogue=BotocoreCatalogue())
    assert lab.id == "some-lab"
    played = play(lab, ACCOUNT)
    assert (played.failed, played.cells, played.stopped, played.left) == (set(), {}, {}, ())
    assert [one for one in tasks(lab) if one.why] == []


@pytest.mark.parametrize("name", ["My-Lab", "a/b", "../x", "1a", "a", "a" * 41, "a b"])
def test_an_invalid_name(name, stslab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = stslab("new", name)
    assert said.code == 2
    assert "is not a valid name for a lab" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_changed(stslab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    said = stslab("new", "mine")
    assert said.code == 2
    assert "mine exists already" in said.err
    assert list((tmp_path / "mine").iterdir()) == []
