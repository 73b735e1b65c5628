"""Where a learner got stuck, and now gets on: each at a real terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from tests.e2e.machine import Machine, flat
from tests.e2e.screen import Open, Terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def begun(machine: Machine) -> Machine:
    done = machine.stslab("run", "--yes", "--to", "assume-role")
    assert done.code == 0, done.said
    return machine


def to_the_stage(terminal: Terminal, title: str) -> None:
    terminal.wait("Enter goes on")
    terminal.enter()
    while "▶" in terminal.wait(title):
        pass  # the first screen names it too


def run_of(machine: Machine) -> str:
    return str(machine.runs()[0]["run"])


def the_user(machine: Machine) -> str:
    return f"sts-test-user-{run_of(machine)}"


def the_role(machine: Machine) -> str:
    (role,) = (name for name in machine.leftovers(run_of(machine)) if "StsRole" in name)
    return role


def delete_the_policy(machine: Machine) -> None:
    user = the_user(machine)
    machine.asks_aws(
        "iam", "delete-user-policy", "--user-name", user, "--policy-name", "StsAssumePolicy"
    )


def delete_the_key(machine: Machine) -> None:
    user = the_user(machine)
    keys = machine.asks_aws("iam", "list-access-keys", "--user-name", user)["AccessKeyMetadata"]
    for key in keys:
        name = ("--user-name", user, "--access-key-id", key["AccessKeyId"])
        machine.asks_aws("iam", "delete-access-key", *name)


def delete_the_user(machine: Machine) -> None:
    delete_the_policy(machine)
    delete_the_key(machine)
    machine.asks_aws("iam", "delete-user", "--user-name", the_user(machine))


def delete_the_role(machine: Machine) -> None:
    role = the_role(machine)
    machine.asks_aws("iam", "delete-role-policy", "--role-name", role, "--policy-name", "OneBucket")
    machine.asks_aws("iam", "delete-role", "--role-name", role)


def delete_the_bucket(machine: Machine) -> None:
    machine.aws("s3", "rb", "--force", f"s3://sts-example-{run_of(machine)}")


def delete_the_stack(machine: Machine) -> None:
    stack = f"my-sts-stack-{run_of(machine)}"
    machine.asks_aws("cloudformation", "delete-stack", "--stack-name", stack)
    machine.asks_aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)


def an_hour_passes(machine: Machine) -> None:
    assert machine.stslab("sandbox", "clock", "+61m").code == 0


DRIFTS: dict[Callable[[Machine], object], str] = {
    an_hour_passes: "The session has expired",
    delete_the_policy: "Inline policy StsAssumePolicy",
    delete_the_key: "Access key",
    delete_the_user: "IAM user",
    delete_the_role: "IAM role",
    delete_the_bucket: "S3 bucket",
    delete_the_stack: "CloudFormation stack",
}


@pytest.mark.parametrize(
    "drift",
    [  # each kind of thing is looked at in tests/runner; the soak walks through all of them
        pytest.param(each, marks=() if each is an_hour_passes else pytest.mark.soak)
        for each in DRIFTS
    ],
    ids=lambda each: each.__name__,
)
def test_what_is_gone_is_told_and_done_again(
    begun: Machine, opened: Open, drift: Callable[[Machine], None]
) -> None:
    drift(begun)
    terminal = opened("run", "--to", "verify-access")
    to_the_stage(terminal, "See what the session may do")
    screen = terminal.wait(DRIFTS[drift], "Enter does that again")
    assert "is gone" in screen or "has expired" in screen
    terminal.enter()
    terminal.wait("Time to use what you borrowed", "Enter goes on")
    terminal.enter()
    terminal.wait("aws s3api put-object")
    terminal.enter()
    terminal.wait("What will AWS answer?")
    terminal.enter("quit")
    assert terminal.ended() == 0
    done = begun.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert begun.leftovers(run_of(begun)) == []


def test_without_a_terminal_it_is_told_and_done_too(begun: Machine) -> None:
    an_hour_passes(begun)
    done = begun.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert "The session has expired (profile assumed)" in done.out
    assert "will be done again" in done.out


def test_a_stage_that_is_done_by_its_name_looks_too(begun: Machine) -> None:
    delete_the_user(begun)
    done = begun.stslab("step", "create-user")
    assert done.code == 0, done.said
    assert f"IAM user {the_user(begun)} is gone" in done.out
    assert the_user(begun) in begun.leftovers(run_of(begun))


def test_at_a_terminal_it_is_asked_first(begun: Machine, opened: Open) -> None:
    delete_the_policy(begun)
    terminal = opened("step", "attach-policy")
    terminal.wait("StsAssumePolicy", "is gone", "Do it again? [Y/n]")
    terminal.enter("n")
    assert terminal.ended() == 0
    policies = begun.asks_aws("iam", "list-user-policies", "--user-name", the_user(begun))
    assert policies["PolicyNames"] == []


def test_a_trust_policy_that_was_changed_by_hand_is_shown_with_what_puts_it_back(
    begun: Machine, opened: Open
) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    }
    role = ("--role-name", the_role(begun), "--policy-document", json.dumps(trust))
    begun.asks_aws("iam", "update-assume-role-policy", *role)
    terminal = opened("run", "--to", "verify-access", columns=200, lines=50)
    to_the_stage(terminal, "See what the session may do")
    screen = terminal.wait("differs from the lab's", "Enter goes on")
    assert '"Principal": {"AWS": "*"}' in screen
    assert "TheLabsUserOfThisAccount" in screen
    assert "update-assume-role-policy" in screen


def by_hand(machine: Machine) -> str:
    """The command of the policy, in another form than the lab's."""
    account = machine.asks_aws("sts", "get-caller-identity")["Account"]
    arn = f"arn:aws:iam::{account}:role/{the_role(machine)}"
    said = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [arn]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [said]})
    return (
        "aws iam put-user-policy --user-name $STS_USER --policy-name StsAssumePolicy"
        f" --policy-document '{document}'"
    )


@pytest.mark.soak
def test_a_command_of_ones_own_counts_if_it_does_what_the_step_does(
    machine: Machine, opened: Open
) -> None:
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    terminal = opened("run", "--to", "attach-policy", columns=200)
    to_the_stage(terminal, "Let the user assume that role")
    terminal.wait("aws iam put-user-policy")
    terminal.key("\x15")
    terminal.enter(by_hand(machine).replace('"Allow"', '"Deny"'))
    terminal.wait("differs from the lab's", '"Effect": "Deny"')
    terminal.key("\x15")
    terminal.enter(by_hand(machine))
    terminal.wait("You made by hand what the step makes", "Enter goes on")
    terminal.enter("quit")
    assert terminal.ended() == 0
    assert machine.stslab("cleanup", "--yes").code == 0
    assert machine.leftovers(run_of(machine)) == []


def test_what_was_done_by_hand_is_enough_for_the_next_stage(machine: Machine) -> None:
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    user = the_user(machine)
    command = by_hand(machine).replace("$STS_USER", user)
    assert machine.sh(f"{command} --profile admin").code == 0
    done = machine.stslab("step", "assume-role")
    assert done.code == 0, done.said
    assert "done by hand" in done.out
    assert "attach-policy" in [one["stage"] for one in machine.runs()[0]["stages"]]


@pytest.mark.soak
def test_a_command_runs_as_it_is_printed(begun: Machine) -> None:
    done = begun.stslab("run", "--yes", "--to", "verify-access")
    printed = re.findall(r"^ +(aws (?:.*\\\n)*.*)$", done.out, re.MULTILINE)
    assert len(printed) >= 6
    for command in printed:
        ran = begun.sh(command)
        refused = "AccessDenied" in ran.err
        assert ran.code == 0 or refused, f"{command}\n{ran.err}"
    assert "put-object" in printed[0]


def test_the_doctor_finds_damaged_profiles_and_its_fix_works(begun: Machine) -> None:
    (file,) = begun.state.glob("profiles/sandbox/credentials")
    file.write_text("[sts\nnonsense")
    checks = json.loads(begun.stslab("doctor", "--json").out)["checks"]
    (wrong,) = (one for one in checks if one["name"] == "profiles")
    assert "damaged" in wrong["says"]
    fix = wrong["fix"].partition("rm ")[2].partition(" Then")[0]
    assert begun.sh(f"rm {fix}").code == 0
    done = begun.stslab("run", "--yes")
    assert done.code == 0, done.said


def why(machine: Machine, *about: str) -> str:
    done = machine.stslab("why", *about, COLUMNS="400")
    assert done.code == 0, done.said
    return done.out


def test_why_asks_first_whether_the_right_caller_asked(begun: Machine) -> None:
    bucket = f"sts-example-{run_of(begun)}"
    assert begun.aws("s3api", "list-objects-v2", "--bucket", bucket, profile="sts").code
    told = why(begun)
    caller = told.index("The profile assumed may do this: call it with --profile assumed")
    assert (
        "--profile admin"
        not in told[: told.index("What to change if this caller should be allowed")]
    )
    assert caller < told.index("Allow user sts-test-user-")
    role = json.loads(begun.stslab("why", "--json").out)
    assert role["callers"] == ["assumed"]


def test_why_does_not_loosen_the_trust_for_a_wrong_profile(begun: Machine) -> None:
    account = begun.asks_aws("sts", "get-caller-identity")["Account"]
    arn = f"arn:aws:iam::{account}:role/{the_role(begun)}"
    named = ("--role-arn", arn, "--role-session-name", "mine")
    assert begun.aws("sts", "assume-role", *named, profile="admin").code
    told = why(begun)
    caller = told.index("The profile sts may do this: call it with --profile sts")
    guarded = told.index("It keeps out all others of the account")
    assert caller < guarded < told.index("aws iam update-assume-role-policy")


def test_why_says_so_where_only_the_administrator_may(begun: Machine) -> None:
    assert begun.aws("s3api", "list-buckets", profile="sts").code
    assert "Of your profiles, only admin may do this." in why(begun)


def test_why_knows_who_deleted_the_role(begun: Machine) -> None:
    role = the_role(begun)
    delete_the_role(begun)
    assert begun.aws("s3api", "list-buckets", profile="assumed").code
    told = why(begun)
    assert f"The role {role} was deleted on " in told
    assert "by user/admin (iam:DeleteRole, request " in told
    assert "s3:?" not in told
    assert "`stslab run` makes it again" in told


WIDE = (
    "aws iam put-user-policy --user-name $STS_USER --policy-name Wide --policy-document"
    ' \'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}\''
)


def test_what_allows_too_much_is_named_and_fixed_where_enter_tries_again(
    machine: Machine, opened: Open
) -> None:
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    terminal = opened("run", "--to", "attach-policy", columns=200, lines=40)
    to_the_stage(terminal, "Let the user assume that role")
    terminal.wait("aws iam put-user-policy")
    terminal.key("\x15")
    terminal.enter(WIDE)
    lacking = terminal.wait("The step is not done yet: there is no inline policy StsAssumePolicy")
    assert "Enter goes on" not in lacking
    terminal.enter()
    wide = f"inline policy Wide of user {the_user(machine)}"
    screen = terminal.wait("does not hold", "Enter tries again")
    assert f"What allows it: {wide}" in flat(screen)
    second = machine.stslab("check")
    assert second.code == 3
    assert "attach-policy" in second.out
    assert machine.stslab("check", "deploy-role").code == 0
    second = machine.stslab("hint", COLUMNS="200")
    assert second.code == 0, second.err
    assert wide in flat(second.out)
    assert "aws iam delete-user-policy --user-name $STS_USER --policy-name Wide" in second.out
    for word in ("hint", "why"):
        before = terminal.text
        terminal.enter(word)
        assert wide in flat(terminal.changed(before))
    terminal.enter("policies")
    terminal.wait("Enter shows more")
    terminal.key("q")
    terminal.wait("Enter tries again")
    terminal.enter("aws iam delete-user-policy --user-name $STS_USER --policy-name Wide")
    terminal.wait("✔ sts may assume the role, and no other role.", "Enter tries again")
    done = machine.stslab("hint")
    assert (done.code, "--practice" in done.err) == (2, False)
    terminal.enter()
    terminal.wait("Enter goes on")
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_solve_removes_what_allows_too_much(machine: Machine, opened: Open) -> None:
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    assert machine.sh(WIDE.replace("$STS_USER", the_user(machine)) + " --profile admin").code == 0
    terminal = opened("run", "--to", "attach-policy", columns=120, lines=40)
    to_the_stage(terminal, "Let the user assume that role")
    terminal.wait("aws iam put-user-policy")
    terminal.enter()
    terminal.wait("Enter tries again")
    terminal.enter("solve")
    terminal.wait("aws iam delete-user-policy", "✔ sts may assume the role")
    terminal.enter("quit")
    assert terminal.ended() == 0
