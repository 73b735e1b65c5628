"""What ``stslab simulate`` reads: lines, and policies as files, answers or AWS's own."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stslab.errors import MalformedPolicy, PolicyError, UsageError

if TYPE_CHECKING:
    from stslab.policy import NamedPolicy, PolicyKind

# "Service control policies (SCPs)", FullAWSAccess; its ARN is in the examples of ListPolicies.
FULL_ACCESS = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
# Where the answers of aws commands hold a policy.
_ANSWERS = (
    "PolicyDocument || PolicyVersion.Document || Role.AssumeRolePolicyDocument || Policy.Content"
    " || ResourcePolicy || Attributes.Policy || policyText || Policy"
)


def lines_of(path: Path) -> Iterator[str]:
    """The lines, without a byte order mark (as RFC 8259 allows); other bytes are passed on."""
    try:
        with click.open_file(str(path), encoding="utf-8-sig", errors="surrogateescape") as file:
            yield from file
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}.") from error


def policies_in(path: Path, kind: "PolicyKind", *, several: bool = False) -> "list[NamedPolicy]":
    """The policy in a file; ``several`` may be in a JSON list: a level of the organization."""
    from stslab.policy import NamedPolicy, parse
    from stslab.policy.documents.document import load

    each = name = "stdin" if str(path) == "-" else str(path)
    policies = []
    try:
        found = load(_text(path)) if several else _text(path)
        for number, given in enumerate(found if isinstance(found, list) else [found], 1):
            each = f"{name}, policy {number}" if isinstance(found, list) else name
            held = _text(Path(given)) if str(given).startswith("arn:") else given
            policies.append(NamedPolicy(each, parse(held, kind)))
    except MalformedPolicy as error:
        message = f"{each}: MalformedPolicyDocument: {error.message}"
        raise PolicyError(message, error.hint) from error
    return policies


def _text(path: Path) -> str:
    """The text of a policy: a file's, out of an answer of the aws CLI, or AWS's own by its ARN."""
    import jmespath

    if str(path) == FULL_ACCESS:
        return '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    if str(path).startswith("arn:"):
        from stslab.policy.catalogue import suggestions
        from stslab.sandbox.iam import aws_policies

        found = aws_policies.find(str(path))
        if found is None:
            fix = "Print one of your own into a file: aws iam get-policy-version ..."
            if ":aws:policy/" in str(path):
                arns = [FULL_ACCESS, *(policy.arn for policy in aws_policies.all())]
                names = {arn.rpartition("/")[2]: arn for arn in arns}
                fix = "List them: aws iam list-policies --scope AWS"
                for near in suggestions(str(path).rpartition("/")[2], names):
                    fix = f"Did you mean {names[near]!r}?"
            raise UsageError(f"AWS has no managed policy {path}.", fix)
        return found.versions[0].document
    text = "".join(lines_of(path))
    with suppress(ValueError, RecursionError):
        held = jmespath.search(_ANSWERS, json.loads(text))
        if isinstance(held, str):
            return held
        if held:
            return json.dumps(held)
    return text
