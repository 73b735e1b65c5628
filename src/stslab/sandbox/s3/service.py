"""The S3 service: its two tables of operations."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from stslab.sandbox.api.model import ApiRequest, Judge, Needs, Reads, Writes, handlers
from stslab.sandbox.s3 import buckets, listing, objects, settings, uploads
from stslab.sandbox.s3.access import acl, policies
from stslab.sandbox.s3.requests import needs, params
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State

V = TypeVar("V")
A = TypeVar("A")
_MODULES = (acl, buckets, listing, objects, policies, uploads)


class S3Service:
    """``state`` has the bodies of objects."""

    def __init__(self, state: State, judge: Judge) -> None:
        self._judge = judge
        copies = handlers(_MODULES, "blob", "tx", "request")
        reads: Reads = {
            **settings.READS,
            **handlers(_MODULES, "view", "request"),
            "GetBucketPolicy": partial(policies.get_bucket_policy, judge),
            "GetObject": partial(objects.get_object, state.blob),
        }
        writes: Writes = {
            **settings.WRITES,
            **handlers(_MODULES, "tx", "request"),
            **{name: partial(copy, state.blob) for name, copy in copies.items()},
            "DeleteObjects": partial(objects.delete_objects, judge),
            "PutBucketPolicy": partial(policies.put_bucket_policy, judge),
        }
        self.reads: Reads = {name: partial(_checked, read) for name, read in reads.items()}
        self.writes: Writes = {name: partial(_checked, write) for name, write in writes.items()}

    def needs(self, view: View, request: ApiRequest) -> Needs:
        return needs.needs_of(view, self._judge.seen(view), request)


def _checked(handler: Callable[[V, ApiRequest], A], view: V, request: ApiRequest) -> A:
    params.check(request)
    return handler(view, request)
