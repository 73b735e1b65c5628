"""The catalogue of AWS's APIs agrees with botocore's models."""

import subprocess
import sys

import pytest
from botocore.loaders import Loader

from stslab.aws.catalogue import BotocoreCatalogue, _model, _operation


@pytest.fixture(scope="module")
def catalogue() -> BotocoreCatalogue:
    return BotocoreCatalogue()


def test_services_and_operations(catalogue: BotocoreCatalogue):
    assert {"iam", "s3", "sts", "cloudformation"} <= set(catalogue.services())
    assert "CreateUser" in catalogue.operations("iam")
    assert not catalogue.operations("nothing")
    assert not catalogue.operations("../iam")
    assert catalogue.operation("iam", "create_user") is None
    assert catalogue.operation("nothing", "CreateUser") is None


def test_parameters(catalogue: BotocoreCatalogue):
    operation = catalogue.operation("iam", "CreateUser")
    assert operation
    assert set(operation.input.required) == {"UserName"}
    assert operation.input.members["UserName"].kind == "string"
    tags = operation.input.members["Tags"]
    assert tags.kind == "list"
    assert set(tags.item.required) == {"Key", "Value"}
    assert operation.output.members["User"].members["CreateDate"].kind == "timestamp"


def test_an_operation_without_parameters(catalogue: BotocoreCatalogue):
    operation = catalogue.operation("sts", "GetCallerIdentity")
    assert operation
    assert not operation.input.members
    assert set(operation.output.members) == {"UserId", "Account", "Arn"}


def test_choices(catalogue: BotocoreCatalogue):
    operation = catalogue.operation("cloudformation", "CreateStack")
    assert operation
    assert "CAPABILITY_IAM" in operation.input.members["Capabilities"].item.choices
    assert operation.input.members["StackName"].choices == ()


def test_documents_that_botocore_decodes_are_any_json(catalogue: BotocoreCatalogue):
    read = catalogue.operation("iam", "GetUserPolicy")
    put = catalogue.operation("iam", "PutUserPolicy")
    assert read
    assert put
    assert read.output.members["PolicyDocument"].kind == "document"
    assert put.input.members["PolicyDocument"].kind == "string"


def test_secrets(catalogue: BotocoreCatalogue):
    key = catalogue.operation("iam", "CreateAccessKey")
    session = catalogue.operation("sts", "AssumeRole")
    assert key
    assert session
    assert key.output.members["AccessKey"].members["SecretAccessKey"].sensitive
    credentials = session.output.members["Credentials"].members
    assert {name for name, shape in credentials.items() if shape.sensitive} == {
        "SecretAccessKey",
        "SessionToken",
    }


def test_idempotency_tokens_are_filled_in_by_botocore(catalogue: BotocoreCatalogue):
    operation = catalogue.operation("cloudformation", "CreateStackRefactor")
    update = catalogue.operation("cloudformation", "UpdateStackSet")
    assert operation
    assert update
    assert "OperationId" not in update.input.required


def test_a_recursive_shape_ends(catalogue: BotocoreCatalogue):
    operation = catalogue.operation("dynamodb", "PutItem")
    assert operation
    value = operation.input.members["Item"].item
    for _ in range(100):
        value = value.members["L"].item
    assert value.kind == "structure"


@pytest.mark.parametrize(
    ("service", "name", "changes"),
    [
        ("iam", "CreateUser", True),
        ("iam", "PutUserPolicy", True),
        ("iam", "AttachUserPolicy", True),
        ("iam", "UpdateAssumeRolePolicy", True),
        ("iam", "TagUser", True),
        ("iam", "GetUser", False),
        ("iam", "ListUsers", False),
        ("iam", "SimulatePrincipalPolicy", False),
        ("iam", "GenerateCredentialReport", False),
        ("s3", "PutObject", True),
        ("s3", "DeleteBucket", True),
        ("s3", "HeadBucket", False),
        ("s3", "ListObjectsV2", False),
        ("cloudformation", "CreateStack", True),
        ("cloudformation", "DescribeStacks", False),
        ("cloudformation", "ValidateTemplate", False),
        ("sts", "AssumeRole", False),
        ("sts", "GetFederationToken", False),
    ],
)
def test_which_operations_change_something(
    service: str, name: str, changes: bool, catalogue: BotocoreCatalogue
):
    operation = catalogue.operation(service, name)
    assert operation
    assert operation.changes is changes


def test_waiters(catalogue: BotocoreCatalogue):
    assert catalogue.waiters("cloudformation")["stack_create_complete"] == "DescribeStacks"
    assert catalogue.waiters("iam")["user_exists"] == "GetUser"
    assert catalogue.waiters("sts") == {}
    assert catalogue.waiters("nothing") == {}


def test_only_needed_services_are_read_and_each_once(catalogue: BotocoreCatalogue):
    for kept in (_model, _operation):
        kept.cache_clear()
    for name in ("AssumeRole", "GetCallerIdentity"):
        catalogue.operation("sts", name)
    assert _model.cache_info().misses == 1


def test_the_catalogue_needs_neither_boto3_nor_a_session():
    code = (
        "import sys; from stslab.aws.catalogue import BotocoreCatalogue;"
        "BotocoreCatalogue().operation('sts', 'AssumeRole');"
        "print(*sorted({'boto3', 'botocore.session', 'moto'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_the_services_are_botocores(catalogue: BotocoreCatalogue):
    assert list(catalogue.services()) == Loader().list_available_services("service-2")
