"""Bad input that only a real process meets: one clear message, its exit code, nothing hangs."""

import socket
import sqlite3

import pytest
from tests.e2e.machine import PROVED, Machine

pytestmark = pytest.mark.slow


def test_a_busy_port(machine: Machine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = machine.stslab("sandbox", "start", "--port", str(port))
    assert done.code == 1
    assert str(port) in done.err
    assert "→" in done.err
    assert "Traceback" not in done.err
    assert machine.stslab("sandbox", "start").code == 0


def test_a_journal_that_is_damaged_while_a_run_is_open(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    for path in machine.state.glob("journal.sqlite-*"):
        path.unlink()
    journal = machine.state / "journal.sqlite"
    journal.write_bytes(journal.read_bytes()[:2000] + b"\xff" * 4000)
    for command in (["run", "--yes"], ["cleanup"], ["status"]):
        done = machine.stslab(*command)
        assert done.code == 1, done.said
        assert "journal" in done.err
        assert "Traceback" not in done.said


def test_a_journal_of_another_version(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    with sqlite3.connect(machine.state / "journal.sqlite") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    done = machine.stslab("run", "--yes")
    assert done.code == 1
    assert "another version of stslab" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--target", "aws"], 4, "credentials"),
        (["--target", "http://127.0.0.1:9", "--yes"], 4, "credentials"),
    ],
)
def test_a_real_account_without_credentials(machine: Machine, arguments, code, said):
    done = machine.stslab("run", *arguments, AWS_EC2_METADATA_DISABLED="true")
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_another_endpoint_is_not_worked_on_unasked(machine: Machine):
    """The embedded account, reached as any endpoint would be, with keys of one's own."""
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    url, key, secret = machine.reach()
    own = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    done = machine.stslab("run", "--target", url, **own)
    assert done.code == 2
    assert "--yes" in done.err
    walked = machine.stslab("run", "--yes", "--target", url, **own)
    assert walked.code == 0, walked.said
    assert PROVED in walked.out


def test_a_name_that_is_taken_is_never_adopted(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    stack = f"my-sts-stack-{machine.runs()[0]['run']}"
    body = '{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "not-the-labs"}}}}'
    machine.asks_aws(
        "cloudformation", "create-stack", "--stack-name", stack, "--template-body", body
    )
    done = machine.stslab("run", "--yes")
    assert done.code == 1
    assert "AlreadyExists" in done.out
    assert machine.stslab("cleanup").code == 0
    stacks = machine.asks_aws("cloudformation", "describe-stacks")["Stacks"]
    assert stack in [one["StackName"] for one in stacks]


OTHERS = ["run --yes --json", "step create-user", "check create-user", "cleanup"]


@pytest.mark.parametrize(
    "command", ["run --yes", *(pytest.param(one, marks=pytest.mark.soak) for one in OTHERS)]
)
def test_a_full_disk_and_a_closed_pipe_are_named(machine: Machine, command: str):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    full = machine.sh(f"stslab {command} >/dev/full")
    assert full.code == 1
    assert full.err == "✘ stdout can't be written: No space left on device.\n"
    closed = machine.sh(f"(stslab {command}; echo ended with $? >&2) | true")
    assert "… stdout was closed, so the command stopped." in closed.err
    assert "`stslab run` goes on from here" in closed.err
    assert "ended with 141" in closed.err
    assert machine.stslab("cleanup").code == 0
    assert not (machine.state / "bugs").exists()
