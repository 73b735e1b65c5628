"""Updates of stacks: in place, by replacement, and rolled back."""

from __future__ import annotations

import json

from msgspec.structs import replace
from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET, ROLE, ROLE_AND_BUCKET, TRUST


def role(extra: str = "", policy: str = "s3:ListBucket") -> str:
    return f"""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:{TRUST}
      Policies:
        - PolicyName: P
          PolicyDocument: {{Version: 2012-10-17, Statement: {{Effect: Allow, Action: "{policy}", Resource: "*"}}}}
{extra}"""


def test_an_update_without_changes_is_refused(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    for same in (ROLE_AND_BUCKET, f"# As before.\n{ROLE_AND_BUCKET}"):
        refused = lab.refusal(
            "UpdateStack",
            StackName="demo",
            TemplateBody=same,
            Capabilities=["CAPABILITY_IAM"],
        )
        assert (refused.code, refused.message) == (
            "ValidationError",
            "No updates are to be performed.",
        )
    assert lab.stack("demo").status == "CREATE_COMPLETE"


def test_a_new_tag_takes_the_place_of_another(lab: Harness) -> None:
    """In IAM tag keys that differ only in case are one; a role and a bucket have 50 tags at most."""

    def told(*keys: str) -> str:
        tags = {"Tags": [{"Key": key, "Value": "v"} for key in keys]}
        allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": allowed}
        one = {"Type": "AWS::IAM::Role", "Properties": {**tags, "AssumeRolePolicyDocument": trust}}
        made = {"Role": one, "Bucket": {"Type": "AWS::S3::Bucket", "Properties": tags}}
        return json.dumps({"Resources": made})

    others = [f"k{number}" for number in range(49)]
    lab.deploy(told("Team", *others))
    assert lab.update(told("team", *others)) == "UPDATE_COMPLETE"
    kept = lab.client("iam").list_role_tags(RoleName=lab.physical("Role"))["Tags"]
    assert {tag["Key"] for tag in kept} == {"team", *others}
    assert lab.update(told("new", *others)) == "UPDATE_COMPLETE"
    kept = lab.client("s3").get_bucket_tagging(Bucket=lab.physical("Bucket"))["TagSet"]
    assert {tag["Key"] for tag in kept} >= {"new", *others}


def test_a_role_is_changed_in_place(lab: Harness) -> None:
    lab.deploy(role())
    before = lab.physical("Role")
    changed = role("      MaxSessionDuration: 7200\n      Description: New\n", "s3:GetObject")
    changed = changed.replace("sts:AssumeRole}", "sts:AssumeRole, Sid: New}")
    assert lab.update(changed) == "UPDATE_COMPLETE"
    assert lab.physical("Role") == before
    found = lab.client("iam").get_role(RoleName=before)["Role"]
    assert found["MaxSessionDuration"] == 7200
    assert found["Description"] == "New"
    assert found["AssumeRolePolicyDocument"]["Statement"][0]["Sid"] == "New"
    inline = lab.client("iam").get_role_policy(RoleName=before, PolicyName="P")
    assert inline["PolicyDocument"]["Statement"]["Action"] == "s3:GetObject"
    assert lab.history("demo")[-5:] == [
        "demo UPDATE_IN_PROGRESS User Initiated",
        "Role UPDATE_IN_PROGRESS",
        "Role UPDATE_COMPLETE",
        "demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "demo UPDATE_COMPLETE",
    ]


def test_a_new_path_replaces_a_role_and_updates_references_to_it(lab: Harness) -> None:
    user = "  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}\n"
    lab.deploy(role() + user)
    old, profile = lab.physical("Role"), lab.physical("Profile")
    assert lab.update(role("      Path: /new/\n") + user) == "UPDATE_COMPLETE"
    new = lab.physical("Role")
    assert new != old
    assert lab.physical("Profile") == profile
    found = lab.client("iam").get_instance_profile(InstanceProfileName=profile)
    assert [r["RoleName"] for r in found["InstanceProfile"]["Roles"]] == [new]
    assert lab.roles() == [new]
    history = lab.history("demo")
    assert (
        "Role UPDATE_IN_PROGRESS Requested update requires the creation of a new physical "
        "resource; hence creating one."
    ) in history
    cleanup = history.index("demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    assert history[cleanup + 1 :] == [
        "Role DELETE_IN_PROGRESS",
        "Role DELETE_COMPLETE",
        "demo UPDATE_COMPLETE",
    ]


def test_a_custom_name_prevents_a_replacement(lab: Harness) -> None:
    lab.deploy(role("      RoleName: fixed\n"))
    assert lab.update(role("      RoleName: fixed\n      Path: /new/\n")) == (
        "UPDATE_ROLLBACK_COMPLETE"
    )
    failed = next(line for line in lab.history("demo") if "Role UPDATE_FAILED" in line)
    assert failed.endswith(
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename fixed and update the stack again."
    )
    assert lab.client("iam").get_role(RoleName="fixed")["Role"]["Path"] == "/"


def test_an_update_adds_and_removes_resources(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    bucket = lab.physical("Bucket")
    only_role = ROLE_AND_BUCKET.partition("  Bucket:")[0].replace("!GetAtt Bucket.Arn", '"*"')
    grown = only_role + "  Group: {Type: AWS::IAM::Group}\n"
    assert lab.update(grown) == "UPDATE_COMPLETE"
    assert not lab.bucket_exists(bucket)
    assert set(lab.resources()) == {"Role", "Group"}
    assert lab.shown("demo").get("Outputs") is None


def test_the_stacks_new_tags_are_set_on_its_resources(lab: Harness) -> None:
    lab.deploy(ROLE, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    assert lab.update(ROLE, Tags=[{"Key": "a", "Value": "9"}]) == "UPDATE_COMPLETE"
    tags = lab.client("iam").list_role_tags(RoleName=lab.physical("Role"))["Tags"]
    own = {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}
    assert own == {"a": "9"}


def test_a_failed_update_is_rolled_back(lab: Harness) -> None:
    lab.deploy(role())
    name = lab.physical("Role")
    lab.refused.add("iam:CreateGroup")
    changed = role("      MaxSessionDuration: 7200\n", "s3:GetObject")
    grown = changed + "  Group: {Type: AWS::IAM::Group, DependsOn: Role}\n"
    assert lab.update(grown) == "UPDATE_ROLLBACK_COMPLETE"
    found = lab.client("iam").get_role(RoleName=name)["Role"]
    assert found["MaxSessionDuration"] == 3600
    inline = lab.client("iam").get_role_policy(RoleName=name, PolicyName="P")
    assert inline["PolicyDocument"]["Statement"]["Action"] == "s3:ListBucket"
    history = lab.history("demo")
    start = history.index(
        "demo UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Group]. "
    )
    assert history[start + 1 :] == [
        "Role UPDATE_IN_PROGRESS",
        "Role UPDATE_COMPLETE",
        "demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "Group DELETE_COMPLETE",
        "demo UPDATE_ROLLBACK_COMPLETE",
    ]
    assert (
        "MaxSessionDuration: 7200" not in lab.call("GetTemplate", StackName="demo")["TemplateBody"]
    )
    assert lab.update(role("      Description: Later\n")) == "UPDATE_COMPLETE"


def test_half_a_change_is_rolled_back(lab: Harness) -> None:
    lab.deploy(role())
    name = lab.physical("Role")

    puts: list[str] = []

    def refuse_first_put(operation: str, _params: object) -> None:
        puts.append(operation)
        first = operation == "PutRolePolicy" and puts.count(operation) == 1
        lab.refused = {"iam:PutRolePolicy"} if first else set()

    lab.before = refuse_first_put
    assert lab.update(role("      MaxSessionDuration: 7200\n", "s3:GetObject")) == (
        "UPDATE_ROLLBACK_COMPLETE"
    )
    assert lab.client("iam").get_role(RoleName=name)["Role"]["MaxSessionDuration"] == 3600


def test_a_stack_has_the_earlier_outputs_while_it_is_worked_on(lab: Harness) -> None:
    """AWS's answers in radkawar/stackd, testdata/aws/cloudformation/noecho_history.json (of 2026).

    CFN-UG, Outputs, says that they aren't available in any of the statuses with IN_PROGRESS.
    """
    lab.deploy(ROLE)
    outputs = lab.outputs()
    seen: dict[str, dict[str, str]] = {}
    lab.before = lambda *_: seen.update({lab.shown("demo")["StackStatus"]: lab.outputs()})
    lab.update(ROLE.replace("Properties:", "Properties:\n      MaxSessionDuration: 7200"))
    assert seen == {"UPDATE_IN_PROGRESS": outputs}
    assert lab.outputs() == outputs != {}


def test_outputs_that_an_earlier_version_kept_in_another_order_are_no_change(lab: Harness) -> None:
    template = f"{ROLE}  Another: {{Value: b}}\n"
    lab.deploy(template)
    with lab.state.transaction() as tx:
        stack = lab.stack("demo")
        tx.put(replace(stack, outputs=stack.outputs[::-1]))
    refused = lab.refusal(
        "UpdateStack", StackName="demo", TemplateBody=template, Capabilities=["CAPABILITY_IAM"]
    )
    assert refused.message == "No updates are to be performed."


def test_a_stack_has_outputs_while_it_is_cleaned_up_and_deleted(lab: Harness) -> None:
    """AWS's answers in radkawar/stackd, testdata/aws/cloudformation/cleanup.json (of 2026)."""
    stack_id = lab.deploy(ROLE)
    seen: dict[str, dict[str, str]] = {}
    lab.before = lambda *_: seen.update({lab.shown(stack_id)["StackStatus"]: lab.outputs(stack_id)})
    lab.update(ROLE.replace("Properties:", "Properties:\n      Path: /new/"))
    outputs = lab.outputs()
    lab.call("DeleteStack", StackName=stack_id)
    assert lab.settle(stack_id) == "DELETE_COMPLETE"
    assert seen["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"] == outputs != seen["UPDATE_IN_PROGRESS"]
    assert seen["DELETE_IN_PROGRESS"] == outputs


def test_a_failed_replacement_keeps_the_old_resource(lab: Harness) -> None:
    lab.deploy(role())
    old = lab.physical("Role")
    lab.refused.add("iam:PutRolePolicy")
    assert lab.update(role("      Path: /new/\n")) == "UPDATE_ROLLBACK_COMPLETE"
    assert lab.physical("Role") == old
    assert lab.roles() == [old]


def test_a_stack_whose_rollback_failed_can_be_deleted(lab: Harness) -> None:
    lab.deploy(role())
    lab.refused.add("iam:CreateGroup")
    changed = role("      MaxSessionDuration: 7200\n", "s3:GetObject")
    lab.before = lambda operation, _params: (
        lab.refused.add("iam:UpdateRole") if operation == "CreateGroup" else None
    )
    grown = changed + "  Group: {Type: AWS::IAM::Group, DependsOn: Role}\n"
    assert lab.update(grown) == "UPDATE_ROLLBACK_FAILED"
    assert lab.shown("demo")["StackStatusReason"] == (
        "The following resource(s) failed to update: [Role]. "
    )
    assert lab.delete("demo") == "DELETE_COMPLETE"
    assert lab.roles() == []


def test_statuses_without_updates(lab: Harness) -> None:
    assert lab.refusal("UpdateStack", StackName="demo", TemplateBody=BUCKET).message == (
        "Stack [demo] does not exist"
    )
    lab.refused.add("iam:CreateRole")
    stack_id = lab.deploy(ROLE)
    assert lab.refusal("UpdateStack", StackName="demo", TemplateBody=BUCKET).message == (
        f"Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
    )
    left = lab.deploy(ROLE, "left", DisableRollback=True)
    unsupported = {"StackName": "left", "TemplateBody": BUCKET, "DisableRollback": True}
    assert lab.refusal("UpdateStack", **unsupported).message == (
        f"Stack:{left} is in CREATE_FAILED state and can not be updated."
    )


def test_the_type_of_a_resource_can_not_change(lab: Harness) -> None:
    lab.deploy("Resources: {Thing: {Type: AWS::S3::Bucket}}")
    refused = lab.refusal(
        "UpdateStack",
        StackName="demo",
        TemplateBody="Resources: {Thing: {Type: AWS::IAM::Group}}",
        Capabilities=["CAPABILITY_IAM"],
    )
    assert refused.message.endswith("modifies resource type of the following resources: [Thing]")


def test_an_update_can_use_the_previous_template_and_values(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET, Parameters=[{"ParameterKey": "Suffix", "ParameterValue": "two"}])
    refused = lab.refusal(
        "UpdateStack",
        StackName="demo",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Suffix", "UsePreviousValue": True}],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert refused.message == "No updates are to be performed."
    lab.call(
        "UpdateStack",
        StackName="demo",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Suffix", "ParameterValue": "three"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert lab.settle("demo") == "UPDATE_COMPLETE"
    assert lab.outputs()["BucketName"] == "data-111122223333-three"
    assert not lab.bucket_exists("data-111122223333-two")


def test_the_policy_of_a_replaced_bucket_moves_with_it(lab: Harness) -> None:
    template = json.dumps(
        {
            "Resources": {
                "B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "first-name"}},
                "P": {
                    "Type": "AWS::S3::BucketPolicy",
                    "Properties": {
                        "Bucket": {"Ref": "B"},
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": {
                                "Effect": "Allow",
                                "Principal": {"AWS": {"Ref": "AWS::AccountId"}},
                                "Action": "s3:GetObject",
                                "Resource": {"Fn::Sub": "${B.Arn}/*"},
                            },
                        },
                    },
                },
            }
        }
    )
    lab.deploy(template)
    assert lab.update(template.replace("first-name", "second-name")) == "UPDATE_COMPLETE"
    assert lab.client("s3").get_bucket_policy(Bucket="second-name")["Policy"]
    assert not lab.bucket_exists("first-name")
    stack_id = lab.stack("demo").stack_id
    assert lab.delete("demo") == "DELETE_COMPLETE"
    assert lab.history(stack_id)[-1] == "demo DELETE_COMPLETE"


def test_a_stack_of_an_earlier_version_is_read_and_rolled_back(lab: Harness) -> None:
    """That version took numbers for texts, and metadata that is no object."""
    allowed = (
        "{Version: '2012-10-17', Statement: {Effect: Allow, Action: 's3:Get*', Resource: '*'}}"
    )
    made = f"""
Resources:
  P: {{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: {allowed}}}}}
  G: {{Type: AWS::IAM::Group, Metadata: {{Of: !Sub "${{P.PolicyId}}"}}}}
"""
    earlier = f"Metadata: none{made.replace('PolicyId', 'AttachmentCount')}"
    lab.deploy(made)
    with lab.state.transaction() as tx:
        stack = lab.stack("demo")
        tx.put(replace(stack, config=replace(stack.config, template=earlier)))
    summary = lab.call("GetTemplateSummary", StackName="demo")
    assert (summary["Metadata"], summary["Capabilities"]) == ('"none"', ["CAPABILITY_IAM"])
    wrong = "  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: nobody}, DependsOn: G}\n"
    assert lab.update(made.replace("Of:", "In:") + wrong) == "UPDATE_ROLLBACK_COMPLETE"
    assert lab.resource("G").metadata == {"Of": "0"}
    assert lab.update(made) == "UPDATE_COMPLETE"
