"""A newcomer can follow a request: it crosses few of stslab's files, HTTP apart."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import stslab

TRUST = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
SOURCE = str(Path(stslab.__file__).parent)


def crossed(work: Callable[[], object]) -> set[str]:
    """The files of stslab in which a function runs meanwhile."""
    found = set()

    def note(frame, event: str, _argument: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return {name.removeprefix(f"{SOURCE}/") for name in found if name.startswith(SOURCE)}


def test_a_request_crosses_few_files(direct):
    document = json.dumps({"Version": "2012-10-17", "Statement": TRUST})
    iam, sts = direct.client("iam"), direct.client("sts")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": role}}
    )
    put = {"UserName": "admin", "PolicyName": "p", "PolicyDocument": allowed}
    assume = {"RoleArn": role, "RoleSessionName": "way"}
    assert "sandbox/sts/service.py" in crossed(lambda: sts.assume_role(**assume))
    assert len(crossed(lambda: sts.assume_role(**assume))) <= 30
    assert len(crossed(lambda: iam.put_user_policy(**put))) <= 30
