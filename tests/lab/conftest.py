"""What the lab's tests share: the real catalogue, read once, and labs made of snippets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.lab import loader
from stslab.lab.model import Lab


@pytest.fixture(scope="session")
def catalogue() -> BotocoreCatalogue:
    return BotocoreCatalogue()


@pytest.fixture
def load_text(tmp_path: Path, catalogue: BotocoreCatalogue) -> Callable[[str], Lab]:
    def load(text: str) -> Lab:
        path = tmp_path / "some.yaml"
        path.write_text(text, encoding="utf-8")
        return loader.load(path, catalogue=catalogue)

    return load
