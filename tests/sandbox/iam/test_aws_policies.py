"""AWS's managed policies, read from moto's file."""

from __future__ import annotations

import subprocess
import sys

from stslab.policy import PolicyKind, parse
from stslab.sandbox.iam import aws_policies, roles
from stslab.structures import beside


def test_each_policy_of_aws_is_found_by_its_arn_and_has_a_unique_id_and_a_valid_document() -> None:
    listed = list(aws_policies.all())
    assert len(listed) > 1000
    assert len({policy.unique_id for policy in listed}) == len(listed)
    for policy in listed:
        assert aws_policies.find(policy.arn) is policy
        assert parse(policy.document, PolicyKind.IDENTITY).statements


def test_a_policy_is_found_only_with_its_path() -> None:
    arn = "arn:aws:iam::aws:policy/{}AmazonEC2RoleforSSM"
    assert aws_policies.find(arn.format("service-role/"))
    assert aws_policies.find(arn.format("")) is None
    assert aws_policies.find("arn:aws:iam::111122223333:policy/AdministratorAccess") is None


def test_the_policies_of_service_linked_roles_exist() -> None:
    rows = beside(roles.__file__, "roles.yaml")["linked"].values()
    names = [row[1] for row in rows if len(row) > 1]
    assert len(names) > 100
    for name in names:
        assert aws_policies.find(f"arn:aws:iam::aws:policy/aws-service-role/{name}"), name


def test_moto_is_not_imported_and_its_file_is_read_when_a_policy_of_aws_is_needed() -> None:
    program = (
        "import sys; from stslab.sandbox.iam import aws_policies as own;"
        "assert own.find('arn:aws:iam::111122223333:policy/AdministratorAccess') is None;"
        "assert not own._listed.cache_info().currsize;"
        "assert own.find('arn:aws:iam::aws:policy/AdministratorAccess');"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'moto']"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
