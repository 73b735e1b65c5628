"""Whatever is typed, a command ends with a documented exit code, and none with a traceback.

The lines are the examples that the commands' own help shows, with words left out, doubled,
swapped or replaced by what nobody should type.
"""

import random
import shlex
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from stslab.cli.main import exit_code
from stslab.sandbox.server import client

CODES = {0, 1, 2, 3, 4, 5, 130}
NONSENSE = [
    "", " ", "-", "--", "---", "-x", "--no-such-flag", "--target", "--target=", "--target=ftp://x",
    "--account=1", "--to", "--from=99", "--json=1", "--plain", "-h", "../..", "/dev/null", "/proc/self/mem",
    "/", ".", "0", "-1", "9" * 400, "x" * 5000, "é\u202e\x1b[31m", "\udcff\udcfe", "a\nb", "'", '"', "$(id)", "`id`",
    "*", "{}", "${{ run.id }}", "@x", "=", "%s%n", "{0}", "\\", "nul\\0", "AKIAIOSFODNN7EXAMPLE",
    "arn:aws:iam::1:role/x", "User: is not authorized to perform: sts:AssumeRole", "+61m", "-999999999h",
]  # fmt: skip
# What would run a lab, open a shell or go on for ever is always one flag too many.
SLOW = {"run", "step", "break", "test", "shell", "new", "watch", "--follow", "-f"}


def examples() -> Iterator[list[str]]:
    text = (files("stslab.cli") / "commands.txt").read_text()
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("stslab "):
            words = shlex.split(line.split(" > ")[0].split(" | ")[0])[1:]
            yield words


def mutated(words: list[str], chance: random.Random) -> list[str]:
    words = list(words)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words) + 1)
        kind = chance.choice(["put", "put", "replace", "drop", "double", "swap"])
        if kind == "put" or not words:
            words.insert(at, chance.choice(NONSENSE))
        elif kind == "replace":
            words[at % len(words)] = chance.choice(NONSENSE)
        elif kind == "drop":
            words.pop(at % len(words))
        elif kind == "double":
            words.insert(at, words[at % len(words)])
        else:
            other = chance.randrange(len(words))
            words[at % len(words)], words[other] = words[other], words[at % len(words)]
    return words if not SLOW & set(words) else [*words, "--no-such-flag"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("NO_COLOR", "STSLAB_PLAIN"):  # what a command sets is undone after the test
        monkeypatch.setenv(name, "")
    yield tmp_path
    for one in (tmp_path / "state").rglob("server.json"):  # a named account has one of its own
        client.stop(one.parent)


@pytest.mark.parametrize(
    ("seed", "lines"),
    [
        pytest.param(0, 100, id="some"),
        *(pytest.param(seed, 500, id=f"{seed}", marks=pytest.mark.soak) for seed in range(1, 5)),
    ],
)
def test_mutated_command_lines(
    folder: Path, seed: int, lines: int, capfd: pytest.CaptureFixture[str]
):
    chance = random.Random(seed)
    every = list(examples())
    assert len(every) > 40
    for _ in range(lines):
        words = mutated(chance.choice(every), chance)
        code = exit_code(words)
        said = "".join(capfd.readouterr())
        assert code in CODES, words
        assert "Traceback" not in said, words
        assert "a bug in stslab" not in said, f"{words}: {said}"
        assert "\x1b" not in said, words
    assert not (folder / "state" / "bugs").exists()
