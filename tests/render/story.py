"""One of each event, with realistic values."""

import json

from stslab.lab.effects import Changed
from stslab.runner import events
from stslab.runner.events import StageShown
from stslab.runner.ports import Call

ROLE = "arn:aws:iam::111122223333:role/my-sts-stack-ab12cd34-StsRole-842hrM4KLMAT"
USER = "arn:aws:iam::111122223333:user/sts-test-user-ab12cd34"
DENIED = (
    f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE} "
    "because no identity-based policy allows the sts:AssumeRole action"
)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}],
}
PUT_POLICY = Call(
    "admin",
    "iam",
    "PutUserPolicy",
    {
        "UserName": "sts-test-user-ab12cd34",
        "PolicyName": "StsAssumePolicy",
        "PolicyDocument": json.dumps(POLICY),
    },
)
ASSUME = Call("sts", "sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "too-early"})


def denied_check(stage: str = "deploy-role", says: str = "The user may not assume it yet"):
    return events.CheckFinished(
        stage,
        says,
        True,
        True,
        "AccessDenied",
        DENIED,
        "Trust alone is not enough.",
        "",
        "r-1",
        0.1,
    )


def failed_check(stage: str = "deploy-role"):
    return events.CheckFinished(
        stage, "The stack is complete", False, False, "", "ROLLBACK_COMPLETE", "",
        "expected StackStatus == 'CREATE_COMPLETE'", "r-2", 0.1,
    )  # fmt: skip


def story() -> list[events.Event]:
    return [
        events.RunStarted(
            "ab12cd34", "assume-role", "Assume a role with AWS STS", "sandbox", "111122223333",
            "us-east-1",
            (
                StageShown("create-user", "Create a user with no permissions", "done"),
                StageShown("deploy-role", "Deploy a role that can use one bucket", "current"),
                StageShown("cleanup", "Undo everything"),
            ),
        ),
        events.Foreseen(
            (Changed("IAM user sts-test-user-ab12cd34", ("iam.CreateUser",), ("iam.DeleteUser",)),),
            ("iam.GetUser",), ("iam.DeleteAccessKey",), ("iam.PutUserPolicy gives wide rights",),
        ),
        events.StageStarted(
            "deploy-role", "Deploy a role", "An **IAM role** is an identity that *nobody* owns:\n\n"
            "- one policy says `who` may take it on\n- others say what it may do.",
            (("IAM roles", "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html"),), 2, 6,
        ),
        events.StepStarted("deploy-role", "Give the user the policy", PUT_POLICY, 1, 2),
        events.Waiting("The stack is being created", 1, 0.0, 120.0),
        events.Waiting("The stack is being created", 4, 9.0, 120.0),
        events.StackProgress(
            "2026-01-02T10:11:12Z", "StsRole", "AWS::IAM::Role", "CREATE_IN_PROGRESS", "Initiated"
        ),
        events.StackProgress(
            "2026-01-02T10:11:13Z", "my-sts-stack-ab12cd34", "AWS::CloudFormation::Stack",
            "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [StsRole].",
        ),
        events.StepFinished(
            "deploy-role", "Give the user the policy",
            (("Policy", POLICY), ("Role", ROLE), ("Actions", ["s3:GetObject"]), ("Path", "/")),
            {"role_arn": ROLE}, "sts", "req-1", 1.23,
        ),
        events.StepSkipped("deploy-role", "Create the user"),
        events.StepDrifted(
            "assume-role", "Assume the role", 0, "The session has expired (profile assumed)", True
        ),
        events.StepDrifted(
            "deploy-role", "Make the role", 0, "IAM role lab differs from the lab's", False,
            (events.Difference("AssumeRolePolicyDocument", ('{"Effect": "Allow"}',), ()),),
            (PUT_POLICY,),
        ),
        events.StepAdopted("deploy-role", "Give the user the policy"),
        events.StepDiffers(
            "deploy-role", "Give the user the policy", "Inline policy p is not as it should be",
            (events.Difference("PolicyDocument", ("a",), ("b",)),),
        ),
        events.StepFailed("deploy-role", "Assume it", ASSUME, "AccessDenied", DENIED, "req-2", 0.2),
        events.CheckStarted("deploy-role", "The user may not assume it yet", ASSUME),
        denied_check(),
        events.CheckStarted("deploy-role", "The stack is complete", ASSUME),
        failed_check(),
        events.StageFinished("deploy-role", False, 3.0),
        events.UndoStarted("ab12cd34", ("stack my-sts-stack-ab12cd34", "user x")),
        events.UndoFinished("stack my-sts-stack-ab12cd34", (ASSUME,), events.UndoOutcome.UNDONE, "", 2.0),
        events.UndoFinished(
            "user sts-test-user-ab12cd34", (), events.UndoOutcome.FAILED,
            "DeleteConflict: Cannot delete entity, must delete access keys first.", 0.1,
        ),
        events.ThingLookedUp("stack my-sts-stack-ab12cd34", ASSUME, True, "ValidationError: gone"),
        events.ThingLookedUp("user sts-test-user-ab12cd34", None, False, "it answers"),
        events.CleanupFinished(
            "ab12cd34", ("stack my-sts-stack-ab12cd34",),
            (("user x", "aws iam delete-user --user-name sts-test-user-ab12cd34 --profile admin"),),
            3.2,
        ),
        events.RunFinished(
            "ab12cd34", "finished",
            2,
            (
                ("Create a user", "The sts profile is the new user", "allowed"),
                ("Create a user", "It may not list buckets", "denied"),
                ("Deploy a role", "The stack is complete", "not proved"),
                ("Use it", "The session lists the bucket", "not tried"),
            ),
            (("skipped", ("use-it",)), ("not reached", ("cleanup",))), (("IAM user x", "aws iam delete-user"),), 33, 65.2,
        ),
        events.Notice("warning", "The account of this run is gone.", "The lab starts anew."),
        events.Notice("info", "The embedded account is running."),
    ]  # fmt: skip
