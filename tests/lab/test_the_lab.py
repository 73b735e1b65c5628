"""The lab itself: its stages, what they do and prove, its template and its policy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from tests import yaml_files

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import UnresolvedReference
from stslab.lab import loader
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lab.references import evaluate, resolve, resolve_vars, truthy

ROLE = "my-sts-stack-ab12-StsRole-842hrM4KLMAT"
BASE = {"run": {"id": "ab12"}, "account": "111122223333", "region": "us-east-1", "partition": "aws"}


@pytest.fixture(scope="module")
def assume_role() -> Lab:
    return loader.load(resources.labs_folder() / "steps.yaml", catalogue=BotocoreCatalogue())


@pytest.fixture(scope="module")
def scope(assume_role: Lab) -> dict[str, Any]:
    """The scope of a run of the lab after its last step."""
    key = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "expiration": ""}
    return {
        **BASE,
        **resolve_vars(assume_role.vars, BASE),
        "role_arn": f"arn:aws:iam::111122223333:role/{ROLE}",
        "role_name": ROLE,
        "bucket_name": "sts-example-ab12",
        "profiles": {"sts": key, "assumed": key},
    }


def steps(of: Lab) -> Iterator[tuple[Stage, Step]]:
    return ((stage, step) for stage in of.stages for step in stage.steps)


def checks(of: Lab) -> Iterator[tuple[Stage, Check]]:
    return ((stage, check) for stage in of.stages for check in stage.checkpoint)


def claims(of: Lab, stage: str) -> list[tuple[str, str | None, tuple[str, ...]]]:
    found = of.stage(stage)
    assert found
    return [(check.identity, check.call, check.fails) for check in found.checkpoint]


def test_no_sessions_name_in_a_question_tells_the_answer():
    telling = re.compile("too-|late|early|else|any|refus|deni|allow|ok")
    for file in sorted(resources.labs_folder().glob("*.yaml")):
        for _, check in checks(loader.load(file, catalogue=BotocoreCatalogue())):
            name = check.params.get("RoleSessionName", "") if check.ask is not None else ""
            assert not telling.search(str(name)), (file.name, check.says, name)


def test_its_stages(assume_role: Lab):
    assert assume_role.id == "assume-role"
    assert {stage.id: [step.call for step in stage.steps] for stage in assume_role.stages} == {
        "create-user": ["iam.CreateUser", "iam.CreateAccessKey"],
        "deploy-role": ["cloudformation.CreateStack", "cloudformation.DescribeStacks"],
        "attach-policy": ["iam.PutUserPolicy", "iam.GetUserPolicy"],
        "assume-role": ["sts.AssumeRole"],
        "verify-access": ["s3.PutObject"],
        "cleanup": [],
    }
    assert [stage.id for stage in assume_role.stages if stage.cleanup] == ["cleanup"]


DENIED = ("AccessDenied",)
GONE = ("NoSuchEntity",)
SIMULATES = "iam.SimulatePrincipalPolicy"


@pytest.mark.parametrize(
    ("stage", "proves"),
    [
        ("create-user", [("sts", "sts.GetCallerIdentity", ()), ("sts", "s3.ListBuckets", DENIED)]),
        (
            "deploy-role",
            [
                ("admin", "cloudformation.DescribeStacks", ()),
                ("admin", "s3.GetPublicAccessBlock", ()),
                ("admin", SIMULATES, ()),
                ("admin", SIMULATES, ()),
                ("admin", "sts.AssumeRole", DENIED),
                ("sts", "s3.ListObjectsV2", DENIED),
                ("sts", "sts.AssumeRole", DENIED),
            ],
        ),
        ("attach-policy", [("admin", SIMULATES, ())] * 5),
        ("assume-role", [("assumed", "sts.GetCallerIdentity", ()), ("admin", "iam.GetRole", ())]),
        (
            "verify-access",
            [
                ("sts", "s3.ListObjectsV2", DENIED),
                ("assumed", "s3.ListObjectsV2", ()),
                ("assumed", "s3.GetObject", ()),
                ("borrowed", "sts.GetCallerIdentity", ()),
                ("assumed", "s3.ListBuckets", DENIED),
                ("admin", SIMULATES, ()),
                ("assumed", "s3.DeleteObject", DENIED),
                ("assumed", "s3.DeleteBucket", DENIED),
                ("assumed", "iam.ListUsers", DENIED),
                ("admin", SIMULATES, ()),
            ],
        ),
        (
            "cleanup",
            [
                ("admin", "iam.GetUser", GONE),
                ("admin", "iam.ListAccessKeys", GONE),
                ("admin", "iam.ListUserPolicies", GONE),
                ("admin", "cloudformation.DescribeStacks", ("ValidationError",)),
                ("admin", "iam.GetRole", GONE),
                ("admin", "s3.ListObjectsV2", ("NoSuchBucket",)),
                ("sts", "sts.GetCallerIdentity", ("InvalidClientTokenId",)),
                ("admin", None, ()),
            ],
        ),
    ],
)
def test_what_each_stage_proves(stage: str, proves: list[Any], assume_role: Lab):
    assert claims(assume_role, stage) == proves


def test_the_last_check_is_that_the_profiles_are_gone(assume_role: Lab):
    assert assume_role.stages[-1].checkpoint[-1].profiles_gone == (
        "sts", "assumed", "borrowed",
    )  # fmt: skip


def test_names_have_the_runs_id_and_everything_is_tagged(scope: dict[str, Any], assume_role: Lab):
    assert scope["user"] == "sts-test-user-ab12"
    assert scope["stack"] == "my-sts-stack-ab12"
    assert scope["bucket"] == "sts-example-ab12"
    tags = {
        step.call: step.params["Tags"] for _, step in steps(assume_role) if "Tags" in step.params
    }
    assert tags.keys() == {"iam.CreateUser", "cloudformation.CreateStack"}
    for tag in tags.values():
        assert resolve(tag, scope) == [{"Key": "stslab:run", "Value": "ab12"}]


def test_every_change_is_undone_by_its_opposite(assume_role: Lab):
    undone = {
        step.call: [undo.call for undo in step.undo] for _, step in steps(assume_role) if step.undo
    }
    assert undone == {
        "iam.CreateUser": ["iam.DeleteUser"],
        "iam.CreateAccessKey": ["iam.DeleteAccessKey"],
        "cloudformation.CreateStack": ["cloudformation.DeleteStack"],
        "iam.PutUserPolicy": ["iam.DeleteUserPolicy"],
        "s3.PutObject": ["s3.DeleteObject"],
    }
    assert {undo.identity for _, step in steps(assume_role) for undo in step.undo or ()} == {
        "admin"
    }


def calls(of: Lab) -> Iterator[tuple[str, str, Any]]:
    """Every call that a run may make: steps, undos, checks."""
    for _, step in steps(of):
        yield step.service, step.operation, step.params
        for undo in step.undo or ():
            yield undo.service, undo.operation, undo.params
    for _, check in checks(of):
        if check.call:
            yield check.service, check.operation, check.params


def test_botocore_accepts_every_call(assume_role: Lab, scope: dict[str, Any]):
    loader = Loader()
    made = list(calls(assume_role))
    for service, operation, params in made:
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        shape = model.operation_model(operation).input_shape
        resolved = resolve(params, scope)
        report = ParamValidator().validate(resolved, shape) if shape else None
        assert not (report and report.has_errors()), report.generate_report()
        assert "${{" not in json.dumps(resolved)
    assert len(made) > 25


@pytest.mark.parametrize(
    ("claim", "response", "holds"),
    [
        (("create-user", 0), {"Arn": "arn:aws:iam::111122223333:user/sts-test-user-ab12"}, True),
        (
            ("create-user", 0),
            {"Arn": "arn:aws:iam::111122223333:user/other-sts-test-user-ab12"},
            False,
        ),
        (("create-user", 0), {"Arn": "arn:aws:iam::111122223333:user/admin"}, False),
        (("deploy-role", 0), {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}, True),
        (("deploy-role", 0), {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}, False),
        (("deploy-role", 0), {"Stacks": []}, False),
        (("assume-role", 0), {"Arn": f"arn:aws:sts::1:assumed-role/{ROLE}/sts-example-s3"}, True),
        (("assume-role", 0), {"Arn": "arn:aws:sts::1:assumed-role/Other/sts-example-s3"}, False),
        (("assume-role", 0), {"Arn": f"arn:aws:sts::1:assumed-role/{ROLE}/other"}, False),
        (("verify-access", 1), {"Contents": [{"Key": "a"}, {"Key": "hello.txt"}]}, True),
        (("verify-access", 1), {"Contents": [{"Key": "hello.txt.bak"}]}, False),
    ],
)
def test_its_expectations(
    claim: tuple[str, int], response: Any, holds: bool, assume_role: Lab, scope: dict[str, Any]
):
    found = assume_role.stage(claim[0])
    assert found
    expect = found.checkpoint[claim[1]].expect
    assert expect
    assert truthy(evaluate(expect, response, scope)) is holds


def results(*decisions: str, each: tuple[str, ...] = ()) -> Any:
    """An answer of IAM's simulator; ``each`` has the decisions for single resources."""
    specific = [{"EvalResourceDecision": one} for one in each]
    return {
        "EvaluationResults": [
            {"EvalDecision": one, "ResourceSpecificResults": specific} for one in decisions
        ]
    }


@pytest.mark.parametrize(
    ("claim", "response", "holds"),
    [
        (("deploy-role", 2), results("allowed"), True),
        (("deploy-role", 2), results("implicitDeny"), False),
        (("deploy-role", 3), results("allowed", "allowed"), True),
        (("deploy-role", 3), results("implicitDeny", "allowed"), False),
        (("attach-policy", 0), results("allowed"), True),
        (("attach-policy", 0), results("explicitDeny"), False),
        (("attach-policy", 0), results(), False),
        (("attach-policy", 1), results("implicitDeny"), True),
        (("attach-policy", 1), results("allowed"), False),
        (("attach-policy", 2), results("implicitDeny", each=("implicitDeny",)), True),
        (("attach-policy", 2), results("implicitDeny", each=("implicitDeny", "allowed")), False),
        (("attach-policy", 2), results("implicitDeny", "allowed"), False),
        (("attach-policy", 3), results("implicitDeny", "explicitDeny"), True),
        (("attach-policy", 3), results("implicitDeny", "allowed"), False),
        (("attach-policy", 3), {}, False),
        (("attach-policy", 4), results("implicitDeny", "explicitDeny"), True),
        (("attach-policy", 4), results("implicitDeny", "allowed"), False),
        (("verify-access", 5), results("implicitDeny", each=("allowed",)), False),
        (("verify-access", 9), results("implicitDeny", "allowed"), False),
    ],
)
def test_what_it_wants_of_iams_simulator(
    claim: tuple[str, int], response: Any, holds: bool, assume_role: Lab, scope: dict[str, Any]
):
    found = assume_role.stage(claim[0])
    assert found
    expect = found.checkpoint[claim[1]].expect
    assert expect
    try:
        assert truthy(evaluate(expect, response, scope)) is holds
    except UnresolvedReference:
        assert not holds


def test_each_denial_says_by_which_gate(assume_role: Lab):
    gates = {check.by for _, check in checks(assume_role) if check.fails == DENIED}
    assert gates == {("identity policy",), ("trust policy",)}


def test_checks_wait_for_iams_eventual_consistency(assume_role: Lab):
    """A new key, role or policy, and a deletion, take seconds to be known everywhere.

    AWS: "Troubleshooting general IAM issues", changes are not always immediately visible.
    """
    patient = {(stage.id, check.call) for stage, check in checks(assume_role) if check.within}
    assert {
        ("create-user", "sts.GetCallerIdentity"),
        ("create-user", "s3.ListBuckets"),
        ("deploy-role", SIMULATES),
        ("attach-policy", SIMULATES),
        ("verify-access", "s3.ListObjectsV2"),
        ("cleanup", "sts.GetCallerIdentity"),
        ("cleanup", "iam.GetUser"),
    } <= patient
    assert {step.call for _, step in steps(assume_role) if step.within} == {
        "iam.GetUserPolicy",
        "sts.AssumeRole",
        "s3.PutObject",
    }


def test_every_stage_is_worth_reading(assume_role: Lab):
    for stage in assume_role.stages:
        lines = [line for line in stage.intro.splitlines() if line.strip()]
        assert 4 <= len(lines) <= 12
        assert max(map(len, stage.intro.splitlines())) <= 90
        assert "What could go wrong" in stage.intro
        assert stage.explain
        assert stage.pages
    assert all(check.because for _, check in checks(assume_role) if check.fails)


PAGES = Path(__file__).parent.parent / "cases" / "lab" / "reading" / "pages.yaml"


def test_the_pages_are_called_what_aws_calls_them():
    titles = {row["url"]: row["title"] for row in yaml_files.read(PAGES)}
    paths = resources.labs_folder().glob("*.yaml")
    labs = [loader.load(path, catalogue=None) for path in paths]
    stages = (stage for lab in labs for stage in lab.stages)
    assert {(page.url, page.title) for stage in stages for page in stage.pages} == {*titles.items()}


# The template and the policy.


def lint(template: str) -> list[str]:
    """What cfn-lint's command line finds by default: errors and warnings, no information."""
    from cfnlint.api import lint_all  # not in every worker: it is slow

    found = [f"{match.rule.id} {match.message}" for match in lint_all(template)]
    return [one for one in found if not one.startswith("I")]


@pytest.fixture(scope="module")
def template() -> str:
    return (resources.bundled() / "templates" / "sts-role.yaml").read_text(encoding="utf-8")


def test_cfn_lint_passes_the_template(template: str):
    assert lint(template) == []


def policy_in_a_template(scope: dict[str, Any], **changed: Any) -> str:
    document = json.loads(
        resolve((resources.bundled() / "policy.json").read_text(encoding="utf-8"), scope)
    )
    document["Statement"][0] |= changed
    policy = {"UserName": scope["user"], "PolicyName": "P", "PolicyDocument": document}
    return json.dumps({"Resources": {"P": {"Type": "AWS::IAM::UserPolicy", "Properties": policy}}})


def test_cfn_lint_passes_the_policy(scope: dict[str, Any]):
    assert lint(policy_in_a_template(scope)) == []


def test_cfn_lint_would_not_pass_a_bad_policy(scope: dict[str, Any]):
    assert lint(policy_in_a_template(scope, Effect="Perhaps"))
    assert lint(policy_in_a_template(scope, Principal="*"))


class _Tagged(yaml.SafeLoader):
    """Reads a template with its tags as plain text."""


_Tagged.add_multi_constructor("!", lambda _, tag, node: f"!{tag} {node.value}")


@pytest.fixture(scope="module")
def parsed(template: str) -> Any:
    return yaml.load(template, Loader=_Tagged)  # noqa: S506 - a SafeLoader with one constructor


def test_the_role_trusts_the_account_on_condition_that_it_is_the_labs_user(parsed: Any):
    (statement,) = parsed["Resources"]["StsRole"]["Properties"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    account = "!Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:"
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Principal"] == {"AWS": account + "root"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": account + "user/${UserName}"}
    }


def test_the_role_lists_one_bucket_and_gets_and_puts_its_objects_and_no_more(parsed: Any):
    properties = parsed["Resources"]["StsRole"]["Properties"]
    assert properties.keys() == {"Description", "AssumeRolePolicyDocument", "Policies"}
    (policy,) = properties["Policies"]
    bucket = "!Sub arn:${AWS::Partition}:s3:::${BucketName}"
    assert [
        (one["Effect"], one["Action"], one["Resource"])
        for one in policy["PolicyDocument"]["Statement"]
    ] == [
        ("Allow", "s3:ListBucket", bucket),
        ("Allow", ["s3:GetObject", "s3:PutObject"], bucket + "/*"),
    ]


def test_the_bucket_is_private(parsed: Any):
    properties = parsed["Resources"]["Bucket"]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_template_has_what_the_lab_gives_and_asks_for(parsed: Any, assume_role: Lab):
    found = assume_role.stage("deploy-role")
    assert found
    deploy, read = found.steps
    assert {one["ParameterKey"] for one in deploy.params["Parameters"]} == parsed[
        "Parameters"
    ].keys()
    asked = {re.search(r"OutputKey=='(\w+)'", query)[1] for query in read.save.values()}  # type: ignore[index] # each has one
    assert asked == parsed["Outputs"].keys()
    outputs = [{"OutputKey": key, "OutputValue": f"the {key}"} for key in parsed["Outputs"]]
    saved = {
        name: evaluate(query, {"Stacks": [{"Outputs": outputs}]}, {})
        for name, query in read.save.items()
    }
    assert saved == {
        "role_arn": "the RoleArn",
        "role_name": "the RoleName",
        "bucket_name": "the BucketName",
    }
    assert all(
        re.fullmatch(one["AllowedPattern"], "sts-example-ab12")
        for one in parsed["Parameters"].values()
    )
