import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from tests.sandbox.direct import Direct

from stslab.sandbox.state.stacks import Stack
from stslab.vocabulary import LEARNER

TEMPLATE = "Resources: {A: {Type: AWS::S3::Bucket}}"


def test_a_region_has_at_most_2_000_stacks(direct: Direct) -> None:
    """CFN-UG, "AWS CloudFormation quotas"; the words: aws-amplify/amplify-cli#2467 and #5221."""
    cloudformation = direct.client("cloudformation", "admin")
    new = {"ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": TEMPLATE}
    cloudformation.create_change_set(StackName="one", **new)
    with direct.state.transaction() as tx:
        (one,) = tx.all(Stack, LEARNER)
        for number in range(1, 2000):
            tx.put(replace(one, stack_id=f"{one.stack_id}-{number}", name=f"s-{number}"))
            tx.put(replace(one, stack_id=f"x{number}", name=f"x-{number}", region="eu-west-1"))
    with pytest.raises(ClientError, match="Limit for stack has been exceeded"):
        cloudformation.create_change_set(StackName="one-more", **new)
    with pytest.raises(ClientError, match="Limit for stack has been exceeded"):
        cloudformation.create_stack(StackName="one-more", TemplateBody=TEMPLATE)
    cloudformation.delete_stack(StackName="one")
    gone = cloudformation.get_waiter("stack_delete_complete")
    gone.wait(StackName=one.stack_id, WaiterConfig={"Delay": 1})
    cloudformation.create_change_set(StackName="one-more", **new)
