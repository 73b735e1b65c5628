"""The S3 service: its two tables of operations."""

from collections.abc import Callable
from functools import cache, partial

from stslab.sandbox.api.model import Answer, ApiRequest, Judge, Needs, Reads, Writes, handlers
from stslab.sandbox.s3 import buckets, listing, needs, objects, settings, uploads
from stslab.sandbox.s3.access import acl, policies
from stslab.sandbox.s3.requests.params import Content
from stslab.sandbox.s3.versions import Pieces
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.state import State

_MODULES = (acl, buckets, listing, objects, policies, settings, uploads)


class S3Service:
    """``state`` has the bodies of objects."""

    def __init__(self, state: State, judge: Judge) -> None:
        self._judge, self._state = judge, state
        slow = handlers(_MODULES, "contents", "tx", "request")
        self.reads: Reads = {
            **handlers(_MODULES, "view", "request", judge=judge, contents=self._content),
            **{name: partial(self._write, write) for name, write in slow.items()},
        }
        self.writes: Writes = handlers(_MODULES, "tx", "request", judge=judge)

    def _write(self, write: Callable[..., Answer], view: View, request: ApiRequest) -> Answer:
        """Write on a fork first: content is read and hashed while no transaction is open.

        For that these operations are in ``reads``, which get none.
        """
        contents = cache(self._content)
        write(contents, Transaction(view), request)
        with self._state.writing(view, request.caller.access_key_id) as tx:
            return write(contents, tx, request)

    def _content(self, where: Pieces) -> Content:
        return Content(b"".join([self._state.blob(name)[start:end] for name, start, end in where]))

    def needs(self, view: View, request: ApiRequest) -> Needs:
        return needs.needs_of(view, self._judge.seen(view), request)
