"""One thing as bytes, without the things that it only refers to.

moto's user holds its managed policies, its group holds its users: objects that are saved
by themselves. A pickle here names them, and finds them again when it is read. Reading
takes known classes only: an account that someone hands out can't run code.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.saved.persistence import classes

Reference = tuple[str, str, str]
Refer = Callable[[Any], Reference | None]
Find = Callable[[Reference], Any]

_MODULES = frozenset({"collections", "datetime", "decimal", "uuid"})
_BUILTINS = frozenset({"set", "frozenset", "bytearray", "complex", "object"})
_FUNCTIONS = frozenset(
    {
        ("copyreg", "_reconstructor"),
        ("copyreg", "__newobj__"),
        ("stslab.sandbox.saved.moto_patches", "_versions_restored"),
    }
)


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, top: Any, refer: Refer) -> None:
        super().__init__(stream, protocol=5)
        self._top = top
        self._refer = refer

    def persistent_id(self, obj: Any) -> Reference | None:
        return None if obj is self._top else self._refer(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, find: Find) -> None:
        super().__init__(stream)
        self._find = find

    def persistent_load(self, pid: Any) -> Any:
        return self._find(pid)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FUNCTIONS or (module == "builtins" and name in _BUILTINS):
            return super().find_class(module, name)
        if classes.is_known(module, name) or (module in _MODULES and "." not in name):
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in an account")


def dumps(thing: Any, refer: Refer) -> bytes:
    """The thing as bytes; ``refer`` names each object in it that is saved by itself."""
    stream = io.BytesIO()
    _Pickler(stream, thing, refer).dump(thing)
    return stream.getvalue()


def loads(body: bytes, find: Find) -> Any:
    """The thing that :func:`dumps` gave; ``find`` gives back what was only named.

    Raises:
        SandboxError: the bytes are damaged, or hold what no account has.
    """
    try:
        return _Unpickler(io.BytesIO(body), find).load()
    except Exception as error:
        raise SandboxError(
            f"The saved account is damaged: {error}.",
            "`stslab sandbox reset` makes a new account in its place.",
        ) from error
