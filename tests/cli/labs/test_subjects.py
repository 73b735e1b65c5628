"""Labs about uses of STS, as authors write them: tests/cases/labs."""

from pathlib import Path

import pytest

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount, served
from stslab.cli.labs.mutation import play
from stslab.lab.lint import lint
from stslab.lab.loader import load

LABS = sorted((Path(__file__).parents[2] / "cases" / "labs").glob("*.yaml"))
ACCOUNT, CATALOGUE, SERVED = InMemoryAccount(), BotocoreCatalogue(), served()


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_lab_is_clean_and_holds(path: Path):
    assert lint(path, catalogue=CATALOGUE, served=SERVED) == []
    played = play(load(path, catalogue=CATALOGUE), ACCOUNT)
    assert (played.failed, played.cells, played.stopped, played.left) == (set(), {}, {}, ())
