"""The chain of what a run made, from the user to what the session may reach; it grows by stage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stslab.kinds.table import KINDS
from stslab.render.report.parts import Html, joined, part
from stslab.runner.ports import ADMIN
from stslab.runner.report import Report

_LINKS = (
    "iam.user iam.group iam.oidc_provider iam.saml_provider",
    "iam.access_key",
    "iam.mfa_device",
    "iam.user_policy iam.group_policy iam.user_attachment iam.group_attachment iam.user_boundary",
    "sts.GetSessionToken sts.GetFederationToken",
    "iam.role",
    "iam.role_policy iam.role_attachment iam.role_boundary iam.policy",
    "sts.AssumeRole sts.AssumeRoleWithWebIdentity sts.AssumeRoleWithSAML",
    "s3.bucket",
    "s3.bucket_policy",
    "s3.object",
)
"""The kinds of things, and the calls that give a session, in the order of the chain."""
_LINK: Mapping[str, int] = {kind: at for at, kinds in enumerate(_LINKS) for kind in kinds.split()}


@dataclass(frozen=True, slots=True)
class Box:
    """Something that a run made: its place in the chain, and the stage that made it first."""

    link: int
    what: str
    name: str
    stage: str


def boxes(report: Report) -> tuple[Box, ...]:
    """Everything that is part of the chain, each once."""
    found = dict[tuple[str, str], Box]()
    for one in _made(report):
        found.setdefault((one.what, one.name), one)
    return tuple(one for one in found.values() if one.link >= 0)


def _made(report: Report) -> Iterator[Box]:
    for call in (one for one in report.calls if one.outcome == "done"):
        if call.profile and call.call in _LINK:
            yield Box(_LINK[call.call], "session", call.profile, call.stage)
        for thing in call.made:
            what, _, _ = KINDS[thing.kind].what.partition(" {")
            name = KINDS[thing.kind].label(thing.names)[len(what) + 1 :]
            where = f" ({thing.admin})" if thing.admin != ADMIN else ""
            yield Box(_LINK.get(thing.kind, -1), f"{what}{where}", name, call.stage)


def picture(so_far: tuple[Box, ...], stage: str, *, gone: bool) -> Html:
    """The chain, with what is ``stage``'s marked as new; ``gone``: everything was undone."""
    links = (
        [_drawn(one, stage, gone=gone) for one in so_far if one.link == link]
        for link in range(len(_LINKS))
    )
    label = "The chain, undone" if gone else "The chain so far"
    items = joined(part("link", boxes=joined(link)) for link in links if link)
    return part("chain", label=label, links=items)


def _drawn(box: Box, stage: str, *, gone: bool) -> Html:
    state = "undone" if gone else "new" if box.stage == stage else ""
    return part("box", state=state, what=box.what, name=box.name)
