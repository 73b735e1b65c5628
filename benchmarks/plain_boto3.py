"""The lab as a plain boto3 script: the same calls with the same waits, and nothing else.

    python benchmarks/plain_boto3.py ENDPOINT ACCESS_KEY_ID SECRET_ACCESS_KEY [--unproved] [--moto]

With ``--unproved`` it leaves out what the lab asks in order to undo nothing that others
need, and to prove that nothing is left: what remains is the lab's own calls. With ``--moto`` it
leaves out those of them that moto alone can't answer: simulations, the public access block, which
its stacks don't make, and the deletion that must be refused of a bucket that is still needed.

Where a call must be refused, it is made and its refusal is taken; an account without
enforcement (moto alone) lets it pass, which is taken too.
"""

import json
import sys
import time
import uuid
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

TOP = Path(__file__).resolve().parent.parent
PACE = 0.05  # seconds: as the lab polls an account on the same machine
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


def main(endpoint: str, key: str, secret: str, *options: str) -> None:
    proved, moto = "--unproved" not in options, "--moto" in options
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

    role_arn, role_name, bucket = deploy(cloudformation, proved=proved)
    if proved:
        look_at_made(iam, s3, role_name, bucket)
    if not moto:
        s3.get_public_access_block(Bucket=bucket)
    here, inside = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/hello.txt"
    other = "arn:aws:s3:::some-other-bucket"
    simulate = without_asking if moto else simulating(iam)
    simulate(role_arn, ["s3:ListBucket"], [here])
    simulate(role_arn, ["s3:GetObject", "s3:PutObject"], [inside])
    admin_sts = admin.client("sts", endpoint_url=endpoint)
    refused(admin_sts.assume_role, RoleArn=role_arn, RoleSessionName="somebody-else")
    refused(user_s3.list_objects_v2, Bucket=bucket)
    refused(user_sts.assume_role, RoleArn=role_arn, RoleSessionName="too-early")

    document = (TOP / "policy.json").read_text().replace("${{ role_arn }}", role_arn)
    iam.put_user_policy(UserName=USER, PolicyName="StsAssumePolicy", PolicyDocument=document)
    read = iam.get_user_policy(UserName=USER, PolicyName="StsAssumePolicy")
    assert read["PolicyDocument"] == json.loads(document)
    user_arn, a_role = f"arn:aws:iam::111122223333:user/{USER}", "arn:aws:iam::111122223333:role/r"
    simulate(user_arn, ["sts:AssumeRole"], [role_arn])
    simulate(user_arn, ["sts:AssumeRole"], [a_role])
    simulate(user_arn, ["s3:ListBucket", "s3:GetObject", "s3:PutObject"], [here, inside])
    simulate(user_arn, ["sts:TagSession", "iam:GetRole", "iam:PassRole"], [role_arn])
    simulate(user_arn, ["s3:DeleteBucket", "iam:ListUsers", "iam:CreateAccessKey"], [])

    given = user_sts.assume_role(RoleArn=role_arn, RoleSessionName="sts-example-s3")["Credentials"]
    assumed = session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assumed_sts, assumed_s3, assumed_iam = (
        assumed.client(name, endpoint_url=endpoint) for name in ("sts", "s3", "iam")
    )
    assumed_sts.get_caller_identity()
    iam.get_role(RoleName=role_name)

    assumed_s3.put_object(Bucket=bucket, Key="hello.txt", Body=b"hello")
    refused(user_s3.list_objects_v2, Bucket=bucket)
    assumed_s3.list_objects_v2(Bucket=bucket)
    assumed_s3.get_object(Bucket=bucket, Key="hello.txt")["Body"].read()
    given = user_sts.assume_role(RoleArn=role_arn, RoleSessionName="sts-example-s3")["Credentials"]
    again = session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    again.client("sts", endpoint_url=endpoint).get_caller_identity()
    refused(assumed_s3.list_buckets)
    simulate(role_arn, ["s3:ListBucket", "s3:GetObject"], [other, f"{other}/hello.txt"])
    refused(assumed_s3.delete_object, Bucket=bucket, Key="hello.txt")
    if not moto:
        refused(assumed_s3.delete_bucket, Bucket=bucket)
    refused(assumed_iam.list_users)
    simulate(role_arn, ["iam:GetUser", "iam:CreateUser", "iam:PassRole"], [])

    s3.delete_object(Bucket=bucket, Key="hello.txt")
    iam.delete_user_policy(UserName=USER, PolicyName="StsAssumePolicy")
    if proved:
        look_at_stack(cloudformation, s3, bucket)
    cloudformation.delete_stack(StackName=STACK)
    wait(cloudformation, "DELETE_COMPLETE", proved=proved)
    if proved:
        refused(s3.head_bucket, Bucket=bucket)
        refused(iam.get_role, RoleName=role_name)
    iam.delete_access_key(UserName=USER, AccessKeyId=access["AccessKeyId"])
    if proved:
        look_at_user(iam)
    iam.delete_user(UserName=USER)
    if proved:
        look_for_remains(iam, cloudformation, s3, role_name, bucket)
        list_everything(iam, cloudformation, s3)
    refused(iam.get_user, UserName=USER)
    refused(iam.list_access_keys, UserName=USER)
    refused(iam.list_user_policies, UserName=USER)
    refused(cloudformation.describe_stacks, StackName=STACK)
    refused(iam.get_role, RoleName=role_name)
    refused(s3.list_objects_v2, Bucket=bucket)
    refused(user_sts.get_caller_identity)


def simulating(iam):
    def simulate(source: str, actions: list[str], resources: list[str]) -> None:
        where = {"ResourceArns": resources} if resources else {}
        iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=actions, **where)

    return simulate


def without_asking(*_: object) -> None:
    pass


def look_at_made(iam, s3, role_name: str, bucket: str) -> None:
    """What the lab looks up to know a thing again that it made."""
    for _ in range(3):
        iam.get_user(UserName=USER)
        s3.head_bucket(Bucket=bucket)
        refused(s3.get_bucket_tagging, Bucket=bucket)
    for _ in range(2):
        iam.get_role(RoleName=role_name)


def look_at_stack(cloudformation, s3, bucket: str) -> None:
    """Whether the stack is the run's, and nothing of others is in its bucket."""
    cloudformation.describe_stacks(StackName=STACK)
    cloudformation.describe_stack_resources(StackName=STACK)
    cloudformation.describe_stack_events(StackName=STACK)
    s3.list_object_versions(Bucket=bucket)
    s3.list_multipart_uploads(Bucket=bucket)
    cloudformation.describe_stacks(StackName=STACK)


def look_at_user(iam) -> None:
    """What others may have hung on the user meanwhile."""
    for ask in (
        iam.list_access_keys,
        iam.list_user_policies,
        iam.list_attached_user_policies,
        iam.list_groups_for_user,
        iam.get_login_profile,
        iam.list_mfa_devices,
        iam.list_ssh_public_keys,
        iam.list_signing_certificates,
        iam.list_service_specific_credentials,
    ):
        refused(ask, UserName=USER)


def look_for_remains(iam, cloudformation, s3, role_name: str, bucket: str) -> None:
    """Whether each thing that was made is gone."""
    refused(iam.get_user, UserName=USER)
    refused(iam.list_access_keys, UserName=USER)
    refused(cloudformation.describe_stacks, StackName=STACK)
    refused(s3.head_bucket, Bucket=bucket)
    refused(iam.get_role, RoleName=role_name)
    refused(iam.get_user_policy, UserName=USER, PolicyName="StsAssumePolicy")
    refused(s3.head_object, Bucket=bucket, Key="hello.txt")


def list_everything(iam, cloudformation, s3) -> None:
    """Whether anything in the account has the run's tag."""
    cloudformation.describe_stacks()
    s3.list_buckets()
    iam.list_users()
    refused(iam.list_user_tags, UserName="admin")
    iam.list_groups()
    iam.list_instance_profiles()
    iam.list_roles()
    iam.list_policies(Scope="Local")
    iam.list_virtual_mfa_devices()
    iam.list_saml_providers()
    iam.list_open_id_connect_providers()


def deploy(cloudformation, *, proved: bool) -> tuple[str, str, str]:
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
    wait(cloudformation, "CREATE_COMPLETE", proved=proved)
    if proved:
        cloudformation.describe_stack_resources(StackName=STACK)
    for _ in range(2):
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return outputs["RoleArn"], outputs["RoleName"], outputs["BucketName"]


def wait(cloudformation, wanted: str, *, proved: bool) -> None:
    """As the lab waits: at its pace, and with a look at the events each time."""
    while True:
        try:
            status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
        except ClientError:
            status = "DELETE_COMPLETE"
        if proved:
            refused(cloudformation.describe_stack_events, StackName=STACK)
        if status == wanted:
            return
        time.sleep(PACE)


if __name__ == "__main__":
    main(*sys.argv[1:])
