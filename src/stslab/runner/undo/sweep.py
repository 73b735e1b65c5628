"""Lists what in the account carries a run's tag or id, whatever the journal says of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from stslab.kinds.kind import Listing, search
from stslab.kinds.table import KINDS, LISTINGS
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.look import tag_in
from stslab.runner.calls.work import Work
from stslab.runner.events import Notice
from stslab.runner.journal.records import Thing
from stslab.runner.ports import ADMIN, Answer, Call, Data, Refusal

# The target's clock and this machine's may differ by so much.
_CLOCKS = timedelta(hours=1)
_MOST_TAGS_READ = 200


@dataclass(frozen=True, slots=True)
class Item:
    """A thing as a listing has it. ``created`` is ISO 8601, or empty where that is not told."""

    row: Listing
    thing: Thing
    data: Data

    @property
    def created(self) -> str:
        return str(self.data.get("Created") or "")

    def run(self, calls: Calls) -> str | None:
        """The run that its tag names; None where it has none, or its kind has none."""
        if not self.row.tagging:  # the listing tells them
            return tag_in(self.data.get("Tags"))
        service, names = KINDS[self.thing.kind].service, dict(self.thing.names)
        outcome = calls.make(Call(self.thing.admin, service, self.row.tagging, names))
        found = search(self.row.tags, outcome.data) if isinstance(outcome, Answer) else None
        return tag_in(found)


def listed(
    calls: Calls, kind: str, refused: Callable[[str, Refusal], None], identity: str = ADMIN
) -> Iterator[Item]:
    """All things of a kind in an account; ``refused`` is told of a listing that AWS refuses."""
    row, call = LISTINGS[kind], _listing(kind, identity)
    for page in calls.pages(call, row.pages):
        if isinstance(page, Refusal):
            refused(call.name, page)
        data = page.data if isinstance(page, Answer) else {}
        for one in search(row.each, data) or []:
            names = {name: str(one[name]) for name in KINDS[kind].names}
            yield Item(row, Thing(kind, names, admin=identity), one)


def leftovers(work: Work, identity: str = ADMIN) -> Iterator[Thing]:
    """What carries the run's tag, or its id in its name and no other run's tag.

    It is in the account of ``identity``.
    """
    tags_read = 0

    def refused(call: str, refusal: Refusal) -> None:
        said = f"{call} was refused ({refusal.code}): what carries the run's tag could not be"
        hint = f"Allow {identity} to list what IAM, CloudFormation and S3 have there."
        work.calls.emit(Notice("warning", f"{said} listed everywhere.", hint))

    for kind in work.calls.ahead(LISTINGS, lambda kind: _listing(kind, identity)):
        for item in listed(work.calls, kind, refused, identity):
            named = any(work.run.id in name for name in item.thing.names.values())
            if not named and not _is_young(work, item):
                continue
            asked = bool(item.row.tagging)
            unread = asked and not named and tags_read >= _MOST_TAGS_READ
            tag = None if unread else item.run(work.calls)
            tags_read += asked and not unread
            if named if tag is None else tag == work.run.id:
                yield item.thing


def _listing(kind: str, identity: str) -> Call:
    row = LISTINGS[kind]
    return Call(identity, KINDS[kind].service, row.listing, row.params)


def _is_young(work: Work, item: Item) -> bool:
    """Whether it was made since the run began: nothing older can be the run's."""
    try:
        began = datetime.fromisoformat(work.run.started)
        return datetime.fromisoformat(item.created) >= began - _CLOCKS
    except (ValueError, TypeError):
        return True
