"""The lab as a plain boto3 script: the same calls with the same waits, and nothing else.

    python benchmarks/plain_boto3.py ENDPOINT ACCESS_KEY_ID SECRET_ACCESS_KEY

Where a call must be refused, it is made and its refusal is taken; an account without
enforcement (moto alone) lets it pass, which is taken too.
"""

import json
import sys
import uuid
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

TOP = Path(__file__).resolve().parent.parent
PACE = {"Delay": 0.05}  # as the lab polls an account on the same machine
RUN = "b" + uuid.uuid4().hex[:7]
USER, STACK, BUCKET = f"sts-test-user-{RUN}", f"my-sts-stack-{RUN}", f"sts-example-{RUN}"
TAGS = [{"Key": "stslab:run", "Value": RUN}]


def session(key: str, secret: str, token: str | None = None) -> boto3.Session:
    return boto3.Session(key, secret, token, region_name="us-east-1")


def refused(call, **parameters) -> None:
    try:
        call(**parameters)
    except ClientError:
        return


def main(endpoint: str, key: str, secret: str) -> None:
    admin = session(key, secret)
    iam, cloudformation, s3 = (
        admin.client(name, endpoint_url=endpoint) for name in ("iam", "cloudformation", "s3")
    )
    iam.create_user(UserName=USER, Tags=TAGS)
    access = iam.create_access_key(UserName=USER)["AccessKey"]
    user = session(access["AccessKeyId"], access["SecretAccessKey"])
    user_sts, user_s3 = (user.client(name, endpoint_url=endpoint) for name in ("sts", "s3"))
    assert user_sts.get_caller_identity()["Arn"].endswith(f":user/{USER}")
    refused(user_s3.list_buckets)

    role_arn, role_name, bucket = deploy(cloudformation)
    refused(user_s3.list_objects_v2, Bucket=bucket)
    refused(user_sts.assume_role, RoleArn=role_arn, RoleSessionName="too-early")

    document = (TOP / "policy.json").read_text().replace("${{ role_arn }}", role_arn)
    iam.put_user_policy(UserName=USER, PolicyName="StsAssumePolicy", PolicyDocument=document)
    for _ in range(2):
        read = iam.get_user_policy(UserName=USER, PolicyName="StsAssumePolicy")
        assert read["PolicyDocument"] == json.loads(document)

    given = user_sts.assume_role(RoleArn=role_arn, RoleSessionName="sts-example-s3")["Credentials"]
    assumed = session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assumed_sts, assumed_s3, assumed_iam = (
        assumed.client(name, endpoint_url=endpoint) for name in ("sts", "s3", "iam")
    )
    assumed_sts.get_caller_identity()

    assumed_s3.put_object(Bucket=bucket, Key="hello.txt", Body=b"hello")
    refused(user_s3.list_objects_v2, Bucket=bucket)
    assumed_s3.list_objects_v2(Bucket=bucket)
    refused(assumed_s3.list_buckets)
    refused(assumed_s3.delete_bucket, Bucket=bucket)
    refused(assumed_iam.list_users)

    s3.delete_object(Bucket=bucket, Key="hello.txt")
    iam.delete_user_policy(UserName=USER, PolicyName="StsAssumePolicy")
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig=PACE)
    iam.delete_access_key(UserName=USER, AccessKeyId=access["AccessKeyId"])
    iam.delete_user(UserName=USER)
    refused(iam.get_user, UserName=USER)
    refused(iam.list_access_keys, UserName=USER)
    refused(iam.get_user_policy, UserName=USER, PolicyName="StsAssumePolicy")
    refused(cloudformation.describe_stacks, StackName=STACK)
    refused(iam.get_role, RoleName=role_name)
    refused(s3.list_objects_v2, Bucket=bucket)
    refused(user_sts.get_caller_identity)


def deploy(cloudformation) -> tuple[str, str, str]:
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=(TOP / "templates/sts-role.yaml").read_text(),
        Parameters=[
            {"ParameterKey": "UserName", "ParameterValue": USER},
            {"ParameterKey": "BucketName", "ParameterValue": BUCKET},
        ],
        Capabilities=["CAPABILITY_IAM"],
        Tags=TAGS,
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig=PACE)
    for _ in range(2):
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return outputs["RoleArn"], outputs["RoleName"], outputs["BucketName"]


if __name__ == "__main__":
    main(*sys.argv[1:4])
