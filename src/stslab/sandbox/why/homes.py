"""Where a policy lives, and the command that puts it there; told from how messages call it."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Home:
    """A policy as it is called, and the account that it is in."""

    name: str
    account: str

    @property
    def fixed(self) -> bool:
        """Whether nobody can change it: AWS's own policies, and those of a session."""
        return not self._words()

    def command(self, document: Mapping[str, object]) -> str:
        """What puts ``document`` there, as an aws command line; empty where nothing can."""
        words = self._words()
        if not words:
            return ""
        text = json.dumps(document, ensure_ascii=False)
        profile = "partner" if self.account == PARTNER else "admin"
        return shlex.join(["aws", *words, text, "--profile", profile])

    def _words(self) -> Words:
        for pattern, words in _PLACES:
            found = pattern.fullmatch(self.name)
            if found is not None:
                return words(found)
        return ()


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
