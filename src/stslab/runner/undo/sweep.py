"""Lists what in the account carries a run's tag or id, whatever the journal says of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from stslab.kinds.kind import search
from stslab.kinds.table import KINDS
from stslab.runner.calls.ahead import Read
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.look import tag_in
from stslab.runner.calls.work import Work
from stslab.runner.events import Notice
from stslab.runner.journal.records import Thing
from stslab.runner.ports import Answer, Refusal

# The target's clock and this machine's may differ by so much.
_CLOCKS = timedelta(hours=1)
_MOST_TAGS_READ = 200


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind is listed: ``each`` gives its names, ``Created`` and perhaps ``Tags``.

    ``tagging`` reads the tags where the listing does not tell them; ``tags`` finds them.
    ``taggable`` is false where AWS has no tags for the kind: then only names tell.
    ``named`` is false where a name can't hold a run's id: then only tags tell.
    """

    kind: str
    listing: str
    each: str
    pages: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    tagging: str = ""
    tags: str = "Tags"
    taggable: bool = True
    named: bool = True


_MARKER = {"Marker": "Marker"}
# In the order in which leftovers go: what holds others first.
ROWS = (
    Row(
        "cloudformation.stack",
        "DescribeStacks",
        "Stacks[?StackStatus != 'DELETE_COMPLETE']"
        ".{StackName: StackName, Created: CreationTime, Tags: Tags}",
        {"NextToken": "NextToken"},
    ),
    Row(
        "s3.bucket",
        "ListBuckets",
        "Buckets[].{Bucket: Name, Created: CreationDate}",
        {"ContinuationToken": "ContinuationToken"},
        tagging="GetBucketTagging",
        tags="TagSet",
    ),
    Row(
        "iam.user",
        "ListUsers",
        "Users[].{UserName: UserName, Created: CreateDate}",
        _MARKER,
        tagging="ListUserTags",
    ),
    Row(
        "iam.group",
        "ListGroups",
        "Groups[].{GroupName: GroupName, Created: CreateDate}",
        _MARKER,
        taggable=False,
    ),
    Row(
        "iam.instance_profile",
        "ListInstanceProfiles",
        "InstanceProfiles[].{InstanceProfileName: InstanceProfileName, Created: CreateDate}",
        _MARKER,
        tagging="ListInstanceProfileTags",
    ),
    Row(
        "iam.role",
        "ListRoles",
        "Roles[].{RoleName: RoleName, Created: CreateDate}",
        _MARKER,
        tagging="ListRoleTags",
    ),
    Row(
        "iam.policy",
        "ListPolicies",
        "Policies[].{PolicyArn: Arn, Created: CreateDate}",
        _MARKER,
        params={"Scope": "Local"},
        tagging="ListPolicyTags",
    ),
    Row(
        "iam.mfa_device",
        "ListVirtualMFADevices",
        "VirtualMFADevices[].{SerialNumber: SerialNumber, Created: EnableDate}",
        _MARKER,
        tagging="ListMFADeviceTags",
    ),
    Row(
        "iam.saml_provider",
        "ListSAMLProviders",
        "SAMLProviderList[].{SAMLProviderArn: Arn, Created: CreateDate}",
        {},
        tagging="ListSAMLProviderTags",
    ),
    Row(
        "iam.oidc_provider",
        "ListOpenIDConnectProviders",
        "OpenIDConnectProviderList[].{OpenIDConnectProviderArn: Arn}",
        {},
        tagging="ListOpenIDConnectProviderTags",
        named=False,
    ),
)


def _listing(row: Row) -> Read:
    return Read(KINDS[row.kind].service, row.listing, row.params)


OTHERS = ("partner",)
"""The profiles that administer other accounts, in which a person may have made things for a lab."""


class Sweep:
    """Sweeps the account of ``identity`` for what one run left."""

    def __init__(self, work: Work, identity: str = ADMIN) -> None:
        self._work = work
        self._identity = identity
        self._tags_read = 0

    def leftovers(self) -> Iterator[Thing]:
        """What carries the run's tag, or its id in its name and no other run's tag."""
        for row in self._work.calls.ahead(ROWS, _listing):
            for item in self._items(row):
                thing = Thing(row.kind, {name: str(item[name]) for name in KINDS[row.kind].names})
                if self._is_of_run(row, item, thing):
                    yield thing

    def _items(self, row: Row) -> Iterator[Mapping[str, Any]]:
        for page in self._work.calls.pages(*_listing(row), row.pages, identity=self._identity):
            if isinstance(page, Refusal):
                self._tell_refused(row, page)
            data = page.data if isinstance(page, Answer) else {}
            yield from search(row.each, data) or []

    def _is_of_run(self, row: Row, item: Mapping[str, Any], thing: Thing) -> bool:
        named = any(self._work.run.id in name for name in thing.names.values())
        if not named and not self._is_young(item):
            return False
        tag = self._tag(row, item, thing, named=named)
        return tag == self._work.run.id if tag is not None else named

    def _is_young(self, item: Mapping[str, Any]) -> bool:
        """Whether it was made since the run began: nothing older can be the run's."""
        try:
            began = datetime.fromisoformat(self._work.run.started)
            return datetime.fromisoformat(str(item.get("Created"))) >= began - _CLOCKS
        except (ValueError, TypeError):
            return True

    def _tag(self, row: Row, item: Mapping[str, Any], thing: Thing, *, named: bool) -> str | None:
        if not row.tagging:  # a group has no tags at all
            return tag_in(item.get("Tags"))
        if self._tags_read >= _MOST_TAGS_READ and not named:
            return None
        self._tags_read += 1
        kind = KINDS[row.kind]
        outcome = self._work.calls.make(
            self._identity, kind.service, row.tagging, dict(thing.names)
        )
        return tag_in(search(row.tags, outcome.data)) if isinstance(outcome, Answer) else None

    def _tell_refused(self, row: Row, refusal: Refusal) -> None:
        self._work.emit(
            Notice(
                "warning",
                f"{KINDS[row.kind].service}.{row.listing} was refused ({refusal.code}): what"
                " carries the run's tag could not be listed everywhere.",
                f"Allow {self._identity} to list what IAM, CloudFormation and S3 have there.",
            )
        )
