"""Where a policy lives, and the command that puts it there; told from how messages call it."""

import json
import re
import shlex
from collections.abc import Callable, Mapping

from stslab.policy import Request
from stslab.sandbox.api.identifiers import PARTNER

Words = tuple[str, ...]
_PLACES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Words]], ...] = (
    (
        re.compile(r"inline policy (\S+) of (user|group|role) (\S+)"),
        lambda found: _inline(found[2], found[3], found[1]),
    ),
    (
        re.compile(r"(?:managed policy|permissions boundary) (arn:aws:iam::\d{12}:\S+)(?: of .*)?"),
        lambda found: (
            "iam", "create-policy-version", "--set-as-default",
            "--policy-arn", found[1], "--policy-document",
        ),
    ),
    (
        re.compile(r"trust policy of role (\S+)"),
        lambda found: (
            "iam", "update-assume-role-policy", "--role-name", found[1], "--policy-document",
        ),
    ),
    (
        re.compile(r"bucket policy of (\S+)"),
        lambda found: ("s3api", "put-bucket-policy", "--bucket", found[1], "--policy"),
    ),
)  # fmt: skip


def is_fixed(name: str) -> bool:
    """Whether nobody can change the policy: AWS's own policies, and those of a session."""
    return not _words(name)


def command(name: str, account: str, document: Mapping[str, object]) -> str:
    """What puts ``document`` in the place of the account's policy; empty where nothing can."""
    words = _words(name)
    if not words:
        return ""
    text = json.dumps(document, ensure_ascii=False)
    profile = "partner" if account == PARTNER else "admin"
    return shlex.join(["aws", *words, text, "--profile", profile])


def _words(name: str) -> Words:
    matches = ((pattern.fullmatch(name), words) for pattern, words in _PLACES)
    return next((words(found) for found, words in matches if found), ())


def new_policy_name(request: Request) -> str:
    """What a new inline policy for whoever asks would be called; empty where there can be none."""
    kind, _, name = own_arn(request).rpartition(":")[2].partition("/")
    if kind not in ("user", "role"):
        return ""
    title = f"allow-{request.action.replace(':', '-')}"
    return f"inline policy {title} of {kind} {name.rpartition('/')[2]}"


def own_arn(request: Request) -> str:
    """The ARN by which policies name whoever asks: a session's is that of its role."""
    principal = request.principal
    return principal.issuer if ":assumed-role/" in principal.arn else principal.arn


def _inline(kind: str, owner: str, name: str) -> Words:
    return (
        "iam", f"put-{kind}-policy", f"--{kind}-name", owner, "--policy-name", name,
        "--policy-document",
    )  # fmt: skip
