"""``stslab simulate``: decide requests by policies, offline, for people and programs."""

import gc
import json
import re
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stslab.cli.failures import reading
from stslab.cli.options import json_option, values
from stslab.errors import MalformedPolicy, PolicyError, StslabError, UsageError

if TYPE_CHECKING:
    from stslab.policy import Decision, NamedPolicy, Policies, PolicyKind, Request
    from stslab.policy.findings import Finding

_LONGEST = 4 * 1024 * 1024  # characters of a case, or of a file of policies
_CHUNK = 500  # lines that a worker decides at once
# Garbage is collected rarely: decisions make no reference cycles, and it saves a third.
_SELDOM = (50_000, 20, 50)
_File = click.Path(path_type=Path, allow_dash=True)


@click.command("simulate")
@click.option("--principal", metavar="ARN", help="The caller; also 'anonymous', or a service.")
@click.option("--action", metavar="SERVICE:ACTION", help="The action, as in s3:GetObject.")
@click.option("--resource", metavar="ARN", default="*", help="The resource.  [default: *]")
@click.option("--resource-account", metavar="ID", help="Its account, if the ARN has none.")
@click.option("--context", metavar="KEY=VALUE", multiple=True, help="A condition key's value.")
@click.option("--policy", type=_File, multiple=True, help="An identity-based policy.")
@click.option("--resource-policy", type=_File, help="The resource's own policy.")
@click.option("--trust", type=_File, help="The role's trust policy, for sts:AssumeRole.")
@click.option("--boundary", type=_File, multiple=True, help="The permissions boundary.")
@click.option("--session-policy", type=_File, multiple=True, help="A session policy.")
@click.option("--scp", type=_File, multiple=True, help="The SCP of a level, or a list of SCPs.")
@click.option("--rcp", type=_File, multiple=True, help="The RCP of a level, or a list of RCPs.")
@click.option("--service-linked", is_flag=True, help="The principal is a service-linked role.")
@json_option("The decision as JSON.")
@click.option("--cases", type=_File, help="Decide many cases: a file of JSON Lines, or -.")
@click.option("--decisions-only", is_flag=True, help="With --cases: no reasons, which is faster.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, help="With --cases: how many processes."
)
def command(
    *, cases: Path | None, decisions_only: bool, jobs: int, as_json: bool, **asked: Any
) -> int:
    """Decide whether policies allow a request, offline, and explain the decision.

    A PATH is a policy's JSON, also as an aws command prints it, the ARN of a policy that AWS
    manages, or - for stdin. --context and the options for policies may be given several times;
    the same key twice makes a multivalued key. With --cases, each input line is a case in JSON
    (stslab help cases), and each output line its decision; exit code 2 if one can't be read.
    """
    if cases is not None:
        given = [name for name, one in asked.items() if one and (name, one) != ("resource", "*")]
        if given:
            flag = given[0].replace("_", "-")
            fix = "Write it into the cases, or decide one request without --cases."
            raise UsageError(f"--{flag} is not for --cases: each case has its own.", fix)
        return _simulate_cases(cases, jobs, decisions_only=decisions_only)
    if decisions_only or jobs > 1:
        flag = "decisions-only" if decisions_only else "jobs"
        raise UsageError(f"--{flag} is for --cases.", "Give --cases FILE, or leave it out.")
    decision, policies = _decide(asked)
    if as_json:
        from msgspec import to_builtins

        found = to_builtins(list(_findings(policies, asked)))
        click.echo(json.dumps({**decision.as_dict(), "findings": found}))
    else:
        _show(decision, _findings(policies, asked))
    return 0


def _simulate_cases(path: Path, jobs: int, *, decisions_only: bool) -> int:
    """Stream: answer each case, or with jobs each chunk, before later ones are read."""
    from stslab.policy.cases import decide_lines

    code, lines = 0, _lines_of(path)
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    if jobs == 1:
        answers = decide_lines(lines, decisions_only=decisions_only)
    else:
        answers = _decided_by_workers(lines, jobs, decisions_only=decisions_only)
    source = Path("/dev/stdin") if str(path) == "-" else path
    waited_for = not source.is_file()  # a program may wait for each answer
    for text, readable in answers:
        sys.stdout.write(f"{text}\n")
        if waited_for:
            sys.stdout.flush()
        code = code if readable else 2
    return code


def _decided_by_workers(
    lines: Iterator[str], jobs: int, *, decisions_only: bool
) -> Iterator[tuple[str, bool]]:
    """Decide chunks of lines in worker processes; the answers keep the order of the lines."""
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    from stslab.policy.cases import decide_chunk

    waiting: deque[Future[tuple[str, bool]]] = deque()
    first = 1
    with ProcessPoolExecutor(jobs, initializer=_begin_worker) as pool:
        try:
            while (chunk := list(islice(lines, _CHUNK))) or waiting:
                if chunk:
                    waiting.append(pool.submit(decide_chunk, first, chunk, decisions_only))
                    first += len(chunk)
                if not chunk or len(waiting) > 2 * jobs:
                    text, readable = waiting.popleft().result()
                    if text:
                        yield text, readable
        except BrokenProcessPool as error:
            fix = "Try again with fewer --jobs."
            raise StslabError("A worker process was killed.", fix) from error


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles Ctrl-C
    gc.set_threshold(*_SELDOM)


def _decide(asked: dict[str, Any]) -> "tuple[Decision, Policies]":
    from stslab.policy import authorize, catalogue
    from stslab.policy.cases import read_case, request

    for name in ("principal", "action"):
        if not asked[name]:
            raise UsageError(f"Give --{name}, or --cases.", "See examples: stslab simulate --help")
    if (account := asked["resource_account"]) and not re.fullmatch("[0-9]{12}", account):
        raise UsageError(f"{account!r} is not an account's id.", "Give its twelve digits.")
    fields = ("principal", "action", "resource", "resource_account")
    context = {
        key: given if len(given) > 1 or catalogue.is_multivalued(key) else given[0]
        for key, given in values("--context", "KEY=VALUE", asked["context"]).items()
    }
    action = asked["action"]
    never = [key for key in context if not catalogue.may_have(key, action)]
    if never and catalogue.is_action(action):
        raise UsageError(f"A request for {action} never has {never[0]}.")
    given = {"context": context, "principal_is_service_linked": asked["service_linked"]}
    requested = request(read_case({name: asked[name] for name in fields} | given))
    _check_policies(requested, asked)
    policies = _policies(asked)
    return authorize(requested, policies), policies


def _check_policies(request: "Request", asked: Mapping[str, Any]) -> None:
    """Refuse policies that would have no effect."""
    from stslab.policy.cases import kind_of_resource_policy

    principal = request.principal
    is_role = kind_of_resource_policy(request.resource) == "role trust policy"
    if asked["trust"] and asked["resource_policy"]:
        both = "Give --trust or --resource-policy, not both: a role has a trust policy only."
        raise UsageError(both)
    if asked["trust"] and not (is_role and request.action.lower().startswith("sts:")):
        fix = "Give the role's ARN as --resource; other resources have a --resource-policy."
        raise UsageError("--trust is for an action of sts on a role.", fix)
    own = [name for name in ("policy", "boundary", "session_policy") if asked[name]]
    if own and not principal.member:
        flag = own[0].replace("_", "-")
        raise UsageError(f"--{flag} is not for {asked['principal']}: only identities have one.")
    if asked["service_linked"] and principal.kind.value not in ("Role", "AssumedRole"):
        raise UsageError(f"--service-linked is for a role, and {asked['principal']} is not one.")


def _policies(asked: dict[str, Any]) -> "Policies":
    from stslab.policy import Policies, PolicyKind
    from stslab.policy.cases import kind_of_resource_policy

    def named(option: str, kind: PolicyKind) -> "list[NamedPolicy]":
        return [policy for path in asked[option] for policy in _policies_in(path, kind)]

    shared = asked["trust"] or asked["resource_policy"]
    return Policies(
        named("policy", PolicyKind.IDENTITY),
        _policies_in(shared, kind_of_resource_policy(asked["resource"]))[0] if shared else None,
        named("boundary", PolicyKind.BOUNDARY) or None,
        named("session_policy", PolicyKind.SESSION) or None,
        [_policies_in(each, PolicyKind.SCP, several=True) for each in asked["scp"]],
        [_policies_in(each, PolicyKind.RCP, several=True) for each in asked["rcp"]],
    )


def _findings(policies: "Policies", asked: Mapping[str, Any]) -> "Iterator[Finding]":
    from stslab.policy.findings import Finding, findings, in_request, left_out
    from stslab.policy.request import account_of

    action, resource = asked["action"], asked["resource"]
    keys = [each.partition("=")[0] for each in asked["context"]]
    yield from in_request(action, resource, keys)
    across = account_of(asked["principal"]) != account_of(resource)
    for policy in policies.all():
        yield from left_out(policy.document, action, keys)
        if not policy.name.startswith("arn:"):  # AWS's own are as they are
            found = findings(policy.document)
            # Who is named directly needs no other policy, but only in the role's own account.
            yield from (one for one in found if not (across and one.code == "names-principal"))
    for number, level in enumerate(policies.scps, 1):
        if not any(one.allows for policy in level for one in policy.document.statements):
            says = f"No SCP of level {number} allows anything. In AWS each level has FullAWSAccess,"
            says += f' unless it was removed: give a JSON list of both, ["{FULL_ACCESS}", {{...}}].'
            yield Finding("scp-without-allow", says)


def _show(decision: "Decision", found: "Iterable[Finding]") -> None:
    """Draw the tree; in a pipe unwrapped, so that ARNs stay whole for programs like grep."""
    from stslab.render.terminal.paper import paper_on
    from stslab.render.text.safe import one_line

    paper = paper_on(sys.stdout)
    console = paper.console
    write = partial(console.print, soft_wrap=not console.is_terminal)
    paper.decision(decision.as_dict())
    if decision.message:
        write(f"\n{one_line(decision.message)}")
    for finding in found:
        where = f"{finding.statement}: " if finding.statement else ""
        write(one_line(f"note: {where}{finding.message}"))


# -- what it reads: lines, and policies as files, answers or AWS's own -----------------------------

# "Service control policies (SCPs)", FullAWSAccess; its ARN is in the examples of ListPolicies.
FULL_ACCESS = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
# Where the answers of aws commands hold a policy; what --query took out of one may be a text.
_ANSWERS = (
    "PolicyDocument || PolicyVersion.Document || Role.AssumeRolePolicyDocument || Policy.Content"
    " || ResourcePolicy || Attributes.Policy || DomainStatus.AccessPolicies || InlinePolicy"
    " || policyText || policy.Policy || policy.document || Policy || PolicyInJson || policyDocument"
    " || resourcePolicy || type(policy) == 'string' && policy || type(@) == 'string' && @"
)


def _lines_of(path: Path, *, whole: bool = False) -> Iterator[str]:
    """The lines, or all of it, without a byte order mark (as RFC 8259 allows).

    Bytes that are not UTF-8 are passed on.
    """
    with (
        reading(path),
        click.open_file(str(path), encoding="utf-8-sig", errors="surrogateescape") as file,
    ):
        while part := file.read(_LONGEST + 1) if whole else file.readline(_LONGEST + 1):
            if len(part) > _LONGEST:
                what = "policies" if whole else "a case"
                raise UsageError(f"{path} is too large for {what}: it has more than 4 MiB.")
            yield part


def _policies_in(path: Path, kind: "PolicyKind", *, several: bool = False) -> "list[NamedPolicy]":
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
        everything = '{"Effect": "Allow", "Action": "*", "Resource": "*"}'
        return f'{{"Version": "2012-10-17", "Statement": {everything}}}'
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
    text = next(_lines_of(path, whole=True), "").rstrip("\n")
    with suppress(ValueError, RecursionError):
        held = jmespath.search(_ANSWERS, json.loads(f'"{text}"' if text[:2] == "{\\" else text))
        if isinstance(held, str):  # API Gateway escapes its quotation marks (get-rest-api)
            return str(json.loads(f'"{held}"')) if held[:2] == "{\\" else held
        if held:
            return json.dumps(held)
    return text
