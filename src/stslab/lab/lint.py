"""All that is to be said of a lab file: what is wrong, and what its author should think about."""

from collections.abc import Collection
from pathlib import Path

from stslab.errors import InvalidLab
from stslab.lab.checking.advice import Looked, advice
from stslab.lab.checking.catalogue import Catalogue
from stslab.lab.loader import read
from stslab.lab.reading.problems import Allowed, Problem, in_order
from stslab.resources import text_of


def lint(path: Path, *, catalogue: Catalogue, served: Collection[str]) -> list[Problem]:
    """The errors of the lab in the file ``path``, and its warnings.

    ``served`` are the calls that the embedded account has.
    """
    try:
        lab, draft, problems, broken = read(path, catalogue)
    except InvalidLab as bad:
        listed = [one for one in bad.problems if isinstance(one, Problem)]
        return listed or [Problem(str(path), 1, 1, bad.message, bad.hint, rule="file")]
    looked = Looked(lab, draft, catalogue, served, broken)
    told = {one.place for one in problems}
    found = advice(looked, str(path), Allowed(text_of(path)))
    return in_order(str(path), [*problems, *(one for one in found if one.place not in told)])
