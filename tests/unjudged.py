"""Labs whose calls nobody judged beforehand: for tests of what judges each call before it is sent."""

from pathlib import Path

from msgspec.structs import asdict

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.lab import loader
from stslab.lab.model import Lab
from stslab.lab.reading.document import Includes
from stslab.lab.reading.problems import Problem


def unjudged(path: Path) -> Lab:
    """The lab in this file, which must make sense."""
    problems: list[Problem] = []
    raw = path.read_bytes()
    _, lab = loader.parse(path, raw, BotocoreCatalogue(), problems.append, Includes(path))
    assert not problems, "\n".join(map(str, problems))
    return Lab(**asdict(lab), path=path, sha256="unjudged")
