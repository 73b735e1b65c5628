"""Loading a lab takes time linear in its size: counted in function calls."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import InvalidLab
from stslab.lab import loader

HEAD = "stslab: 1\nid: big\ntitle: Big\nvars: {user: 'u-${{ run.id }}'}\nstages:\n"
STEPS_A_STAGE = 10


def big_lab(steps: int) -> str:
    """A lab in which each step saves a variable, and refers to the one before."""
    lines = []
    for number in range(steps):
        if number % STEPS_A_STAGE == 0:
            lines.append(f"  - id: s{number}\n    title: T\n    intro: I\n    steps:\n")
        before = f"arn{number - 1}" if number else "user"
        lines.append(
            f"      - title: Create\n        call: iam.CreateUser\n"
            f"        with: {{UserName: 'u{number}-${{{{ run.id }}}}', Path: '${{{{ {before} }}}}',"
            " Tags: [{Key: 'stslab:run', Value: '${{ run.id }}'}]}\n"
            f"        save: {{arn{number}: User.Arn}}\n        undo: iam.DeleteUser\n"
        )
    return HEAD + "".join(lines)


def calls_made(work: Callable[[], object]) -> int:
    """How many functions ``work`` calls: a measure that no other process disturbs."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.slow
def test_loading_is_linear(tmp_path: Path, catalogue: BotocoreCatalogue):
    path = tmp_path / "big.yaml"

    def cost(steps: int) -> int:
        path.write_text(big_lab(steps), encoding="utf-8")
        return calls_made(lambda: loader.load(path, catalogue=catalogue))

    cost(10)  # reads the models
    small, large = cost(100), cost(1000)
    assert large < 11 * small


def test_a_lab_of_a_thousand_steps_is_whole(tmp_path: Path, catalogue: BotocoreCatalogue):
    path = tmp_path / "big.yaml"
    path.write_text(big_lab(1000), encoding="utf-8")
    loaded = loader.load(path, catalogue=catalogue)
    assert sum(len(stage.steps) for stage in loaded.stages) == 1000
    (undo,) = loaded.stages[-1].steps[-1].undo or ()
    assert undo.params == {"UserName": "u999-${{ run.id }}"}


@pytest.mark.slow
def test_hostile_texts_are_refused_at_once(tmp_path: Path, catalogue: BotocoreCatalogue):
    """Endless quotes, braces and expressions take time linear in their length."""
    path = tmp_path / "big.yaml"

    def cost(text: str, times: int) -> int:
        path.write_text(HEAD.replace("u-", text * times), encoding="utf-8")

        def attempt() -> None:
            with suppress(InvalidLab):
                loader.load(path, catalogue=catalogue)

        return calls_made(attempt)

    for text in ("${{ ", "${{ '' ", "${{ \\'' ", "{{{{", "${{ a }} ", "`"):
        assert cost(text, 2000) < 12 * cost(text, 200) + 5000, text
