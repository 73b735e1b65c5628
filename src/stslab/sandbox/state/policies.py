"""Customer managed policies. AWS's own are the same in every account, and no records."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Moment, Named


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a managed policy (``v1``) with its document's text."""

    version_id: str
    document: str
    created: Moment


class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A managed policy: a customer's, or, as a value that is in no account, one of AWS's.

    ``versions`` stand in the order in which they were made. ``newest`` is the number of the
    last one that ever was, since a number is not used again.
    """

    table: ClassVar[str] = "managed-policy"
    named: ClassVar[str] = "policy"

    updated: Moment
    description: str = ""
    tags: Mapping[str, str] = {}
    versions: tuple[PolicyVersion, ...]
    default: str = "v1"
    newest: int = 1

    @property
    def document(self) -> str:
        """The text of the default version."""
        return next(one.document for one in self.versions if one.version_id == self.default)
