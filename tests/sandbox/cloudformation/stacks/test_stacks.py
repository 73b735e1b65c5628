"""Creation and deletion of stacks."""

from __future__ import annotations

import json
import re
from datetime import timedelta

from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET, ROLE, ROLE_AND_BUCKET, TRUST

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.stacks import job
from stslab.sandbox.cloudformation.stacks.engine import SERVICE
from stslab.sandbox.state.stacks import StackEvent, StackResource

TAKEN = "data-111122223333-one"
RESOURCES_OF_ROLE = ROLE.partition("Outputs")[0]


def test_a_creation_makes_the_resources_and_their_events(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET, Tags=[{"Key": "team", "Value": "blue"}])
    assert lab.history("demo") == [
        "demo CREATE_IN_PROGRESS User Initiated",
        "Bucket CREATE_IN_PROGRESS",
        "Bucket CREATE_IN_PROGRESS Resource creation Initiated",
        "Bucket CREATE_COMPLETE",
        "Role CREATE_IN_PROGRESS",
        "Role CREATE_IN_PROGRESS Resource creation Initiated",
        "Role CREATE_COMPLETE",
        "demo CREATE_COMPLETE",
    ]
    role = lab.physical("Role")
    assert re.fullmatch(r"demo-Role-[A-Za-z0-9]{12}", role)
    assert lab.outputs() == {
        "RoleArn": f"arn:aws:iam::111122223333:role/{role}",
        "BucketName": TAKEN,
    }
    inline = lab.client("iam").get_role_policy(RoleName=role, PolicyName="ListBucket")
    assert inline["PolicyDocument"]["Statement"]["Resource"] == f"arn:aws:s3:::{TAKEN}"
    tags = {t["Key"]: t["Value"] for t in lab.client("iam").list_role_tags(RoleName=role)["Tags"]}
    assert tags == {"team": "blue"}
    tagging = lab.client("s3").get_bucket_tagging(Bucket=TAKEN)["TagSet"]
    tags = {tag["Key"]: tag["Value"] for tag in tagging}
    assert tags == {
        "team": "blue",
        "aws:cloudformation:stack-name": "demo",
        "aws:cloudformation:stack-id": lab.stack("demo").stack_id,
        "aws:cloudformation:logical-id": "Bucket",
    }
    assert {here for _, _, here in lab.made} == {True}


def test_events_have_properties_and_physical_ids(lab: Harness) -> None:
    lab.deploy(BUCKET)
    events = lab.call("DescribeStackEvents", StackName="demo")["StackEvents"]
    newest, oldest = events[0], events[-1]
    assert (newest["LogicalResourceId"], newest["ResourceStatus"]) == ("demo", "CREATE_COMPLETE")
    assert oldest["PhysicalResourceId"] == oldest["StackId"]
    first_of_bucket = events[-2]
    assert first_of_bucket["PhysicalResourceId"] == ""
    assert first_of_bucket["ResourceProperties"] == "{}"
    assert first_of_bucket["EventId"].startswith("Bucket-CREATE_IN_PROGRESS-")
    assert re.fullmatch(r"demo-bucket-[a-z0-9]{12}", events[-3]["PhysicalResourceId"])


def test_a_failing_resource_rolls_the_creation_back(lab: Harness) -> None:
    lab.refused.add("iam:PutRolePolicy")
    stack_id = lab.deploy(ROLE_AND_BUCKET)
    history = lab.history(stack_id)
    failed = next(line for line in history if "Role CREATE_FAILED" in line)
    assert 'Resource handler returned message: "User: arn:aws:iam::' in failed
    assert "(Service: Iam, Status Code: 403, Request ID: " in failed
    assert "HandlerErrorCode: AccessDenied)" in failed
    assert history[history.index(failed) + 1 :] == [
        (
            "demo ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Role]. "
            "Rollback requested by user."
        ),
        "Role DELETE_IN_PROGRESS",
        "Role DELETE_COMPLETE",
        "Bucket DELETE_IN_PROGRESS",
        "Bucket DELETE_COMPLETE",
        "demo ROLLBACK_COMPLETE",
    ]
    assert lab.roles() == []
    assert lab.buckets() == []


def test_a_rollback_leaves_a_bucket_that_existed_before(lab: Harness) -> None:
    lab.client("s3").create_bucket(Bucket=TAKEN)
    lab.deploy(ROLE_AND_BUCKET, DisableValidation=True)
    assert lab.stack("demo").status == "ROLLBACK_COMPLETE"
    failed = lab.resource("Bucket")
    assert failed.status == "DELETE_COMPLETE"
    assert any(
        f'"{TAKEN} already exists (Service: S3, Status Code: 0, Request ID: null)"' in line
        for line in lab.history("demo")
    )
    assert lab.bucket_exists(TAKEN)


def test_a_failure_cancels_the_rest_of_its_wave(lab: Harness) -> None:
    lab.refused.add("iam:CreateRole")
    lab.deploy(f"{RESOURCES_OF_ROLE}  Bucket: {{Type: AWS::S3::Bucket}}\n")
    assert lab.shown("demo")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = lab.call("DescribeStackEvents", StackName="demo")["StackEvents"]
    reasons = [one.get("ResourceStatusReason", "") for one in events]
    assert "Resource creation cancelled" in reasons
    begun = (
        "The following resource(s) failed to create: [Role, Bucket]. Rollback requested by user."
    )
    assert begun in reasons
    assert lab.buckets() == []


def test_on_failure_delete_deletes(lab: Harness) -> None:
    lab.refused.add("iam:CreateRole")
    stack_id = lab.deploy(ROLE, OnFailure="DELETE")
    assert lab.stack(stack_id).status == "DELETE_COMPLETE"
    assert lab.refusal("DescribeStacks", StackName="demo").message == (
        "Stack with id demo does not exist"
    )


def test_disable_rollback_leaves_a_failed_stack_as_it_is(lab: Harness) -> None:
    lab.refused.add("iam:CreateRole")
    lab.deploy(ROLE_AND_BUCKET, DisableRollback=True)
    assert lab.shown("demo")["DisableRollback"] is True
    assert lab.bucket_exists(TAKEN)
    assert lab.delete("demo") == "DELETE_COMPLETE"
    assert not lab.bucket_exists(TAKEN)


def test_a_deletion_deletes_dependents_first(lab: Harness) -> None:
    stack_id = lab.deploy(ROLE_AND_BUCKET)
    assert lab.delete("demo") == "DELETE_COMPLETE"
    tail = lab.history(stack_id)[-6:]
    assert tail == [
        "demo DELETE_IN_PROGRESS User Initiated",
        "Role DELETE_IN_PROGRESS",
        "Role DELETE_COMPLETE",
        "Bucket DELETE_IN_PROGRESS",
        "Bucket DELETE_COMPLETE",
        "demo DELETE_COMPLETE",
    ]
    assert lab.shown(stack_id)["DeletionTime"] is not None


def test_a_bucket_that_is_not_empty_fails_the_deletion_until_it_is(lab: Harness) -> None:
    stack_id = lab.deploy(ROLE_AND_BUCKET)
    lab.client("s3").put_object(Bucket=TAKEN, Key="k", Body=b"")
    assert lab.delete("demo") == "DELETE_FAILED"
    assert lab.shown("demo")["StackStatusReason"] == (
        "The following resource(s) failed to delete: [Bucket]. "
    )
    reason = lab.resource("Bucket").reason
    assert reason.startswith(
        'Resource handler returned message: "The bucket you tried to delete is not empty '
        "(Service: S3, Status Code: 409, Request ID: "
    )
    assert "HandlerErrorCode: GeneralServiceException)" in reason
    lab.client("s3").delete_object(Bucket=TAKEN, Key="k")
    assert lab.delete("demo") == "DELETE_COMPLETE"
    assert not lab.bucket_exists(TAKEN)
    assert lab.history(stack_id).count("Role DELETE_COMPLETE") == 1


def test_a_failed_deletion_can_be_repeated_with_retained_resources(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    lab.client("s3").put_object(Bucket=TAKEN, Key="k", Body=b"")
    early = lab.refusal("DeleteStack", StackName="demo", RetainResources=["Bucket"])
    assert "only when the stack is in the DELETE_FAILED state." in early.message
    stack_id = lab.stack("demo").stack_id
    assert lab.delete("demo") == "DELETE_FAILED"
    unknown = lab.refusal("DeleteStack", StackName="demo", RetainResources=["Nothing"])
    assert "does not exist" in unknown.message
    assert lab.delete("demo", RetainResources=["Bucket"]) == "DELETE_COMPLETE"
    assert "Bucket DELETE_SKIPPED" in lab.history(stack_id)
    assert lab.bucket_exists(TAKEN)


def test_a_retained_resource_outlives_its_stack(lab: Harness) -> None:
    template = BUCKET.replace("AWS::S3::Bucket}", "AWS::S3::Bucket, DeletionPolicy: Retain}")
    stack_id = lab.deploy(template)
    name = lab.physical("Bucket")
    assert lab.delete("demo") == "DELETE_COMPLETE"
    assert "Bucket DELETE_SKIPPED" in lab.history(stack_id)
    assert lab.bucket_exists(name)


def test_a_resource_that_an_undeletable_one_needs_is_not_deleted(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    lab.refused.add("iam:DeleteRole")
    assert lab.delete("demo") == "DELETE_FAILED"
    assert lab.bucket_exists(TAKEN)
    assert lab.shown("demo")["StackStatusReason"].endswith("[Role]. ")


def test_deleting_a_deleted_or_unknown_stack_succeeds(lab: Harness) -> None:
    assert lab.call("DeleteStack", StackName="never") == {}
    stack_id = lab.deploy(BUCKET)
    lab.delete("demo")
    before = lab.history(stack_id)
    assert lab.call("DeleteStack", StackName=stack_id) == {}
    assert lab.history(stack_id) == before


def test_a_deleted_stacks_name_can_be_used_again(lab: Harness) -> None:
    first = lab.deploy(BUCKET)
    assert lab.refusal("CreateStack", StackName="demo", TemplateBody=BUCKET).message == (
        "Stack [demo] already exists"
    )
    lab.delete("demo")
    second = lab.deploy(BUCKET)
    assert first != second
    listed = lab.call("ListStacks")["StackSummaries"]
    assert [s["StackStatus"] for s in listed] == ["CREATE_COMPLETE", "DELETE_COMPLETE"]
    only = lab.call("ListStacks", StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [s["StackId"] for s in only] == [first]


def test_termination_protection_prevents_a_deletion(lab: Harness) -> None:
    lab.deploy(BUCKET, EnableTerminationProtection=True)
    refused = lab.refusal("DeleteStack", StackName="demo")
    assert refused.message == (
        "Stack [demo] cannot be deleted while TerminationProtection is enabled"
    )
    lab.call("UpdateTerminationProtection", StackName="demo", EnableTerminationProtection=False)
    assert lab.delete("demo") == "DELETE_COMPLETE"


def test_a_repeated_request_token_makes_only_one_stack(lab: Harness) -> None:
    first = lab.deploy(BUCKET, ClientRequestToken="once")
    assert lab.deploy(BUCKET, ClientRequestToken="once") == first
    assert lab.shown("demo")["StackStatus"] == "CREATE_COMPLETE"


def test_long_names_are_shortened_as_in_aws(lab: Harness) -> None:
    stack = "serverlessrepo-aws-lambda-power-tuning-2"
    template = f"Resources:\n  analyzerRole:\n    Type: AWS::IAM::Role\n    Properties:{TRUST}"
    lab.deploy(template, stack)
    name = lab.physical("analyzerRole", stack)
    assert re.fullmatch(r"serverlessrepo-aws-lambda-power-tuning-analyzerRole-\w{12}", name)


def test_only_the_newest_deleted_stacks_are_kept(lab: Harness) -> None:
    for number in range(job.DELETED_STACKS_KEPT + 5):
        lab.deploy(BUCKET, f"s{number}")
        lab.delete(f"s{number}")
    left = {stack.stack_id for stack in lab.stacks}
    assert len(left) <= job.DELETED_STACKS_KEPT + 1
    known = lab.state.snapshot
    assert {one.stack_id for one in known.everywhere(StackResource)} == left
    assert {one.stack_id for one in known.everywhere(StackEvent)} == left


def test_a_deleted_stack_is_kept_for_90_days(lab: Harness) -> None:
    stack_id = lab.deploy(BUCKET)
    lab.delete("demo")
    lab.advance(timedelta(days=89))
    assert lab.shown(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    lab.advance(timedelta(days=2))
    assert lab.call("ListStacks")["StackSummaries"] == []
    assert "does not exist" in lab.refusal("DescribeStacks", StackName=stack_id).message
    lab.deploy(BUCKET)
    lab.delete("demo")
    assert stack_id not in {one.stack_id for one in lab.state.snapshot.everywhere(StackEvent)}


def test_a_service_role_that_is_deleted_during_a_creation_is_not_an_error_of_s3(
    lab: Harness,
) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    made = lab.client("iam").create_role(RoleName="cfn", AssumeRolePolicyDocument=document)
    asked: list[str] = []

    def once(operation: str, _params: object) -> None:
        asked.append(operation)
        if asked.count("AssumeRole") > 1:
            raise ApiFault("AccessDenied", "gone")

    lab.before = once
    lab.deploy(BUCKET, RoleARN=made["Role"]["Arn"])
    assert lab.stack("demo").status == "ROLLBACK_COMPLETE"
    reason = f"Role {made['Role']['Arn']} is invalid or cannot be assumed"
    assert f"Bucket CREATE_FAILED {reason}" in lab.history("demo")
