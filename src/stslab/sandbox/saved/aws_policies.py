"""AWS's own managed policies, as moto ships them: some 1,600, of which an account uses a few.

moto reads and writes each document, and draws each policy an id, when it makes an account's
backend, which took longer than anything else that starting the sandbox did.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import moto.iam.models

from stslab.sandbox.saved.moto_backends import PARTITION

# As a module with names that it does not export.
_IAM: Any = moto.iam.models
_ID_PREFIX, _ID_LENGTH = "ANPA", 21
_NOT_KEPT = ("_data", "id", "versions")


class AwsPolicy(moto.iam.models.AWSManagedPolicy):
    """One of AWS's own policies, as one account counts its uses.

    Its document is written when somebody asks for it; its id follows from its name, so that it
    is the same in each account and after each start, as AWS's are.
    """

    def __init__(self, account_id: str, name: str, data: Mapping[str, Any]) -> None:
        # moto's own __init__ is what costs the time.
        self._data = data
        self.account_id = account_id
        self.name = name
        self.path = data["Path"]
        self.partition = PARTITION
        self.attachment_count = 0
        self.description = ""
        self.tags = {}
        self.default_version_id = data["DefaultVersionId"]
        self.next_version_num = int(data["DefaultVersionId"].removeprefix("v")) + 1
        self.create_date = datetime.fromisoformat(data["CreateDate"])
        self.update_date = datetime.fromisoformat(data["UpdateDate"])

    @functools.cached_property
    def id(self) -> str:  # type: ignore[override]  # moto sets it, here nobody does
        """ANPA and what follows from the name."""
        digest = base64.b32encode(hashlib.sha256(self.name.encode()).digest()).decode()
        return (_ID_PREFIX + digest)[:_ID_LENGTH]

    @functools.cached_property
    def versions(self) -> list[Any]:  # type: ignore[override]  # moto sets it, here nobody does
        """The default version, the only one that moto has."""
        document = json.dumps(self._data["Document"])
        return [
            _IAM.PolicyVersion(self.arn, document, True, self.default_version_id, self.update_date)
        ]

    def __getstate__(self) -> dict[str, Any]:
        """What an account's file keeps: not what AWS's policies say, which is here anyway."""
        return {name: value for name, value in vars(self).items() if name not in _NOT_KEPT}


@functools.cache
def _read() -> Mapping[str, Any]:
    """What each policy is, by its name; all accounts share it."""
    read: dict[str, Any] = json.loads(_IAM.aws_managed_policies_data)
    return read


def of_account(account_id: str) -> list[AwsPolicy]:
    """AWS's own policies, for one account."""
    make: Any = AwsPolicy  # moto's classes leave abstract what its CloudFormation would call
    return [make(account_id, name, data) for name, data in _read().items()]
