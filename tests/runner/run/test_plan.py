"""The plan: which stages are done, what they need, and the dry run."""

import re

import pytest
from msgspec.structs import replace
from tests.runner.conftest import STAGES

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import UsageError
from stslab.kinds.table import CREATIONS, KINDS, LISTINGS, is_repeatable
from stslab.lab.loader import load
from stslab.lab.model import Lab
from stslab.runner.events import CheckStarted, RunStarted, StageStarted, StepStarted
from stslab.runner.run.plan import DRY_ID, changed_by, dry_run, needed, plan


@pytest.mark.parametrize(
    ("first", "last", "chosen"),
    [
        ("", "", STAGES),
        ("attach-policy", "", STAGES[2:]),
        ("", "deploy-role", STAGES[:2]),
        ("assume-role", "assume-role", ("assume-role",)),
        ("3", "", STAGES[2:]),
        ("create-user", "2", STAGES[:2]),
    ],
)
def test_stages_are_chosen_in_the_labs_order(assume_role, first, last, chosen):
    made = plan(assume_role, first=first, last=last)
    assert tuple(stage.id for stage in made) == chosen


@pytest.mark.parametrize(
    ("first", "last"),
    [("x", ""), ("", "x"), ("cleanup", "create-user"), ("0", ""), ("7", ""), ("", "9" * 5000)],
)
def test_invalid_ranges_of_stages(assume_role, first, last):
    with pytest.raises(UsageError):
        plan(assume_role, first=first, last=last)


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize(
    ("says", "done", "changed"),
    [
        ("The user may not assume the role yet", STAGES[:2], ""),
        ("The user may not assume the role yet", STAGES[:3], "attach-policy"),
        ("The user may not assume the role yet", STAGES[:5], "attach-policy"),
        ("The user may not list the bucket", STAGES[:5], ""),
        ("The sts profile is the new user", STAGES[:5], ""),
        ("The stack is complete", STAGES[:5], ""),
        ("The stack is complete", STAGES, "cleanup"),
        ("It may not list your buckets", ("create-user", "cleanup"), "cleanup"),
        ("The user is gone", STAGES, ""),
    ],
)
def test_only_a_stage_that_changes_a_claim_excuses_it(assume_role, tells, says, done, changed):
    """With an access table in the lab, and with steps and checks alone."""
    lab = assume_role if tells else without_table(assume_role)
    stage, check = next(
        (stage, check) for stage in lab.stages for check in stage.checkpoint if check.says == says
    )
    assert changed_by(lab, stage, check, done) == changed


def test_a_stage_is_not_needed_for_what_it_only_changes():
    path = resources.labs_folder() / "web-identity.yaml"
    lab = load(path, catalogue=BotocoreCatalogue())
    assert needed(lab, "for-all") == ("audience",)  # the trust policy changes in between


def test_the_stage_that_expects_another_answer_is_the_one_that_changed_a_claim():
    path = resources.labs_folder() / "narrower.yaml"
    lab = load(path, catalogue=BotocoreCatalogue())
    stage = next(each for each in lab.stages if each.id == "session-policy")
    for says in ("It may not put a report", "It may not list the reports"):
        check = next(each for each in stage.checkpoint if each.says == says)
        assert (
            changed_by(lab, stage, check, [each.id for each in lab.stages[:5]]) == "bucket-policy"
        )


def without_table(lab: Lab) -> Lab:
    stages = tuple(replace(stage, changes=()) for stage in lab.stages)
    return replace(lab, access={}, stages=stages)


@pytest.mark.parametrize(
    ("stage", "needs"),
    [
        ("create-user", ()),
        ("deploy-role", ("create-user",)),
        ("attach-policy", ("create-user", "deploy-role")),
        ("assume-role", ("create-user", "deploy-role", "attach-policy")),
        ("verify-access", ("create-user", "deploy-role", "attach-policy", "assume-role")),
        ("cleanup", ()),
    ],
)
def test_what_a_stage_needs(assume_role, stage, needs):
    assert needed(assume_role, stage) == needs


def test_a_dry_run_shows_each_step_and_claim_without_a_call(assume_role, machine):
    told: list[object] = []
    with machine.process() as process:
        dry_run(assume_role, process.account.target, told.append, plan(assume_role))
        assert process.account.calls == 0
    steps = [step for stage in assume_role.stages for step in stage.steps]
    claims = [check for stage in assume_role.stages for check in stage.checkpoint]
    assert sum(isinstance(event, StepStarted) for event in told) == len(steps)
    assert sum(isinstance(event, CheckStarted) for event in told) == len(claims)
    assert sum(isinstance(event, StageStarted) for event in told) == len(STAGES)
    assert isinstance(told[0], RunStarted)
    assert told[0].dry
    assert DRY_ID in repr(told)
    assert "<role_arn>" in repr(told)


def calls_of_the_tables() -> set[tuple[str, str, tuple[str, ...]]]:
    """Every (service, operation, parameters) that the tables name."""
    found = set()
    for kind in KINDS.values():
        found.add((kind.service, kind.look, kind.look_names))
        found.add((kind.service, kind.remove.operation, kind.remove.names))
        for child in kind.children:
            found.add((kind.service, child.listing, (*child.names, *child.pages.values())))
            found |= {(kind.service, one.operation, one.names) for one in child.removals}
    for listed, row in LISTINGS.items():
        service = listed.partition(".")[0]
        found.add((service, row.listing, (*row.params, *row.pages.values())))
    for call, creation in CREATIONS.items():
        service, _, operation = call.partition(" ")[0].partition(".")
        found.add((service, operation, (creation.tags,) if creation.tags else ()))
    return {one for one in found if one[0] != "embedded"}


@pytest.mark.parametrize("call", sorted(calls_of_the_tables()), ids=lambda call: call[1])
def test_each_call_of_the_tables_is_in_awss_api(call):
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    service, operation, params = call
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    members = model.operation_model(operation).input_shape
    known = set(members.members) if members else set()
    unknown = set(params) - known
    # These listings are of one page each: IAM gives no more of them to one entity.
    assert unknown <= {"Marker"}


def test_children_belong_to_their_kinds():
    assert {kind.id: len(kind.children) for kind in KINDS.values() if kind.children} == {
        "iam.user": 9,
        "iam.role": 3,
        "iam.group": 3,
        "iam.policy": 4,
        "iam.mfa_device": 1,
        "iam.instance_profile": 1,
        "s3.bucket": 2,
    }
    for kind in KINDS.values():
        for child in kind.children:
            told = {*kind.names, *re.findall(r"(\w+):", child.each)}
            assert {*child.names, *(name for one in child.removals for name in one.names)} <= told


@pytest.mark.parametrize(
    ("call", "safe"),
    [
        ("iam.CreateUser", False),
        ("iam.CreateAccessKey", False),
        ("cloudformation.CreateStack", False),
        ("iam.PutUserPolicy", True),
        ("s3.PutObject", True),
        ("iam.GetUser", True),
        ("sts.AssumeRole", True),
        ("iam.DeleteUser", True),
        ("sqs.CreateQueue", False),
        ("lambda.Invoke", False),
        ("iam.CreateServiceLinkedRole", False),
    ],
)
def test_which_calls_may_be_repeated(call, safe):
    assert is_repeatable(call) is safe
