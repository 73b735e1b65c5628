"""By hand: a learner at a real pseudo-terminal and in a second one, with the aws CLI alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests import programs
from tests.e2e.machine import PROVED, Machine, interrupt
from tests.e2e.screen import Open, Terminal

pytestmark = pytest.mark.slow

ALLOW = (
    '\'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Resource":"\'$ROLE\'"}}\''
)
KEY = (
    "set -- $(aws iam create-access-key --user-name $STS_USER --output text"
    " --query AccessKey.[AccessKeyId,SecretAccessKey]);"
    " printf '%s\\n%s\\n\\n\\n' $1 $2 | aws configure --profile sts >/dev/null"
)
SESSION = (
    "set -- $(aws sts assume-role --role-arn $ROLE --role-session-name sts-example-s3"
    " --profile sts --output text"
    " --query Credentials.[AccessKeyId,SecretAccessKey,SessionToken]);"
    " aws configure set aws_access_key_id $1 --profile assumed;"
    " aws configure set aws_secret_access_key $2 --profile assumed;"
    " aws configure set aws_session_token $3 --profile assumed"
)
TEMPLATE = Path(__file__).parents[2] / "templates" / "sts-role.yaml"
WRONG_STACK = (
    f"aws cloudformation deploy --stack-name $STACK --template-file {TEMPLATE}"
    " --parameter-overrides UserName=bob BucketName=$BUCKET --capabilities CAPABILITY_IAM"
)
OBJECT = "echo Hello! | aws s3 cp - s3://$BUCKET/hello.txt --profile assumed"


class Second:
    """A second terminal, with `stslab env`, and the aws command that is first in ``path``."""

    def __init__(self, machine: Machine, path: str) -> None:
        self._machine = machine
        self.path = path

    def does(self, script: str) -> str:
        env = f'eval "$({sys.executable} -m stslab env --shell sh)"'
        done = self._machine.runs_in("sh", "-ec", f"{env}; {script}", PATH=self.path)
        assert done.code == 0, done.said
        return done.out


def second(machine: Machine, version: str, folder: Path) -> Second:
    """The terminal; ``version`` is the aws command's."""
    first = folder / "first"
    first.mkdir()
    aws = programs.find("aws2") if version == "2" else str(Path(sys.executable).with_name("aws"))
    assert aws
    (first / "aws").symlink_to(aws)
    return Second(machine, f"{first}:{machine.environ['PATH']}")


def answers(terminal: Terminal, until: str) -> str:
    """Say to every question that one does not know, and go on, until this is on the screen."""
    text = terminal.text
    while until not in text or "/6 " not in text.split("\n")[-1]:
        key = {
            "Your answer:": "0",
            "Enter goes on:": "\r",
            "Enter shows more": "\r",
            "Enter removes it all:": "",
        }
        pressed = next((press for mark, press in key.items() if mark in text), None)
        if pressed == "":
            break
        if pressed is not None:
            terminal.key(pressed)
        text = terminal.changed(text)
    return text


@pytest.mark.parametrize(
    ("version", "columns"),
    [("1", 80), pytest.param("2", 60, marks=pytest.mark.needs("aws2"))],
)
def test_the_whole_lab_by_hand_leaves_nothing(
    opened: Open, machine: Machine, tmp_path: Path, version: str, columns: int
) -> None:
    other = second(machine, version, tmp_path)
    terminal = opened("run", "--practice", columns=columns, PATH=other.path)
    terminal.wait("Enter begins:")
    terminal.enter()
    terminal.wait("Enter goes on:")
    terminal.enter()
    terminal.wait("The profile sts holds", "admin $")
    terminal.enter("aws iam create-user --user-name extra-hand >/dev/null")
    terminal.wait("! ", "CreateUser for user extra-hand. The", "task is")
    terminal.enter("aws iam create-user --user-name $STS_USER >/dev/null")
    terminal.wait("✔ An IAM user has the name")
    other.does(KEY)  # in the second terminal: the first one sees it
    terminal.wait("✔ The profile sts holds", "Enter goes on:")
    answers(terminal, "The stack $STACK")
    assert str(TEMPLATE) in terminal.text.replace("\n", "").replace(" ", "")
    other.does(WRONG_STACK)
    terminal.wait("! ", "Parameters: ", "bob")
    for _ in range(3):
        terminal.enter("hint")
    terminal.wait("The role and the bucket come", "This is the command.", "create-stack")
    terminal.enter()
    terminal.wait("It is removed")
    answers(terminal, "sts may assume the role, and no other role.")
    other.does(
        f"aws iam put-user-policy --user-name $STS_USER --policy-name m --policy-document {ALLOW}"
    )
    terminal.wait("✔ sts may assume the role")
    answers(terminal, "The profile assumed holds")
    other.does(SESSION)
    terminal.wait("✔ The profile assumed holds")
    answers(terminal, "The bucket has an object hello.txt")
    other.does(f"{OBJECT}; echo more | aws s3 cp - s3://$BUCKET/more --profile assumed")
    terminal.wait("✔ The bucket has an object")
    text = answers(terminal, "changes reverted:")
    while "Enter shows more" in text:  # where the list is longer than the screen
        terminal.enter()
        text = terminal.changed(text)
    assert "IAM user extra-hand (made or changed by hand)" in text
    assert not (machine.root / ".aws").exists()
    terminal.enter()
    terminal.wait("What to remember", "Enter goes on:")
    terminal.enter()
    text = terminal.wait("What next:", "Each was looked up:")
    assert PROVED in text.replace("\n", " ")
    terminal.enter()
    assert terminal.ended() == 0
    iam, s3 = machine._client("iam"), machine._client("s3")
    assert [one["UserName"] for one in iam.list_users()["Users"]] == ["admin"]
    assert s3.list_buckets()["Buckets"] == []
    assert all(len(line) <= columns for line in text.split("\n"))


def to_the_tasks(opened: Open, *arguments: str) -> Terminal:
    terminal = opened("run", "--practice", *arguments)
    if arguments:  # a lab that did not come with stslab
        terminal.wait("Press Enter to continue")
        terminal.enter()
    terminal.wait("Enter begins:")
    terminal.enter()
    terminal.wait("Enter goes on:")
    terminal.enter()
    terminal.wait("admin $")
    return terminal


def on_to_the_tasks(opened: Open, *intro: str) -> Terminal:
    """Continue a run by hand, past the next stage's intro."""
    terminal = opened("run", "--practice")
    terminal.wait("Enter goes on:")
    terminal.enter()
    terminal.wait(*intro, "Enter goes on:")
    terminal.enter()
    return terminal


def test_a_command_that_stands_on_no_line_names_its_profile(opened: Open, machine: Machine) -> None:
    terminal = opened("run", "--practice", "--from", "assume-role")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("Enter goes on")
    terminal.enter()
    terminal.wait("by hand", "admin $")
    hints = [machine.stslab("hint", COLUMNS="200").out for _ in range(3)]
    asked = "aws sts assume-role --role-arn $ROLE --role-session-name sts-example-s3 --profile sts"
    assert asked in hints[2]  # the other terminal's profile is admin, whom the role does not trust
    terminal.enter("solve")
    terminal.wait("--profile sts", "✔ The profile assumed holds a session")


def test_words_of_a_second_terminal_while_the_lesson_waits(opened: Open, machine: Machine) -> None:
    terminal = to_the_tasks(opened)
    hints = [machine.stslab("hint") for _ in range(3)]
    assert all(one.code == 0 for one in hints), hints
    task, _, hint = hints[0].out.partition("\n\n")  # without colour too they are apart
    assert task.startswith("An IAM user has the name")
    assert "one of its commands" in hint
    assert "aws iam create-user --user-name $STS_USER" in hints[2].out
    assert machine.stslab("status").code == 0
    assert machine.stslab("access", "--json").code == 0
    solved = machine.stslab("solve")
    assert "✔ An IAM user has the name" in solved.out
    terminal.wait("✔ An IAM user has the name")
    assert machine.stslab("solve").code == 0
    terminal.wait("✔ The profile sts holds", "Enter goes on:")
    terminal.enter("why")  # a word does not go on
    terminal.wait("Nothing was refused in this run yet.", "Enter goes on:")
    done = machine.stslab("solve")
    assert (done.code, "Every task of" in done.err) == (2, True)
    answers(terminal, "The stack $STACK")
    assert machine.stslab("check", "create-user").code == 0
    watch = machine.start("watch", "--json")
    assert watch.stdout
    while not (now := json.loads(watch.stdout.readline()).get("run")):
        pass
    assert interrupt(watch).code == 0
    assert (now["how"], now["stage"]) == ("by hand", "deploy-role")
    assert "The stack $STACK" in now["tasks"][0]["text"]
    assert not now["tasks"][0]["done"]
    why = machine.stslab("why").out  # as at the prompt: the journal knows how far one went
    assert "ListBuckets" in why.replace("\n", " ")
    assert "by a check of the lab: nothing has to be changed" in why
    assert "The gate that refuses: the identity-based policy." in why
    assert "put-user-policy" not in why
    terminal.enter("why")
    terminal.wait("Identity-based policy: none", "`why` again")
    text = machine.stslab("why").out
    assert "Did the right caller ask?" in text
    assert "put-user-policy" not in text
    request = json.loads(machine.stslab("why", "--json").out)["request"]["requestID"]
    assert "put-user-policy" in machine.stslab("why", request).out
    terminal.wait("`why` again")  # meanwhile nobody told the prompt where its cursor is
    terminal.enter("skip")
    terminal.wait("Skipped: stage 2", "Enter goes on:")
    terminal.enter()
    text = terminal.wait("It needs these stages", "Enter does that first:")
    assert "ValidationError" not in text  # of a look at what the skipped stage had not made yet


def test_what_was_made_by_hand_before_a_kill_goes(opened: Open, machine: Machine) -> None:
    terminal = to_the_tasks(opened)
    terminal.enter("aws iam create-user --user-name extra-hand >/dev/null; echo mad''e")
    terminal.wait("made", "user extra-hand.")
    terminal.child.kill(9)
    again = opened("run")  # it goes on by hand, as it was
    again.wait("By hand: each stage gives you tasks", "Enter goes on:")
    again.enter("quit")
    assert again.ended() == 0
    machine.stslab("sandbox", "stop")
    done = machine.stslab("cleanup")
    assert done.code == 0, done.said
    assert "IAM user extra-hand (made or changed by hand)" in done.out
    machine.stslab("env", "--shell", "sh")
    users = machine._client("iam").list_users()["Users"]
    assert [one["UserName"] for one in users] == ["admin"]


@pytest.mark.soak
def test_what_another_changed_since_is_listed_once(opened: Open, machine: Machine) -> None:
    terminal = to_the_tasks(opened)
    terminal.enter("aws iam create-user --user-name both-hands >/dev/null; echo mad''e")
    terminal.wait("made", "user both-hands.")
    terminal.enter("quit")
    assert terminal.ended() == 0
    other = to_the_tasks(opened, machine.lab(("id: assume-role", "id: other-lab")))
    other.enter("aws iam tag-user --user-name both-hands --tags Key=a,Value=b; echo tagge''d")
    other.wait("tagged")
    other.enter("quit")
    assert other.ended() == 0
    first = machine.runs()[-1]["run"]
    done = machine.stslab("cleanup", first)
    assert done.code == 5, done.said
    assert "IAM user both-hands" in done.said
    assert machine.stslab("cleanup", first).code == 0
    assert machine.stslab("cleanup").code == 0


def test_what_was_made_otherwise_is_made_anew_by_the_steps_command(
    opened: Open, machine: Machine
) -> None:
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    terminal = opened("run", "--to", "deploy-role")
    terminal.wait("Enter goes on:")
    terminal.enter()
    terminal.wait("CloudFormation now makes", "Enter goes on:")
    terminal.enter()
    terminal.wait("admin $ aws cloudformation create-stack")
    terminal.key("\x15")
    terminal.enter(
        "aws cloudformation create-stack --stack-name $STACK --capabilities CAPABILITY_IAM"
        f" --template-body file://{Path(__file__).parents[2] / 'templates' / 'sts-role.yaml'}"
        " --parameters ParameterKey=UserName,ParameterValue=admin"
        " ParameterKey=BucketName,ParameterValue=$BUCKET >/dev/null; echo mad''e"
    )
    terminal.wait("made", "differs from the", "--tags")
    terminal.enter()
    text = terminal.wait("question 3 of")
    assert "failed" not in text
    terminal.enter("quit")
    assert terminal.ended() == 0
    assert machine.stslab("cleanup").code == 0


def test_a_session_that_was_only_printed_is_told_and_the_labs_own_command_fills_the_profile(
    opened: Open, machine: Machine
) -> None:
    assert machine.stslab("run", "--yes", "--to", "attach-policy").code == 0
    terminal = on_to_the_tasks(opened, "Assume the role", "4/6")
    terminal.wait("○ The profile assumed", "admin $")
    own = "aws sts assume-role --role-arn $ROLE --role-session-name sts-example-s3 --profile sts"
    terminal.enter(f"{own} --query AssumedRoleUser")
    terminal.wait("The session that you asked for last is in no profile yet", "profile assumed")
    terminal.enter(
        own.replace(" --", " \\\n  --")
    )  # as it is shown where it is too long for a line
    terminal.wait(
        "That is the lab's own command: it fills the profile assumed too.", "✔ The profile"
    )
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_what_a_wide_policy_keeps_from_being_done_is_said_again_after_the_task(
    opened: Open, machine: Machine
) -> None:
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    terminal = on_to_the_tasks(opened, "3/6")
    terminal.wait("○ sts may assume the role", "admin $")
    wide = json.dumps({"Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}})
    user = "aws iam put-user-policy --user-name $STS_USER"
    terminal.enter(f"{user} --policy-name V --policy-document '{wide}'")
    terminal.wait("! This should be true, and is not", "inline policy V of user", "admin $")
    task = f"{user} --policy-name StsAssumePolicy --policy-document {ALLOW}"
    terminal.enter(f"{task}; clear; echo task do''ne")
    text = terminal.wait(
        "task done", "! This should be true, and is not", "inline policy V of user", "admin $"
    )
    assert "✔" not in text
    terminal.enter("quit")
    assert terminal.ended() == 0
