"""A real account, as far as it can be had: the target aws, at an account that is another's."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from tests import programs
from tests.e2e.learner import ACCOUNT, CONSENT, REGION, Learner, a_learner, settings
from tests.e2e.machine import CLAIMS, LAB, Machine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("cloud"))
    yield made
    made.stop()


@pytest.fixture
def learner(tmp_path: Path, cloud: Machine) -> Iterator[Learner]:
    made = a_learner(tmp_path / "learner", cloud)
    before = made.names()
    own = made.own_files()
    yield made
    assert made.names() == before
    assert made.own_files() == own or made.transcript[-1] == "own files changed by the test"


def test_the_whole_lab_and_nothing_is_left_and_the_learners_files_are_as_they_were(
    learner: Learner,
):
    done = learner.on_aws("run")
    assert done.code == 0, done.said
    assert "This works on a real AWS account" in done.out
    assert f"arn:aws:iam::{ACCOUNT}:user/admin" in done.out
    assert REGION in done.out
    assert "costs" in done.out
    assert "nothing (IAM, STS and CloudFormation are free" in done.out
    assert "IAM user sts-test-user-<run>" in done.out
    assert "CloudFormation stack my-sts-stack-<run> with S3 bucket sts-example-<run>" in done.out
    assert "iam.CreateUser; undone by iam.DeleteUser" in done.out
    assert "Nothing else is touched" in done.out
    assert "yes: IAM's policy simulator allows" in done.out
    report = json.loads(learner.stslab("report", "--json").out)
    assert (report["proved"], report["clean"]) == (CLAIMS, True)
    gates = {one["says"]: one["gates"] for one in report["claims"]}
    assert gates["It may not list your buckets"] == ["identity policy"]
    assert gates["Nobody else of the account may assume the role, not even an administrator"] == [
        "trust policy"
    ]
    shown = " ".join(learner.stslab("report").out.split())
    assert "denied by the trust policy, as it should be" in shown
    assert report["run"]["caller"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert report["run"]["region"] == REGION


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ([], "--yes --account 111122223333"),
        (["--yes"], "--account 111122223333"),
        (["--account", ACCOUNT], "--yes"),
    ],
)
def test_without_a_terminal_it_wants_both_in_so_many_words(learner: Learner, flags, missing):
    done = learner.stslab("run", "--target", "aws", *flags)
    assert done.code == 2
    assert f"add {missing}." in done.err
    assert not (learner.state / "profiles" / "aws" / "credentials").exists()


def test_another_account_than_the_one_named(learner: Learner):
    done = learner.stslab("run", "--target", "aws", "--yes", "--account", "999999999999")
    assert done.code == 4
    assert f"for account {ACCOUNT}, not for 999999999999" in done.err


def test_an_account_on_the_deny_list(learner: Learner):
    done = learner.on_aws("run", STSLAB_DENY_ACCOUNTS=f"999999999999, {ACCOUNT}")
    assert done.code == 4
    assert "on your deny list ($STSLAB_DENY_ACCOUNTS)" in done.err
    folder = learner.root / ".config" / "stslab"
    folder.mkdir(parents=True)
    (folder / "denied-accounts").write_text("444455556666, 1111-2222-3333\n")
    done = learner.on_aws("run")
    assert done.code == 4
    assert "on your deny list" in done.err
    (folder / "denied-accounts").write_text("deny = 12\n")
    done = learner.on_aws("run")
    assert done.code == 2
    assert "'deny' is not an account id" in " ".join(done.err.split())


@pytest.fixture
def alias(learner: Learner) -> Iterator[str]:
    iam = learner.client("iam")
    iam.create_account_alias(AccountAlias="acme-prod-eu")
    yield "acme-prod-eu"
    iam.delete_account_alias(AccountAlias="acme-prod-eu")


def test_an_alias_that_says_production(learner: Learner, alias):
    done = learner.on_aws("run")
    assert done.code == 4
    assert alias in done.err
    forced = learner.on_aws("run", "--force", "--to", "create-user")
    assert forced.code == 4
    assert learner.runs() == []


@pytest.fixture
def poor(learner: Learner) -> Iterator[Learner]:
    """The learner signs in as a user who may do all that the lab needs but for one thing."""
    iam = learner.client("iam")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "cloudformation:CreateStack", "Resource": "*"},
        ],
    }
    iam.create_user(UserName="poor")
    iam.put_user_policy(UserName="poor", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="poor")["AccessKey"]
    learner.sign_in(key["AccessKeyId"], key["SecretAccessKey"])
    yield learner
    iam.delete_access_key(UserName="poor", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="poor", PolicyName="p")
    iam.delete_user(UserName="poor")
    learner.sign_in()


def test_a_missing_permission_is_found_before_anything_is_made(poor: Learner):
    done = poor.on_aws("run")
    assert done.code == 4
    assert "cloudformation:CreateStack on arn:aws:cloudformation" in done.err
    assert poor.runs() == []
    forced = poor.on_aws("run", "--force")
    assert forced.code == 1
    assert "AccessDenied" in forced.said
    assert poor.on_aws("cleanup").code == 0


def test_a_run_is_pinned_to_its_account_and_region(learner: Learner):
    assert learner.on_aws("run", "--to", "deploy-role", "--profile", "default").code == 0
    # The settings now name another region: the run goes on in its own.
    elsewhere = learner.on_aws("cleanup", "--region", "us-west-2")
    assert elsewhere.code == 4
    assert f"began in the region {REGION}" in elsewhere.err
    there = learner.stslab("cleanup", "--target", "sandbox")
    assert "is unfinished" in there.out
    assert "--target aws --profile default" in there.out
    done = learner.on_aws("cleanup", AWS_REGION="us-west-2")
    assert done.code == 0, done.said


SSO = """[default]
sso_session = s
sso_account_id = 1
sso_role_name = r
[sso-session s]
sso_region = us-east-1
sso_start_url = https://x.awsapps.com/start
"""
UNKNOWN = """[default]
aws_access_key_id = AKIAXXXXXXXXXXXXXXXX
aws_secret_access_key = x
"""
SIGN_INS = [
    (UNKNOWN, "", "refused your credentials"),
    ("", "[default]\ncredential_process = false\n", "could not be loaded from credential_process"),
    ("", "[default]\ncredential_process = echo not-json\n", "credentials"),
    ("", SSO, "sign-in (SSO) session has ended"),
    ("", "", "No AWS credentials were found"),
]


def test_credentials_that_fail_stop_with_4_and_the_run_goes_on_afterwards(learner: Learner):
    assert learner.on_aws("run", "--to", "create-user").code == 0
    (run,) = learner.runs()
    for credentials, config, words in SIGN_INS:
        learner.write("credentials", credentials)
        learner.write("config", config)
        for command in ("run", "cleanup"):
            done = learner.on_aws(command)
            assert done.code == 4, done.said
            assert words in " ".join(done.err.split())
            assert "Traceback" not in done.said
    learner.write("credentials", UNKNOWN.replace("default", "mine"))
    said = " ".join(learner.on_aws("run", "--profile", "mine").err.split())
    assert "test them: aws sts get-caller-identity --profile mine." in said
    learner.sign_in()
    done = learner.on_aws("run")
    assert done.code == 0, done.said
    assert f"Continuing run {run['run']}" in done.out


def test_a_session_that_ends_in_the_middle_of_a_run(learner: Learner):
    """The session's key is deleted from under it: as when it ends."""
    iam = learner.client("iam")
    iam.create_user(UserName="brief")
    try:
        iam.attach_user_policy(
            UserName="brief", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
        key = iam.create_access_key(UserName="brief")["AccessKey"]
        learner.sign_in(key["AccessKeyId"], key["SecretAccessKey"])
        assert learner.on_aws("run", "--to", "create-user").code == 0
        iam.delete_access_key(UserName="brief", AccessKeyId=key["AccessKeyId"])
        done = learner.on_aws("run")
        assert done.code == 4
        learner.sign_in()
        assert learner.on_aws("run").code == 0
    finally:
        iam.detach_user_policy(
            UserName="brief", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
        iam.delete_user(UserName="brief")


def test_a_person_types_the_accounts_id_once_for_a_run(learner: Learner):
    def spawned(command: str) -> pexpect.spawn:
        words = learner.command(*command.split(), "--target", "aws")
        return pexpect.spawn(
            words[0], words[1:], env=learner.environ | {"TERM": "dumb"}, cwd=str(learner.root),
            timeout=60, encoding="utf-8", dimensions=(50, 100),
        )  # fmt: skip

    refused = spawned("run")
    refused.expect("to continue, anything else to stop: ")
    refused.sendline("yes")
    refused.expect("That is not the account's id. Nothing was made.")
    refused.expect(pexpect.EOF)
    refused.close()
    assert refused.exitstatus == 4
    assert learner.runs() == []

    agreed = spawned("run --to create-user")
    agreed.expect("to continue, anything else to stop: ")
    agreed.sendline(ACCOUNT)
    agreed.expect("Enter begins:")
    agreed.sendline("")
    agreed.expect("Enter runs it:")
    agreed.sendline("touch edited")
    agreed.expect("or use another terminal: `stslab shell --target aws`")
    agreed.expect("Enter runs it:")
    agreed.sendline("")
    agreed.expect("create-access-key")
    agreed.expect("Enter runs it:")
    agreed.sendline("")
    for _ in range(sum(check.ask is not None for check in LAB.stages[0].checkpoint)):
        agreed.expect("Your answer:")
        agreed.sendline("2")
        agreed.expect("Enter goes on:")
        agreed.sendline("")
    agreed.expect("stslab cleanup --target aws")
    agreed.expect(pexpect.EOF)
    agreed.close()
    assert agreed.exitstatus == 0

    for stops, code in (pexpect.spawn.sendeof, 0), (pexpect.spawn.sendintr, 130):
        left = spawned("cleanup")
        left.expect("Undo this?")
        left.expect("N]: ")
        stops(left)
        left.expect(pexpect.EOF)
        left.close()
        assert left.exitstatus == code, left.before
        assert ("Stopped." in left.before) == (code == 130)
        assert learner.runs()[0]["state"] != "cleaned"

    cleaned = spawned("cleanup")
    cleaned.expect("In account 111122223333")
    cleaned.expect("Undo this?")
    cleaned.sendline("y")
    cleaned.expect("is left")
    cleaned.expect(pexpect.EOF)
    cleaned.close()
    assert cleaned.exitstatus == 0


@pytest.fixture
def strangers(learner: Learner) -> Iterator[None]:
    """What looks like stslab's and is not: no tag, or a tag and another name."""
    iam, s3 = learner.client("iam"), learner.client("s3")
    iam.create_user(UserName="sts-test-user-abcd1234")
    iam.create_user(
        UserName="sts-test-user-efgh5678", Tags=[{"Key": "stslab:run", "Value": "ijkl9012"}]
    )
    iam.create_group(GroupName="sts-group-abcd1234")
    s3.create_bucket(Bucket="sts-example-abcd1234")
    yield
    iam.delete_user(UserName="sts-test-user-abcd1234")
    iam.delete_user(UserName="sts-test-user-efgh5678")
    iam.delete_group(GroupName="sts-group-abcd1234")
    s3.delete_bucket(Bucket="sts-example-abcd1234")


def test_a_sweep_finds_what_a_lost_journal_forgot_and_touches_nothing_else(
    learner: Learner, strangers
):
    foreign = learner.names()
    assert learner.on_aws("run", "--to", "verify-access").code == 0
    (run,) = (one["run"] for one in learner.runs())
    iam, s3 = learner.client("iam"), learner.client("s3")
    iam.create_group(GroupName=f"team-{run}")
    iam.add_user_to_group(GroupName=f"team-{run}", UserName=f"sts-test-user-{run}")
    s3.put_object(Bucket=f"sts-example-{run}", Key="mine", Body=b"x")

    kept = learner.stslab("cleanup", "--sweep", "--dry-run", "--target", "aws")
    assert f"To undo it: stslab cleanup {run}" in " ".join(kept.out.split())

    for file in learner.state.glob("journal.sqlite*"):
        file.unlink()
    before = learner.names()
    dry = learner.stslab("cleanup", "--sweep", "--dry-run", "--target", "aws")
    assert dry.code == 0, dry.said
    assert f"aws s3 rb s3://sts-example-{run} --force" in dry.out
    assert learner.names() == before

    done = learner.on_aws("cleanup", "--sweep")
    assert done.code == 5  # what carries a tag and another name is told, and left alone
    assert "IAM user sts-test-user-efgh5678" in done.out
    assert f"Nothing of run {run} is left" in done.out
    assert learner.names() == foreign
    assert [one["state"] for one in learner.runs()] == ["cleaned"]


def test_a_sweep_wants_a_run_that_is_there(learner: Learner):
    done = learner.on_aws("cleanup", "--sweep", "zzzz9999")
    assert done.code == 2
    assert "zzzz9999" in done.err


@pytest.mark.soak
def test_a_protected_stack_is_told_and_not_touched(learner: Learner):
    assert learner.on_aws("run", "--to", "deploy-role").code == 0
    (run,) = (one["run"] for one in learner.runs())
    s3 = learner.client("s3")
    s3.put_object(Bucket=f"sts-example-{run}", Key="mine", Body=b"x")
    protect = {"StackName": f"my-sts-stack-{run}"}
    learner.stacks().update_termination_protection(**protect, EnableTerminationProtection=True)
    done = learner.on_aws("cleanup")
    assert done.code == 5
    assert "termination protection" in " ".join(done.out.split())
    assert "--no-enable-termination-protection" in done.out
    assert s3.list_objects_v2(Bucket=f"sts-example-{run}")["KeyCount"] == 1
    learner.stacks().update_termination_protection(**protect, EnableTerminationProtection=False)
    again = learner.on_aws("cleanup")
    assert again.code == 0, again.said


@pytest.mark.soak
def test_all_cleans_every_run_of_the_target(learner: Learner):
    assert learner.on_aws("run", "--to", "create-user").code == 0
    other = learner.lab(("id: assume-role\n", "id: other-lab\n"))
    assert learner.stslab("run", other, *CONSENT, "--to", "create-user").code == 0
    assert learner.stslab("run", "--yes", "--to", "create-user").code == 0
    done = learner.on_aws("cleanup", "--all")
    assert done.code == 0, done.said
    states = {(one["target"], one["state"]) for one in learner.runs()}
    assert states == {("aws", "cleaned"), ("sandbox", "active")}
    learner.stop()


def test_the_doctor_looks_at_a_real_account_too(learner: Learner):
    done = learner.stslab("doctor", "--target", "aws", "--json")
    assert done.code == 0, done.said
    states = {one["name"]: one["state"] for one in json.loads(done.out)["checks"]}
    assert {states[name] for name in ("network", "clock", "credentials", "you are")} == {"good"}
    learner.write("credentials", "")
    ended = learner.stslab("doctor", "--target", "aws")
    assert ended.code == 4
    assert "No AWS credentials were found" in ended.out
    learner.sign_in()
    away = learner.stslab("doctor", "--target", "aws", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert away.code == 1
    assert "offline?" in away.out


PARTNER = "444455556666"
WITH_PARTNER = Path(__file__).parent.parent / "cases" / "lab" / "whole" / "partner.yaml"


def knows_partner(learner: Learner) -> None:
    """Give the learner a profile for the second account."""
    assert learner.cloud is not None
    learner.cloud.stslab("env", "--shell", "sh")
    key = settings(learner.cloud.state / "profiles" / "sandbox" / "credentials")["partner"]
    own = (learner.root / ".aws" / "credentials").read_text()
    lines = "".join(f"{name} = {value}\n" for name, value in key.items())
    learner.write("credentials", f"{own}[vendors]\n{lines}")
    learner.write("config", f"[default]\nregion = {REGION}\n[profile vendors]\nregion = {REGION}\n")
    learner.transcript.append("own files changed by the test")


def test_a_lab_with_two_accounts(learner: Learner):
    knows_partner(learner)
    flags = ("--partner-profile", "vendors", "--partner-account", PARTNER)
    done = learner.on_aws("run", str(WITH_PARTNER), *flags)
    assert done.code == 0, done.said
    assert f"and there    arn:aws:iam::{PARTNER}:user/admin" in done.out
    assert f"lets in account {PARTNER}, the lab's other account" in " ".join(done.out.split())
    report = json.loads(learner.stslab("report", "--json").out)
    assert (report["proved"], report["clean"]) == (12, True)
    learner.transcript.append("own files changed by the test")


@pytest.mark.needs("aws2")
@pytest.mark.parametrize("by", ["profile", "variable", "file", "keys"])
def test_a_shells_admin_is_who_the_guard_saw(learner: Learner, tmp_path: Path, by: str):
    """The learner's default profile is for another account, which nothing may reach."""
    learner.write("config", f"[default]\nregion = {REGION}\n[profile mine]\nregion = {REGION}\n")
    _, key, secret = learner._reached()
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    knows = "".join(f"{name} = {value}\n" for name, value in keys.items())
    assert learner.cloud is not None
    other = settings(learner.cloud.state / "profiles" / "sandbox" / "credentials")["partner"]
    (tmp_path / "own").write_text(f"[default]\n{knows}")
    other_knows = "".join(f"{name} = {value}\n" for name, value in other.items())
    learner.write("credentials", f"[default]\n{other_knows}[mine]\n{knows}")
    named, variables = {
        "profile": ("--profile mine", {}),
        "variable": ("", {"AWS_PROFILE": "mine"}),
        "file": ("", {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "own")}),
        "keys": ("", {name.upper(): value for name, value in keys.items()}),
    }[by]
    become = f'eval "$({sys.executable} -m stslab env --shell sh --target aws {named})"'
    asks = f"{programs.find('aws2')} sts get-caller-identity --query Account --output text"
    path = f"{tmp_path}:{learner.environ['PATH']}"
    (tmp_path / "aws").symlink_to(str(programs.find("aws2")))
    done = learner.runs_in("sh", "-c", f"{become}; {become}; {asks}", PATH=path, **variables)
    assert PARTNER not in done.said
    assert (ACCOUNT in done.out) == (by != "keys"), done.said  # keys can't be asked for again
    ended = f'eval "$({sys.executable} -m stslab env --shell sh --target aws --unset)"'
    done = learner.runs_in("sh", "-c", f"{become}; {ended}; {asks} {named}", PATH=path, **variables)
    assert PARTNER not in done.said
    assert (ACCOUNT in done.out) == (by != "keys"), done.said
    learner.transcript.append("own files changed by the test")


@pytest.mark.soak
def test_a_lab_with_two_accounts_is_cleaned_up_in_both(learner: Learner):
    knows_partner(learner)
    flags = ("--partner-profile", "vendors", "--partner-account", PARTNER)
    done = learner.on_aws("run", str(WITH_PARTNER), "--to", "back", *flags)
    assert done.code == 0, done.said
    alone = learner.on_aws("cleanup")
    assert alone.code == 4
    assert f"began with the second account {PARTNER}" in " ".join(alone.err.split())
    done = learner.on_aws("cleanup", *flags)
    assert done.code == 0, done.said
    assert "5 things removed" in done.out
    learner.transcript.append("own files changed by the test")


def test_a_sweep_undoes_in_both_accounts(learner: Learner):
    knows_partner(learner)
    flags = ("--partner-profile", "vendors", "--partner-account", PARTNER)
    done = learner.on_aws("run", str(WITH_PARTNER), "--to", "vendor", *flags)
    assert done.code == 0, done.said
    for file in learner.state.glob("journal.sqlite*"):
        file.unlink()
    done = learner.on_aws("cleanup", "--sweep", *flags)
    assert done.code == 0, done.said
    assert "IAM user vendor-" in done.out
    assert "is left: 1 thing removed" in done.out
    learner.transcript.append("own files changed by the test")


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        ([], 4, "needs a second account (partner)"),
        (["--partner-profile", "vendors"], 2, f"add --partner-account {PARTNER}"),
        (
            ["--partner-profile", "default", "--partner-account", ACCOUNT],
            4,
            f"Both profiles are for account {ACCOUNT}",
        ),
        (
            ["--partner-profile", "vendors", "--partner-account", "999999999999"],
            4,
            f"for account {PARTNER}, not for 999999999999",
        ),
    ],
)
def test_a_lab_with_two_accounts_wants_both_in_so_many_words(
    learner: Learner, flags: list[str], code: int, says: str
):
    knows_partner(learner)
    done = learner.on_aws("run", str(WITH_PARTNER), *flags)
    assert done.code == code
    assert says in " ".join(done.err.split())
    assert not (learner.state / "profiles" / "aws" / "credentials").exists()
    learner.transcript.append("own files changed by the test")


def test_a_lab_for_the_embedded_account_only_is_refused_before_any_call(learner: Learner):
    learner.sign_in(key="AKIANOBODYNOBODYNOBO", secret="nothing" * 5)
    done = learner.on_aws("run", str(WITH_PARTNER.parent / "timed.yaml"))
    assert done.code == 2
    assert "for the embedded account only: it moves the account's clock" in done.err
    learner.sign_in()
