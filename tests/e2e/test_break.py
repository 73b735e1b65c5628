"""A fault to be found and fixed, by a learner at a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.machine import Machine
from tests.e2e.screen import Open, Terminal

from stslab.lab.listing import headers

pytestmark = pytest.mark.slow

OBJECTS = "d-88b1"
"""Get and put are allowed on the bucket, and not on what is in it."""


def role_of(machine: Machine) -> str:
    roles = machine.asks_aws("iam", "list-roles")["Roles"]
    return next(str(one["RoleName"]) for one in roles if "StsRole" in one["RoleName"])


def allow(machine: Machine, action: str, resource: str) -> None:
    """What somebody does in another terminal."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    put = ("--policy-name", "Extra", "--policy-document", document)
    done = machine.aws("iam", "put-role-policy", "--role-name", role_of(machine), *put)
    assert done.code == 0, done.err


def reported(terminal: Terminal) -> str:
    return terminal.wait("A colleague reports", "admin $")


def seconds(machine: Machine) -> object:
    """How long the fix took; None while there is none."""
    return json.loads(machine.stslab("report", "--json").out)["fault"]["seconds"]


def is_clean(machine: Machine) -> None:
    run = machine.runs()[0]
    assert run["state"] == "cleaned"
    assert machine.leftovers(run["run"]) == []
    assert machine.profiles().isdisjoint({"sts", "assumed"})


def test_found_and_fixed(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--fault", OBJECTS)
    text = reported(terminal)
    assert "can't get an object or put an object" in text
    assert "An error occurred (AccessDenied) when calling the GetObject operation" in text
    first = machine.stslab("why").out  # as at the prompt: the journal knows how far one went
    assert "no policy of assumed allows it" in first
    assert "OneBucket" not in first + machine.stslab("report").out
    terminal.wait("CLI.\n\nadmin $")  # drawn anew below what stands there
    for grade in ("Look at the policy OneBucket", "Name the resource"):
        terminal.enter("why")
        terminal.wait(grade, "admin $")
    last = machine.stslab("why").out
    assert "aws iam put-role-policy" in last
    assert "Enter" not in last  # which does nothing there
    terminal.enter("why")
    terminal.wait("aws iam put-role-policy")
    terminal.enter()
    terminal.wait("All is as it should be.", "Enter goes on", " 5/6 ")  # the time stands still
    took = seconds(machine)
    assert took is not None  # Enter may come much later
    terminal.enter("hint")  # a word does not go on
    terminal.wait("`hint` does nothing here.", "Enter goes on")
    terminal.enter()
    assert terminal.ended() == 0
    assert f"stslab break assume-role --fault {OBJECTS}\n   fixed in " in terminal.text
    assert " s, 4 whys, clean" in terminal.text
    is_clean(machine)
    assert seconds(machine) == took
    told = " ".join(machine.stslab("report").out.split())  # nobody takes it for a lesson
    assert "The fault is fixed; nothing is left in the account." in told
    assert "proved" not in told
    assert "it was the policy OneBucket of the role" in told
    assert " s, 4 whys, clean" in told


def test_what_a_foreign_lab_calls_is_listed_before_its_set_up_is_made(
    opened: Open, machine: Machine
) -> None:
    lab = machine.root / "fault.yaml"
    lab.write_text((Path(__file__).parents[1] / "cases" / "labs" / "fault.yaml").read_text())
    terminal = opened("break", str(lab))
    terminal.wait("Nothing else is touched", "Press Enter to continue")
    terminal.enter()
    reported(terminal)
    terminal.enter("quit")
    assert terminal.ended() == 0
    again = opened("break", str(lab))
    reported(again)
    assert "Nothing else is touched" not in again.text


def test_something_else_that_the_learner_broke(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--fault", "auditors")
    reported(terminal)
    user = next(
        str(one["UserName"])
        for one in machine.asks_aws("iam", "list-users")["Users"]
        if "sts-test" in one["UserName"]
    )
    asked = ("--user-name", user, "--policy-name", "StsAssumePolicy")
    policy = machine.asks_aws("iam", "get-user-policy", *asked)["PolicyDocument"]
    assert machine.aws("iam", "delete-user-policy", *asked).code == 0
    terminal.wait("sts may not assume the role.")
    surplus = ("--role-name", role_of(machine), "--policy-name", "JustForTheMigration")
    assert machine.aws("iam", "delete-role-policy", *surplus).code == 0
    for word in ("solve", "hint", "why"):
        terminal.enter(word)
        terminal.wait("What was reported is right again. Undo what was changed since.")
    assert "was refused" not in terminal.text
    put = ("iam", "put-user-policy", *asked, "--policy-document", json.dumps(policy))
    assert machine.aws(*put).code == 0
    terminal.wait("All is as it should be.", "Enter goes on")
    terminal.enter()
    assert terminal.ended() == 0
    assert "no help" in terminal.text
    is_clean(machine)


def test_a_fix_that_does_nothing_and_one_that_opens_too_much(
    opened: Open, machine: Machine
) -> None:
    terminal = opened("break", "--fault", OBJECTS)
    reported(terminal)
    terminal.enter("skip")
    terminal.wait("`skip` does nothing here.")
    allow(machine, "s3:ListBucket", "*")
    terminal.wait("Something was changed, but the same things are still broken.")
    allow(machine, "s3:*", "*")
    terminal.wait(
        "That is not a fix yet.", "assumed may delete the bucket, which was not allowed before"
    )
    bucket = machine.asks_aws("s3api", "list-buckets")["Buckets"][0]["Name"]
    allow(machine, "s3:??tObject", f"arn:aws:s3:::{bucket}/*")
    terminal.wait("All is as it should be.", "Enter goes on")
    second = machine.stslab("hint")
    assert (second.code, "The fault is fixed." in second.err) == (2, True)
    assert "Go on: stslab break" in second.err
    terminal.enter()
    terminal.wait("3 tries, no help, opened too much")
    assert terminal.ended() == 0
    is_clean(machine)


def test_a_wide_policy_hides_the_fault_and_gives_no_fix_away(
    opened: Open, machine: Machine
) -> None:
    terminal = opened("break", "--fault", OBJECTS)
    reported(terminal)
    allow(machine, "s3:*", "*")
    terminal.wait("What allows", "inline policy Extra of role")
    terminal.enter("why")
    assert "OneBucket" not in terminal.wait("what is still wrong shows then", "delete-role-policy")
    assert "delete-role-policy" in machine.stslab("hint").out
    terminal.enter("solve")
    terminal.wait("assumed may not get an object", "admin $")
    terminal.enter("why")
    assert "OneBucket" not in terminal.wait("no policy of assumed allows it", "admin $")
    bucket = machine.asks_aws("s3api", "list-buckets")["Buckets"][0]["Name"]
    arn = f"arn:aws:s3:::{bucket}"
    caller = machine.asks_aws("sts", "get-caller-identity", profile="assumed")["Arn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "s3:*"}
    policy = json.dumps({"Statement": [{**statement, "Resource": [arn, f"{arn}/*"]}]})
    asked = ("--bucket", bucket, "--policy", policy)
    assert machine.aws("s3api", "put-bucket-policy", *asked).code == 0
    terminal.wait("What allows", f"bucket policy of {bucket}")
    terminal.enter("why")
    assert "OneBucket" not in terminal.wait("what is still wrong shows then", "s3api delete-bucket")
    terminal.enter("solve")
    terminal.wait("assumed may not get an object", "admin $")


def test_a_session_that_is_asked_for_by_hand_is_in_no_profile_yet(
    opened: Open, machine: Machine
) -> None:
    terminal = opened("break", "--fault", "d-261d")
    reported(terminal)
    asks = "aws sts assume-role --role-arn $ROLE --role-session-name me --profile sts"
    terminal.enter(f"{asks} --query AssumedRoleUser")
    terminal.wait("is in no profile yet", "into the profile assumed", "admin $")
    assert seconds(machine) is None


@pytest.mark.soak
def test_credentials_and_hints(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--fault", "d-261d")
    assert "ExpiredToken" in reported(terminal)
    terminal.enter("hint")
    terminal.wait("does not accept the credentials")
    assert "the credentials in the profile assumed" in machine.stslab("hint").out
    terminal.enter("hint")
    terminal.wait("sts $ aws sts assume-role")
    assert seconds(machine) is None
    assert machine.stslab("solve").code == 0
    terminal.wait("All is as it should be.", "Enter goes on")
    terminal.key("\x03")
    assert terminal.ended() == 130
    again = opened("break")  # it is fixed
    again.wait("Fixed in", "3 hints, solve, clean")
    assert again.ended() == 0
    assert not machine.secrets() & set(" ".join(machine.transcript).split())


@pytest.mark.soak
def test_what_is_open_and_should_not_be(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--fault", "auditors")
    assert "It would succeed, and should not." in reported(terminal)
    policy = ("--policy-name", "JustForTheMigration")
    machine.aws("iam", "delete-role-policy", "--role-name", role_of(machine), *policy)
    terminal.wait("All is as it should be.")


@pytest.mark.soak
def test_left_and_gone_on_with(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--seed", "7")
    reported(terminal)
    terminal.key("\x03")
    assert terminal.ended() == 130
    assert "stslab break` goes on" in terminal.text
    for command in (("run", "--yes"), ("step", "cleanup")):
        done = machine.stslab(*command)
        assert (done.code, "has a fault in it" in done.err) == (2, True), done.err
    other = opened("break", "--seed", "8")
    other.wait("A fault is planted already: --seed 7.")
    assert other.ended() == 2
    again = opened("break")
    reported(again)
    again.enter("skip")  # there is nothing else to go on with
    assert again.ended() == 0
    assert machine.stslab("cleanup").code == 0
    is_clean(machine)


def test_killed_in_the_middle(opened: Open, machine: Machine) -> None:
    terminal = opened("break", "--seed", "3")
    terminal.wait("Deploy a role that can use one bucket")
    os.kill(terminal.child.pid, signal.SIGKILL)
    terminal.ended()
    again = opened("break")
    reported(again)
    os.kill(again.child.pid, signal.SIGKILL)
    again.ended()
    assert machine.stslab("cleanup").code == 0
    is_clean(machine)


def test_a_run_that_goes_on_is_not_spoilt(opened: Open, machine: Machine) -> None:
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    terminal = opened("break")
    terminal.wait("a fault would spoil it")
    assert terminal.ended() == 2


def test_the_list(machine: Machine) -> None:
    rows: list[dict[str, Any]] = json.loads(machine.stslab("break", "--list", "--json").out)
    first = next(row for row in rows if row["lab"] == "assume-role")
    assert {"id": "auditors", "derived": False}.items() <= first.items()
    assert all({*row} == {"id", "lab", "title", "derived"} for row in rows)
    labs = list(dict.fromkeys(row["lab"] for row in rows))
    assert labs == [each.id for each in headers() if each.id in labs]  # the course's
    titles = [row["title"] for row in rows if row["derived"]]
    assert max(map(len, titles)) < 200
    assert any("and more is refused too" in title for title in titles)
    for lab in labs:
        text = machine.stslab("break", lab, "--list").out
        assert text.count("\n") < 24 - 2  # below the command, above the next one
        told = " ".join(text.split())
        for each in (row for row in rows if row["lab"] == lab):
            assert re.search(rf"\b{each['id']}\b", told)
            assert each["derived"] or f"{each['id']}: {each['title']}" in told
        said = re.findall(r": ([^:]+?)(?= d-|$)", told)
        assert len(said) == len({*said})  # those that look the same are listed together
    for wrong in (("--fault", "a", "--seed", "1"), ("--json",), ()):
        assert machine.stslab("break", *wrong).code == 2
