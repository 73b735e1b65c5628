"""labs, show and lint."""

import json
import os
import shutil

import pytest

from stslab.lab.listing import find
from stslab.resources import bundled_labs, labs_folder

STAGES = ["create-user", "deploy-role", "attach-policy", "assume-role", "verify-access", "cleanup"]


def test_labs_lists_the_course_in_order_and_how_to_go_on(stslab):
    said = stslab("labs")
    assert said.code == 0
    assert [line[:15] for line in said.out.splitlines()[:2]] == [
        "1  who-am-i    ",
        "2  assume-role ",
    ]
    assert said.out.splitlines()[-1].startswith("0 of 7 done. Go on: stslab run next.")


def test_labs_as_json(stslab):
    found = {lab["id"]: lab for lab in json.loads(stslab("labs", "--json").out)}
    assert [stage["id"] for stage in found["assume-role"]["stages"]] == STAGES
    assert found["assume-role"]["problem"] == ""


def test_labs_are_in_the_order_of_the_course(stslab):
    listed = json.loads(stslab("labs", "--json").out)
    ids = [one["id"] for one in listed]
    assert all(
        ids.index(one["after"]) < ids.index(one["id"]) for one in listed if one["after"] in ids
    )
    assert {one["state"] for one in listed} == {"new"}


def test_labs_shows_progress_and_run_next_continues(stslab):
    first = json.loads(stslab("labs", "--json").out)[0]
    stages = [one["id"] for one in first["stages"]]
    assert stslab("run", first["id"], "--yes", "--to", stages[0]).code == 0
    begun = json.loads(stslab("labs", "--json").out)[0]
    assert begun["state"] == "begun"
    assert 0 < begun["proved"] < begun["claims"]
    assert f"{begun['proved']} of {begun['claims']} proved" in stslab("labs").out
    assert stslab("run", "next", "--yes").code == 0  # goes on with it
    done, *others = json.loads(stslab("labs", "--json").out)
    assert (done["id"], done["state"]) == (first["id"], "done")
    assert {one["state"] for one in others} == {"new"}
    again = stslab("run", "next", "--dry-run")
    assert others[0]["title"] in again.out
    assert "\n1 of 7 done. Go on: stslab run next." in stslab("labs").out


def test_labs_of_a_folder_are_listed_as_foreign(stslab, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    lab = tmp_path / "mine" / "mine.yaml"
    lab.write_text('stslab: 1\nid: mine\ntitle: "My \\x1b lab"\nstages: [{id: one, title: One}]\n')
    (tmp_path / "notes.yaml").write_text("a: b\n")
    said = stslab("labs", str(tmp_path))
    assert said.code == 0
    assert "2  assume-role   Assume a role with AWS STS\n" in said.out
    assert "\n   mine          " in said.out
    assert f"(foreign)\n   {lab}\n0 of 7 done." in said.out
    assert "notes" not in said.out
    assert "\x1b" not in said.out
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path))
    listed = {one["id"]: one["foreign"] for one in json.loads(stslab("labs", "--json").out)}
    assert [name for name, foreign in listed.items() if foreign] == ["mine"]
    assert str(find("mine")) == str(find(tmp_path / "mine")) == str(lab)
    assert stslab("show", "mine").code == 2  # it is not a whole lab
    none = stslab("labs", str(tmp_path / "mine" / ".."), "--json")
    assert none.code == 0
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path / "nothing"))
    assert "There is no lab in" in stslab("labs").err


def test_a_foreign_lab_does_not_replace_a_bundled_one(stslab, tmp_path, monkeypatch):
    (tmp_path / "x.yaml").write_text("stslab: 1\nid: assume-role\ntitle: T\nstages: []\n")
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path))
    assert find("assume-role") == labs_folder() / "steps.yaml"


def test_lint_finds_nothing_in_the_bundled_labs(stslab):
    said = stslab("lint")
    assert said.code == 0
    assert all(": embedded account only, since it" in line for line in said.err.splitlines())


def test_lint_points_at_each_problem(stslab, tmp_path):
    lab = tmp_path / "lab.yaml"
    lab.write_text(
        (labs_folder() / "steps.yaml").read_text().replace("iam.CreateUser", "iam.CreatUser")
    )
    shutil.copytree(labs_folder().parent / "templates", tmp_path / "templates")
    shutil.copy(labs_folder().parent / "policy.json", tmp_path)
    said = stslab("lint", str(lab))
    assert said.code == 2
    assert f"{lab}:" in said.out
    assert "CreatUser" in said.out
    assert "^" in said.out
    assert "Did you mean CreateUser?" in said.out
    problems = [json.loads(line) for line in stslab("lint", "--json", str(lab)).out.splitlines()]
    assert any(one["fix"] == "Did you mean CreateUser?" for one in problems)
    assert all(one["line"] > 0 and one["column"] > 0 for one in problems)
    assert all(one["severity"] == "error" for one in problems)
    keys = ["rule", "severity", "file", "line", "column", "message", "fix"]
    assert all(list(one) == keys for one in problems)
    assert (
        stslab("lint", "--format", "json", str(lab)).out == stslab("lint", "--json", str(lab)).out
    )


def test_lint_checks_folders(stslab, tmp_path):
    shutil.copytree(labs_folder(), tmp_path / "some" / "lab")
    for name in ("templates", "policy.json"):
        (tmp_path / "some" / name).symlink_to(labs_folder().parent / name)
    assert stslab("lint", str(tmp_path / "some" / "lab")).code == 0
    text = (tmp_path / "some" / "lab" / "steps.yaml").read_text()
    (tmp_path / "some" / "lab" / "steps.yaml").write_text(
        text.replace("vars:\n", "vars:\n  x: y\n")
    )
    said = stslab("lint", str(tmp_path / "some"))
    assert said.code == 2
    assert "warning: Nothing refers to x. [unused]" in said.out
    assert f"1 problem in {len(bundled_labs())} labs." in said.err
    (tmp_path / "empty").mkdir()
    said = stslab("lint", str(tmp_path / "empty"))
    assert said.code == 2
    assert "empty can't be read: no file in it has `stslab: 1`." in said.out


def test_a_hostile_lab_can_not_control_the_terminal(stslab, tmp_path):
    lab = tmp_path / "lab.yaml"
    text = (labs_folder() / "steps.yaml").read_text()
    lab.write_text(text.replace("title: Assume a role with", r'title: "\x1b]0;x\x07" #', 1))
    page = stslab("show", "--markdown", str(lab))
    assert page.code == 2
    assert "A lab's text can't have this character" in " ".join(page.err.split())
    assert "\x1b" not in page.out + page.err
    lab.write_text(text + r'"\x1b[31mred\u202e": 1')
    said = stslab("lint", str(lab))
    assert said.code == 2
    assert "\x1b" not in said.out
    assert r"\u202e" in said.out


def test_a_files_name_is_text_in_one_line(stslab, tmp_path):
    start = (labs_folder().parent / "src/stslab/cli/labs/starts/mfa.yaml").read_text()
    (tmp_path / "a\u202e\nGo on: rm -r x.yaml").write_text(start)
    for command in ("lint", "labs"):
        said = stslab(command, str(tmp_path))
        assert said.code == 0, said.out + said.err
        assert r"a\u202e Go on: rm -r x.yaml" in said.out + said.err


@pytest.mark.parametrize(
    "arguments", [["lint", "no/such.yaml"], ["show", "no-such"], ["show", "./no.yaml"]]
)
def test_a_missing_lab_is_one_message(arguments, stslab):
    said = stslab(*arguments)
    assert said.code == 2
    assert "no" in said.out + said.err
    assert "Traceback" not in said.err


def test_lint_knows_a_lab_by_its_id(stslab):
    said = stslab("lint", "who-am-i", "mfa")
    assert (said.code, said.out) == (0, "2 labs checked, nothing to fix.\n")


def test_lint_without_a_path_says_that_it_checked_the_bundled_labs(stslab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("stslab: 1")  # not even the one in this folder
    said = stslab("lint")
    assert (said.code, said.out) == (0, "7 bundled labs checked, nothing to fix.\n")


def test_lint_reports_every_path_and_does_not_wait_for_a_pipe(stslab, tmp_path):
    pipe, folder, wrong = (tmp_path / name for name in ("pipe", "folder", "wrong.yaml"))
    os.mkfifo(pipe)
    folder.mkdir()
    wrong.write_text("stslab: 1")
    given = [str(one) for one in (pipe, tmp_path / "none.yaml", folder, wrong)]
    said = stslab("lint", "--json", *given)
    assert said.code == 2
    problems = [json.loads(line) for line in said.out.splitlines()]
    assert {one["file"] for one in problems} == set(given)
    assert all(
        f"can't be read: {why}" in said.out
        for why in ("it is a pipe", "No such file", "no file in it")
    )


def test_an_unwritable_junit_file_is_reported_first(stslab, tmp_path):
    said = stslab("test", "--junit", str(tmp_path / "none" / "junit.xml"))
    assert said.code == 2
    assert "No such file or directory" in said.err
    assert said.out == ""


def test_show_as_a_table(stslab):
    said = stslab("show")
    assert said.code == 0
    assert all(stage in said.out for stage in STAGES)
    assert max(map(len, said.out.splitlines())) <= 80


def test_show_as_markdown(stslab):
    said = stslab("show", "assume-role", "--markdown")
    assert said.out.startswith("# ")
    assert said.out.count("\n## ") == len(STAGES) + 1
    made = "- IAM user sts-test-user-\\<run\\>: iam.CreateUser; undone by iam.DeleteUser"
    assert made in said.out
    assert "Nothing else is touched" in said.out
    assert "https://docs.aws.amazon.com/" in said.out
