"""The kinds of things that labs make in an account: data, and what it means.

For each kind: what it is called, how it is looked up, what says that it is gone, how it is
recognised, what must go before it, and what removes it. For each creating operation: the
kind it makes, and whether it may be repeated. The sources are the pages of the operations
in the API references of IAM, Amazon S3 and CloudFormation.

Expressions are JMESPath. A kind's see ``{answer, thing}``: the lookup's response and the
thing's names; a child's see the listing's response; a creation's see
``{params, answer, target, host}``, where ``host`` is the URL among its parameters, less
its scheme.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

RUN_TAG = "stslab:run"
"""The tag that says which run made a thing; its value is the run's id."""


def search(expression: str, data: object) -> Any:
    """What JMESPath finds; None where the data has another shape than expected."""
    try:
        return jmespath.search(expression, data)
    except JMESPathError:
        return None


@dataclass(frozen=True, slots=True)
class Remove:
    """An operation that takes something away, and the names that it is called with."""

    operation: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """What must go before its parent can: how it is listed, and what removes each.

    ``each`` gives a list of mappings, with the parent's names in it as ``<Name>``; a removal is
    called with the parent's names and one mapping's. ``what`` describes one of them, with the
    mapping's names in braces. ``pages`` maps a listing's output members to the input members
    that ask for what comes next.
    """

    what: str
    listing: str
    names: tuple[str, ...]
    each: str
    removals: tuple[Remove, ...]
    pages: Mapping[str, str]
    count: str = "`1`"

    def listed(self, names: Mapping[str, str], data: object) -> list[Any]:
        expression = self.each
        for name, value in names.items():
            expression = expression.replace(f"<{name}>", _literal(value))
        return search(expression, data) or []


def _literal(text: str) -> str:
    return "`" + json.dumps(text).replace("`", r"\u0060") + "`"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing. ``id`` is the service and a word for it.

    ``names`` are the input members that name one, ``look_names`` those that the lookup
    takes. ``parent`` is the kind of what it hangs on, named by ``parent_names``: who owns
    that owns this. ``tags`` gives the lookup's list of tags; ``tagging`` is the operation
    that reads them (by ``tagging_names``) where the lookup does not tell them. ``by_hand`` is
    the command that removes one, where the removing operation alone would not do.

    ``identity`` tells one from another that is made later with the same names: a unique id, or
    the time of creation, in the response of the lookup or of the creating operation. Where AWS
    gives neither, its tag for the run does.

    ``put`` makes it a setting of the whole account, whose undo restores what was there before:
    the operation that sets it, with what ``was`` (an expression that sees the response of the
    lookup) gives; where there was nothing, it is removed.

    ``deployed`` are the actions that CloudFormation takes with its caller's permissions to make and
    remove one, ``cleaned`` those that cleanup takes, whatever the lab says, to find and empty one.

    ``guarded`` tells whether somebody protected it against removal, and ``unguard`` is the
    command that ends that.
    """

    id: str
    what: str
    names: tuple[str, ...]
    look: str
    look_names: tuple[str, ...]
    present: str
    remove: Remove
    tags: str = ""
    tagging: str = ""
    tagging_names: tuple[str, ...] = ()
    children: tuple[Child, ...] = ()
    parent: str = ""
    parent_names: tuple[str, ...] = ()
    resource_type: str = ""
    deployed: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    by_hand: str = ""
    identity: str = ""
    put: str = ""
    was: str = ""
    guarded: str = ""
    unguard: str = ""

    @property
    def service(self) -> str:
        return self.id.partition(".")[0]

    def label(self, names: Mapping[str, str]) -> str:
        return self.what.format_map(_Named(names))


class _Named(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"(unknown {key})"


@dataclass(frozen=True, slots=True)
class Listing:
    """How one kind is listed: ``each`` gives its names, ``Created`` and perhaps ``Tags``.

    ``tagging`` reads the tags where the listing does not tell them; ``tags`` finds them.
    ``taggable`` is false where AWS has no tags for the kind: then only names tell.
    ``named`` is false where a name can't hold a run's id: then only tags tell.
    """

    listing: str
    each: str
    pages: Mapping[str, str] = field(default_factory=lambda: {"Marker": "Marker"})
    params: Mapping[str, Any] = field(default_factory=dict)
    tagging: str = ""
    tags: str = "Tags"
    taggable: bool = True
    named: bool = True


# What says that a thing is not there, and what such an error's message must hold.
_GONE: Mapping[str, tuple[str, str]] = {
    "iam": ("NoSuchEntity NoSuchEntityException", ""),
    "s3": ("404 NotFound NoSuchBucket NoSuchKey NoSuchUpload NoSuchBucketPolicy NoSuchTagSet", ""),
    "cloudformation": ("ValidationError", "does not exist"),
}
EXISTS = frozenset(
    """
    EntityAlreadyExists EntityAlreadyExistsException AlreadyExistsException
    ResourceAlreadyExistsException BucketAlreadyExists BucketAlreadyOwnedByYou
    """.split()
)
"""The thing was there before."""
BUSY = frozenset(
    """
    DeleteConflict DeleteConflictException BucketNotEmpty OperationAborted
    EntityTemporarilyUnmodifiable EntityTemporarilyUnmodifiableException ConcurrentModification
    ConcurrentModificationException OperationInProgressException
    """.split()
)
"""It can't be removed now; after its children are gone, or after a while, it can."""
UNUSABLE = frozenset(
    """
    AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException InvalidAccessKeyId
    InvalidClientTokenId InvalidToken SignatureDoesNotMatch UnrecognizedClientException 403
    """.split()
)
"""The caller's own credentials do not serve (any more): another identity may."""


def is_gone(service: str, code: str, message: str) -> bool:
    codes, part = _GONE.get(service, ("", ""))
    return code in codes.split() and part in message
