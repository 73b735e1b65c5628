"""How far the learner is on this machine: the best run of each lab, and the labs to do."""

from typing import Any

from stslab.home import home
from stslab.lab.listing import LabHeader, headers
from stslab.runner.journal.standing import Standing, standing
from stslab.runner.journal.store import Journal


def progress() -> dict[str, Standing]:
    """The best standing of each lab, by lab id."""
    with Journal.of(home()) as journal:
        every = [standing(journal.past(run.id)) for run in reversed(journal.runs())]
    best_last = sorted(every, key=lambda each: (each.finished, each.proved))
    return {each.run.lab: each for each in best_last}


def labs_to_do() -> list[LabHeader]:
    """The labs of the course that are not done, in order."""
    done = {lab for lab, stands in progress().items() if stands.finished}
    return [lab for lab in headers() if lab.id not in done]


def known_of(lab: LabHeader, best: Standing | None, *, foreign: bool) -> dict[str, Any]:
    """A lab for `stslab labs`; ``best`` is the best standing of its runs."""
    return {
        **lab._asdict(),
        "path": str(lab.path),
        "stages": [{"id": stage, "title": title} for stage, title in lab.stages.items()],
        "foreign": foreign,
        "state": ("done" if best.finished else "begun") if best else "new",
        "proved": best.proved if best else 0,
        "claims": len(best.claims) if best else 0,
    }
