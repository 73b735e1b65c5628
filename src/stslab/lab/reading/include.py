"""`!include`: the text of a file of the lab's own, or of the bundled ones, and of no other."""

import hashlib
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from stslab import resources
from stslab.lab.reading.document import LARGEST_FILE, Node, Source
from stslab.lab.reading.expressions import UNFIT
from stslab.lab.reading.problems import Problem, did_you_mean

# What a lab may read of the folder above `lab/`, its own or the bundled one: the rest of
# that folder may be somebody's home.
_MOST_NAMED = 200
_LAYOUT = frozenset({"lab", "policies", "policy.json", "templates"})


class Includes:
    """Reads what one lab includes, from the folders that it may read."""

    def __init__(self, lab: Path) -> None:
        folder = lab.resolve().parent
        above = [folder.parent] if folder.name == "lab" else []
        self._own, self._written = folder, lab.parent
        self._laid_out = [*above, resources.bundled().resolve()]
        self._read: dict[Path, Source] = {}
        self._hashes: list[str] = []

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were read."""
        return tuple(self._read)

    def hash_with(self, raw: bytes) -> str:
        """SHA-256 of the lab's file, or, where it includes others, of it and them, each once.

        Then it is that of a line for each file, in order, with the file's own SHA-256 in hex.
        """
        own = hashlib.sha256(raw).hexdigest()
        lines = "".join(f"{line}\n" for line in (own, *self._hashes))
        return hashlib.sha256(lines.encode()).hexdigest() if self._hashes else own

    def put_into(self, node: Node) -> Problem | None:
        """Put the file's text into an ``!include`` node; what is wrong with it, or None."""
        name, node.value = str(node.value), ""
        found = self._found(name)
        if found:
            return self._read_into(node, found, name)
        if Path(name).is_absolute() or ".." in Path(name).parts:
            message = f"{name[:80]!r} is outside of the lab's folder, where a lab includes nothing."
            return node.problem(message, self._fix())
        message = f"There is no file {name[:80]!r} that a lab may include."
        return node.problem(message, did_you_mean(name, self._there(), self._fix()))

    def _there(self) -> list[str]:
        """Files that could have been meant: of the lab's own folder, and of the bundled ones."""
        patterns = {self._own: "*", **dict.fromkeys(self._laid_out, "*.json")}
        found = (
            (str(path.relative_to(root)), root)
            for root, pattern in patterns.items()
            for path in islice((*root.glob(pattern), *root.glob("templates/*")), _MOST_NAMED)
        )
        return sorted({name for name, root in found if _within(root, name)})

    def _found(self, name: str) -> Path | None:
        laid_out = (_within(root, name, _LAYOUT) for root in self._laid_out)
        return _within(self._own, name) or next(filter(None, laid_out), None)

    def _read_into(self, node: Node, path: Path, name: str) -> Problem | None:
        if path not in self._read:
            try:
                raw = _bytes(path)
                own = path.is_relative_to(self._own)
                shown = self._written / path.relative_to(self._own) if own else name
                self._read[path] = Source(str(shown), _text(raw))
                self._hashes.append(hashlib.sha256(raw).hexdigest())
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                return node.problem(f"{name} can't be included: {reason}.", self._fix())
        node.inside = self._read[path]
        node.value = node.inside.text
        return None

    def _fix(self) -> str:
        return f"Name a file by its path from {self._own}, or a bundled one, as in policy.json."


def _within(root: Path, name: str, only: Collection[str] = ()) -> Path | None:
    """The file ``name`` under ``root``, links followed, where it does not leave the root.

    ``only`` names what of the root counts. Nothing hidden does: a lab in a home folder has
    no business in ``.aws`` or ``.ssh``.
    """
    try:
        path = (root / name).resolve(strict=True)
        inside = path.relative_to(root).parts
    except (OSError, ValueError, RuntimeError):
        return None
    hidden = any(part.startswith(".") for part in inside)
    counts = bool(inside) and (not only or inside[0] in only)
    return path if counts and not hidden and path.is_file() else None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise ValueError("it is larger than 1 MiB")
    return raw


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if UNFIT.search(text):
        raise ValueError("it has a character that may not stand in a lab's text")
    return text
