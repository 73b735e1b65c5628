"""An account that is handed out with the run in it: half done or broken, it goes on elsewhere."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.machine import Machine

from stslab.runner.journal.records import sealed

pytestmark = pytest.mark.slow


@pytest.fixture
def given(machine: Machine) -> Path:
    """A run of a foreign lab, with the user's policy taken away by hand."""
    assert machine.stslab("new", "mine").code == 0
    file = machine.root / "mine" / "mine.yaml"
    through = 'profiles: {through: {role_arn: "${{ role_arn }}", source_profile: dev}}\nenv: '
    file.write_text(file.read_text().replace("env: ", through, 1))
    lab = str(file)
    assert machine.stslab("run", lab, "--yes", "--to", "assume-role").code == 0
    machine.stslab("env", "--shell", "sh")
    user = machine._client("iam").list_users()["Users"][-1]["UserName"]
    machine._client("iam").delete_user_policy(UserName=user, PolicyName="assume-role")
    run = machine.runs()[0]["run"]
    file = machine.root / "set-up.zip"
    done = machine.stslab("sandbox", "export", str(file), "--run", run)
    assert done.code == 0, done.said
    assert file.stat().st_mode & 0o777 == 0o600
    machine.stslab("cleanup", run)
    machine.stslab("sandbox", "stop")
    (machine.root / "mine").rename(machine.root / "not-on-this-machine")
    return file


def test_it_goes_on_elsewhere_as_it_was(machine: Machine, given: Path):
    there = str(machine.root / "elsewhere")
    done = machine.stslab("sandbox", "import", str(given), STSLAB_HOME=there)
    assert done.code == 0, done.said
    lab = done.out.partition("Go on: stslab run ")[2].splitlines()[0]
    assert lab.startswith(there)
    config = Path(there, "profiles", "sandbox", "config").read_text()
    assert "role_arn = " in config.partition("[profile through]")[2]  # a profile without keys
    broken = machine.stslab("check", STSLAB_HOME=there)
    assert "The session lists all buckets" in broken.out  # the session goes on
    access = machine.stslab("access", "--json", STSLAB_HOME=there)
    assert access.code == 0, access.said
    assert "LAB_USER=" in machine.stslab("env", "--shell", "sh", STSLAB_HOME=there).out
    again = machine.stslab("sandbox", "import", str(given), "--yes", STSLAB_HOME=there)
    assert again.code == 2
    assert "exists here already" in again.err
    gone = machine.stslab("cleanup", "--yes", STSLAB_HOME=there)
    assert gone.code == 0, gone.said
    assert "is left" in gone.out
    (run,) = json.loads(machine.stslab("status", "--json", STSLAB_HOME=there).out)
    ended = str(machine.root / "ended.zip")
    machine.stslab("sandbox", "export", ended, "--run", run["run"], STSLAB_HOME=there)
    machine.stslab("sandbox", "stop", STSLAB_HOME=there)
    third = str(machine.root / "third")
    done = machine.stslab("sandbox", "import", ended, STSLAB_HOME=third)
    machine.stslab("sandbox", "stop", STSLAB_HOME=third)
    assert "It has ended." in done.out, done.said
    assert "Go on" not in done.out


def changed(given: Path, change: Callable[[dict[str, Any]], object], name: str = "") -> str:
    """The file with something else in what it says of the run, or with one file more."""
    other = given.with_name(f"{len(list(given.parent.glob('*.zip')))}.zip")
    with zipfile.ZipFile(given) as old, zipfile.ZipFile(other, "w") as new:
        for one in old.namelist():
            content = old.read(one)
            if one == "run.json":
                told = json.loads(content)
                change(told)
                content = json.dumps(told).encode()
            new.writestr(one, content)
        if name:
            new.writestr(name, "x")
    return str(other)


def resealed(told: dict[str, Any], old: str, new: str) -> None:
    """Change the run's first record, and seal them all again."""
    first, before = told["records"][0], ""
    assert old in first[3]
    first[3] = first[3].replace(old, new)
    told["run"] = json.loads(first[3])["id"]
    for record in told["records"]:
        record[4] = before = sealed(told["run"], before, *record[:4])


def test_no_other_file_goes_back_in_the_labs_place(machine: Machine, given: Path):
    secret, back = machine.root / "credentials", machine.root / "back.zip"
    secret.write_text("aws_secret_access_key = x")
    lab = str(machine.root / "mine" / "mine.yaml")
    there = str(machine.root / "elsewhere")
    file = changed(given, lambda told: resealed(told, lab, str(secret)))
    assert machine.stslab("sandbox", "import", file, STSLAB_HOME=there).code == 0
    with zipfile.ZipFile(file) as received:
        run = json.loads(received.read("run.json"))["run"]
    done = machine.stslab("sandbox", "export", str(back), "--run", run, STSLAB_HOME=there)
    machine.stslab("sandbox", "stop", STSLAB_HOME=there)
    assert done.code == 0, done.said
    with zipfile.ZipFile(back) as sent:
        assert sorted(sent.namelist()) == ["account", "run.json"]


def test_a_set_up_does_not_choose_its_account(machine: Machine, given: Path):
    there = str(machine.root / "elsewhere")
    wrong = '"target":"../outside"'
    file = changed(given, lambda told: resealed(told, '"target":"sandbox"', wrong))
    assert machine.stslab("sandbox", "import", file, STSLAB_HOME=there).code == 0
    (run,) = json.loads(machine.stslab("status", "--json", STSLAB_HOME=there).out)
    machine.stslab("sandbox", "stop", STSLAB_HOME=there)
    assert run["target"] == "sandbox"
    assert not Path(there, "outside").exists()


def test_what_is_not_a_set_up_is_refused_and_changes_nothing(machine: Machine, given: Path):
    there = machine.root / "elsewhere"

    def another_word(told: dict[str, Any]) -> None:
        records = told["records"]
        records[1][3] = records[1][3].replace("mine", "MINE").replace("create", "CREATE")

    def a_line_more(told: dict[str, Any]) -> None:
        next(iter(told["profiles"].values()))["session_token"] = "x\ncredential_process = touch y"

    def another_id(told: dict[str, Any]) -> None:
        resealed(told, told["run"], "../../outside")

    for file, said in (
        (changed(given, another_id), "was changed"),
        (changed(given, a_line_more), "characters it can't have"),
        (
            changed(given, lambda told: told["profiles"].update(x={"access_key_id": 1})),
            "can't be used",
        ),
        (changed(given, another_word), "was changed"),
        (changed(given, lambda told: told.update(run="abcd2345")), "was changed"),
        (changed(given, lambda told: told.update(version=2)), "has version 2"),
        (changed(given, lambda told: told.update(records=[])), "was changed"),
        (changed(given, lambda _: None, "lab/../../x"), "that no set-up has"),
        (changed(given, lambda _: None, "/etc/x"), "that no set-up has"),
    ):
        done = machine.stslab("sandbox", "import", file, STSLAB_HOME=str(there))
        told = " ".join(done.err.split())
        assert (done.code, said in told) == (1, True), done.said
        assert not (there / "journal.sqlite").exists()
        assert not (machine.root / "outside").exists()


def test_a_run_that_there_is_not(machine: Machine):
    done = machine.stslab("sandbox", "export", str(machine.root / "x"), "--run", "abcd2345")
    assert done.code == 2
    assert "has no run abcd2345" in done.err
    machine.stslab("sandbox", "stop")


def test_a_place_that_can_not_be_written(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    for name in ("no/such/folder/x", "x" * 300):
        for further in ((), ("--run", machine.runs()[0]["run"])):
            done = machine.stslab("sandbox", "export", name, *further)
            assert done.code == 1, done.said
            assert f"{name} can't be written" in " ".join(done.err.split())
            assert "Name another place: its folder must exist" in done.err
    machine.stslab("sandbox", "stop")
