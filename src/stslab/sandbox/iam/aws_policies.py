"""AWS's managed policies, about 1,500, which are the same in every account, and not saved in it.

They come from a file of moto, which is read as text; moto is not imported.
"""

import ast
import base64
import functools
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.state.identities import ManagedPolicy, PolicyVersion

OWNER = "aws"  # the word in their ARNs in place of an account's id
ACCOUNT = "639982225848"  # their account in conditions, by public records of AWS's answers
_PREFIX = f"arn:aws:iam::{OWNER}:policy/"
_FILE = Path("iam") / "aws_managed_policies.py"
_ID_LENGTH = 21
_LACKING = (
    f"AWS's managed policies can't be read: moto has no valid file {_FILE}.",
    "Install the version of moto that stslab needs: pip install --force-reinstall stslab",
)


class _Listed(msgspec.Struct):
    CreateDate: datetime
    UpdateDate: datetime
    DefaultVersionId: str
    Path: str
    Document: msgspec.Raw


def find(arn: str) -> ManagedPolicy | None:
    """AWS's policy with this ARN, its name in any case, or None."""
    asked = arn.lower()
    if not arn.startswith(_PREFIX):
        return None
    key = asked.rsplit("/", 1)[-1]
    policy = _policy(key) if key in _listed() else None
    return policy if policy and policy.arn.lower() == asked else None


def all() -> Iterable[ManagedPolicy]:  # noqa: A001 - reads as aws_policies.all()
    return map(_policy, _listed())


@functools.cache
def _policy(key: str) -> ManagedPolicy:
    name, row = _listed()[key]
    listed = msgspec.json.decode(row, type=_Listed)
    members = sorted(json.loads(bytes(listed.Document)).items(), reverse=True)  # Version is first
    text = json.dumps(dict(members), indent=2)
    default = listed.DefaultVersionId
    # The id is derived from the name, so that it is the same everywhere, as in AWS.
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()
    return ManagedPolicy(
        account=OWNER,
        name=name,
        path=listed.Path,
        unique_id=f"ANPA{digest}"[:_ID_LENGTH],
        created=listed.CreateDate,
        versions=(PolicyVersion(version_id=default, document=text, created=listed.UpdateDate),),
        default=default,
    )


def require() -> None:
    """Raise SandboxError if the policies are not installed."""
    if not _source().is_file():
        raise SandboxError(*_LACKING)


@functools.cache
def _listed() -> Mapping[str, tuple[str, msgspec.Raw]]:
    """The name of each policy, and its part of the file, by the name in lower case."""
    try:
        text = ast.literal_eval(_source().read_text(encoding="utf-8").partition("=")[2].strip())
        rows = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return {name.lower(): (name, row) for name, row in rows.items()}
    except (OSError, ValueError, SyntaxError) as error:
        raise SandboxError(*_LACKING) from error


def _source() -> Path:
    spec = importlib.util.find_spec("moto")
    return Path(((spec and spec.submodule_search_locations) or [""])[0]) / _FILE
