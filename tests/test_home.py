"""The state folder, as the environment names it."""

import os

import pytest

from stslab.cli.main import exit_code
from stslab.errors import StateFolderError, UsageError
from stslab.home import Home, home


def test_the_usual_account_and_a_named_one_are_separate(tmp_path, monkeypatch):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    monkeypatch.delenv("STSLAB_SANDBOX", raising=False)
    assert home().sandbox == tmp_path / "sandbox"
    monkeypatch.setenv("STSLAB_SANDBOX", "team-2")
    assert home().sandbox == tmp_path / "sandbox" / "team-2"


@pytest.mark.parametrize("name", ["../x", "A", "-a", "a" * 33, "a/b", "."])
def test_a_name_cant_be_a_path(tmp_path, monkeypatch, name):
    monkeypatch.setenv("STSLAB_SANDBOX", name)
    with pytest.raises(UsageError):
        home()


@pytest.mark.parametrize("inside", [".", "sandbox", "profiles/aws"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, monkeypatch, inside, mode):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    assert home().root == tmp_path
    (tmp_path / inside).chmod(mode)
    with pytest.raises(StateFolderError, match="others can write to it") as refused:
        home()
    assert f"chmod go-w {tmp_path / inside}" in refused.value.hint


def test_a_state_folder_may_be_reached_by_a_link_of_its_owner(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "link"))
    assert home().root == tmp_path / "link"
    (tmp_path / "real").chmod(0o777)
    with pytest.raises(StateFolderError):
        home()


def test_a_tilde_of_nobody_is_a_name_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STSLAB_HOME", "~nobody-of-this-name/x")
    assert home().root == tmp_path / "~nobody-of-this-name" / "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STSLAB_HOME", "~/x")
    assert home().root == tmp_path / "x"


COMMANDS = ("run --yes", "cleanup", "status", "sandbox start", "env", "report", "doctor", "why")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "planted", ["run.lock", "journal.sqlite", "sandbox/server.lock", "profiles", "bugs"]
)
def test_a_planted_link_is_not_followed(tmp_path, monkeypatch, capsys, command, planted):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    link = tmp_path / "state" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "state"))
    assert exit_code(command.split()) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"There is a symbolic link in the state folder: {link}" in said
    assert " rm " not in said  # the folder may be anybody's
    assert victim.read_text() == "precious"
    assert [one for one in (tmp_path / "state").rglob("*") if not one.is_dir()] == [link]


def test_a_pipe_in_the_state_folder_holds_no_command_up(tmp_path, monkeypatch, capsys):
    (tmp_path / "state" / "sandbox").mkdir(parents=True)
    os.mkfifo(tmp_path / "state" / "sandbox" / "server.json")
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "state"))
    assert exit_code(["sandbox", "start"]) == 1
    assert "There is a pipe in the state folder" in capsys.readouterr().err


def test_a_run_that_another_lesson_walks_is_known(tmp_path):
    here, there = Home(tmp_path), Home(tmp_path)
    assert here.enter_lesson("aaaa1111")
    assert not there.enter_lesson("aaaa1111")
    assert there.enter_lesson("bbbb2222")  # another run
