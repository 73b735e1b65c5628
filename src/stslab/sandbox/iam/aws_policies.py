"""AWS's own managed policies, as values: the same in every account, and no records.

Their texts come with moto, some 1,500 of them; its file is read as text, and moto is not
imported. Each is parsed when it is first asked for.
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

OWNER = "aws"
"""Stands in the ARN where a customer's policy has its account."""
_PREFIX = f"arn:aws:iam::{OWNER}:policy/"
_FILE = Path("iam") / "aws_managed_policies.py"
_ID_LENGTH = 21


class _Listed(msgspec.Struct):
    CreateDate: datetime
    UpdateDate: datetime
    DefaultVersionId: str
    Path: str
    Document: msgspec.Raw


def find(arn: str) -> ManagedPolicy | None:
    """AWS's policy with this ARN, or None."""
    if not arn.startswith(_PREFIX):
        return None
    name = arn.rsplit("/", 1)[-1]
    found = _policy(name) if name in _listed() else None
    return found if found is not None and found.arn == arn else None


def all() -> Iterable[ManagedPolicy]:  # noqa: A001 - reads as aws_policies.all()
    """Every policy of AWS's, in no order."""
    return map(_policy, _listed())


@functools.cache
def _policy(name: str) -> ManagedPolicy:
    listed = msgspec.json.decode(_listed()[name], type=_Listed)
    text = json.dumps(json.loads(bytes(listed.Document)))
    default = listed.DefaultVersionId
    # Follows from the name, so that it is the same everywhere, as AWS's ids are.
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()
    return ManagedPolicy(
        account=OWNER,
        name=name,
        path=listed.Path,
        unique_id=f"ANPA{digest}"[:_ID_LENGTH],
        created=listed.CreateDate,
        updated=listed.UpdateDate,
        versions=(PolicyVersion(version_id=default, document=text, created=listed.UpdateDate),),
        default=default,
    )


def require() -> None:
    """Find out, when the account is opened, whether there are any; SandboxError if not."""
    if not _source().is_file():
        raise _lacking()


@functools.cache
def _listed() -> Mapping[str, msgspec.Raw]:
    """Each policy's part of the file, by its name."""
    try:
        _, _, literal = _source().read_text(encoding="utf-8").partition("=")
        return msgspec.json.decode(ast.literal_eval(literal.strip()), type=dict[str, msgspec.Raw])
    except (OSError, ValueError, SyntaxError) as error:
        raise _lacking() from error


def _source() -> Path:
    spec = importlib.util.find_spec("moto")
    return Path(((spec and spec.submodule_search_locations) or [""])[0]) / _FILE


def _lacking() -> SandboxError:
    return SandboxError(
        f"AWS's managed policies can't be read: moto has no {_FILE} as it is expected.",
        "Install the moto that stslab asks for: pip install --force-reinstall stslab",
    )
