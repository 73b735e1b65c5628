"""What a run may change: rows of tests/cases/harmless; and the rules cover all operations."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests import yaml_files

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.kinds.harmless import Objection, judged
from stslab.kinds.operations import CHANGES, RESOURCES, changes
from stslab.kinds.own import Allowed, Own
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.server.embedded import assemble
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State

CASES = Path(__file__).parent.parent / "cases" / "harmless"
RUN, ACCOUNT = "ab12cd34", "111122223333"
TAGS = [{"Key": "stslab:run", "Value": RUN}]
OWN = Own(
    run=RUN,
    account=ACCOUNT,
    partition="aws",
    things=frozenset(
        {
            (ACCOUNT, "iam.user", f"user-{RUN}"),
            (ACCOUNT, "iam.role", f"role-{RUN}"),
            (ACCOUNT, "iam.group", f"group-{RUN}"),
            (ACCOUNT, "iam.instance_profile", f"profile-{RUN}"),
            (ACCOUNT, "iam.policy", f"arn:aws:iam::{ACCOUNT}:policy/policy-{RUN}"),
            (ACCOUNT, "iam.saml_provider", f"arn:aws:iam::{ACCOUNT}:saml-provider/saml-{RUN}"),
            (ACCOUNT, "iam.mfa_device", f"arn:aws:iam::{ACCOUNT}:mfa/mfa-{RUN}"),
            (ACCOUNT, "s3.bucket", f"bucket-{RUN}"),
            (ACCOUNT, "cloudformation.stack", f"stack-{RUN}"),
        }
    ),
    allowed=Allowed((f"arn:aws:iam::{ACCOUNT}:role/declared",), ("999988887777",), ("sqs",)),
)
REAL = Own(**{name: getattr(OWN, name) for name in Own.__struct_fields__} | {"embedded": False})


def read(name: str) -> list[dict[str, Any]]:
    return yaml_files.read(CASES / f"{name}.yaml")


def compare(call: str, params: dict[str, Any], row: dict[str, Any]) -> None:
    found = list(judged(call, params, REAL if row.get("real") else OWN, row.get("caller", "")))
    said = [f"{one.reason} {one.fix}" for one in found if isinstance(one, Objection)]
    told = [one for one in found if isinstance(one, str)]
    for wanted, had in ((row.get("says", []), said), (row.get("notes", []), told)):
        listed = [wanted] if isinstance(wanted, str) else wanted
        for words in listed:
            assert any(words in one for one in had), found
        assert bool(had) == bool(listed), found


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{group['case']} {number}: {row['call']}")
        for group in read("calls")
        for number, row in enumerate(group["calls"])
    ],
)
def test_call(row: dict[str, Any]):
    compare(row["call"], row.get("with", {}), row)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["case"]) for row in read("trusts")])
@pytest.mark.parametrize("where", ["iam.UpdateAssumeRolePolicy", "s3.PutBucketPolicy"])
def test_trust(row: dict[str, Any], where: str):
    statement = {"Effect": "Allow", "Principal": row.get("principal")}
    statement |= {"Condition": row["condition"]} if "condition" in row else {}
    document = row.get("document") or json.dumps({"Statement": [statement]})
    params = {
        "iam.UpdateAssumeRolePolicy": {"RoleName": f"role-{RUN}", "PolicyDocument": document},
        "s3.PutBucketPolicy": {"Bucket": f"bucket-{RUN}", "Policy": document},
    }
    compare(where, params[where], row)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["case"]) for row in read("templates")])
@pytest.mark.parametrize("call", ["CreateStack", "UpdateStack", "CreateChangeSet"])
def test_template(row: dict[str, Any], call: str):
    params: dict[str, Any] = {"StackName": f"stack-{RUN}", "Tags": TAGS}
    if call == "CreateChangeSet":
        params["ChangeSetName"] = "c"
    if "template" in row:
        inner: Any = "x" * 1000
        for _ in range(row.get("nested", 0)):
            inner = {"Fn::Sub": ["${a}${a}", {"a": inner}]}
        params["TemplateBody"] = row["template"].replace("NESTED", json.dumps(inner))
    elif "resources" in row:
        params["TemplateBody"] = yaml.safe_dump({"Resources": row["resources"]})
    given = row.get("parameters", {}).items()
    params["Parameters"] = [{"ParameterKey": key, "ParameterValue": value} for key, value in given]
    compare(f"cloudformation.{call}", params | row.get("with", {}), row)


def test_every_changing_operation_of_the_embedded_account_has_its_rules():
    services = assemble(State(Snapshot())).services
    reads = {f"{name}.{call}" for name, service in services.items() for call in service.reads}
    writes = {f"{name}.{call}" for name, service in services.items() for call in service.writes}
    # Of the first there is nothing to undo; the second can't be undone, for nobody can ask for the
    # old; only stacks call the others.
    alone = {"iam.GenerateCredentialReport", "iam.ChangePassword"}
    assert writes - CHANGES.keys() == alone | {"s3.TagResource", "s3.UntagResource"}
    assert set(filter(changes, reads)) <= CHANGES.keys()


def test_every_type_of_resource_of_the_embedded_account_has_its_rules():
    assert TYPES.keys() <= RESOURCES.keys()


def test_every_row_is_an_operation_with_those_parameters():
    catalogue = BotocoreCatalogue()
    for call, rules in CHANGES.items():
        if call.startswith("embedded."):
            continue
        operation = catalogue.operation(*call.split()[0].split("."))
        assert operation, call
        every = [one for rule in rules for one in (rule, *rule.either) if one.must not in SHARED]
        first = [re.split(r"\W", one.where.lstrip("["))[0] for one in every]
        assert set(filter(None, first)) <= set(getattr(operation.input, "members", ())), call


# Rows share these, whether each of their operations has the parameter or not.
SHARED = {"private", "absent"}


PARTNER = "444455556666"
THERE = replace(
    OWN,
    account=PARTNER,
    accounts=(ACCOUNT, PARTNER),
    things=OWN.things | {(PARTNER, "iam.user", f"vendor-{RUN}"), (PARTNER, "iam.role", f"r-{RUN}")},
)


@pytest.mark.parametrize(
    ("call", "params", "may"),
    [
        ("iam.DeleteUser", {"UserName": f"vendor-{RUN}"}, True),
        ("iam.DeleteUser", {"UserName": f"user-{RUN}"}, False),
        ("sts.AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role-{RUN}"}, True),
        ("sts.AssumeRole", {"RoleArn": f"arn:aws:iam::{PARTNER}:role/r-{RUN}"}, True),
        ("sts.AssumeRole", {"RoleArn": f"arn:aws:iam::{PARTNER}:role/role-{RUN}"}, False),
        ("sts.AssumeRole", {"RoleArn": f"arn:aws:iam::999988887777:role/r-{RUN}"}, False),
        ("s3.DeleteBucket", {"Bucket": f"bucket-{RUN}"}, True),
    ],
)
def test_in_the_second_account(call: str, params: dict[str, Any], may: bool):
    found = [one for one in judged(call, params, THERE) if isinstance(one, Objection)]
    assert bool(found) is not may, found
    here = replace(THERE, account=ACCOUNT)
    if call == "iam.DeleteUser":
        assert any(isinstance(one, Objection) for one in judged(call, params, here)) is may
