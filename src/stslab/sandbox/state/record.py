"""What every record of the account has in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, which is UTC: two of them can be compared."""
TABLES: dict[str, type[Record]] = {}
"""Every kind of record by the name that its rows have."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing in one account: a value that never changes. A change is another record.

    A subclass names its ``table``, which is the name of its rows, and the member that its
    records in one account are ``keyed_by``, where there are several. ``account`` is the account's
    id, or empty for what belongs to no account. Members with a default may be added later: a row
    without them can still be read. Mappings in a record are read, never changed.
    """

    account: str
    table: ClassVar[str] = ""
    keyed_by: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.table:
            TABLES[cls.table] = cls

    @property
    def key(self) -> str:
        """What tells this record from the others of its table and account."""
        return str(getattr(self, self.keyed_by)) if self.keyed_by else ""

    def __repr__(self) -> str:
        """Name the record and nothing in it, which may be secret."""
        return f"<{self.table} {self.account}/{self.key}>"

    def __rich_repr__(self) -> Any:
        yield self.account
        yield self.key


class Named(Record, frozen=True, kw_only=True):
    """What IAM calls by a name. Names differ by more than case: the key is in lower case.

    ``unique_id`` stays when the name changes, and never comes again.
    """

    named: ClassVar[str] = ""
    """What its ARN calls it, if not by its table."""

    name: str
    path: str = "/"
    unique_id: str
    created: Moment

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.named or self.table}{self.path}{self.name}"
