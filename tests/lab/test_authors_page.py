"""docs/authors.md is right: its example is a lab, and it names every key."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.reference import TABLES, page_text

from stslab.errors import InvalidLab
from stslab.lab.checking.names import RESERVED
from stslab.lab.model import Action, Lab, Page, Part, Profile, Token, Undo, Uses, Wait
from stslab.lab.reading.structure import fields, key_texts

PAGE = (Path(__file__).parent.parent.parent / "docs" / "authors.md").read_text(encoding="utf-8")


def example() -> str:
    found = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    return str(found)


def test_the_example_is_a_lab(load_text: Callable[[str], Lab]):
    made = load_text(example())
    assert [stage.id for stage in made.stages] == ["create-user", "cleanup"]


PARTS = [*TABLES.values(), Undo, Wait, Profile, Action, Uses, Token, Page]


@pytest.mark.parametrize("model", PARTS)
def test_every_key_is_named(model: type[Part]):
    keys = {one.encode_name for one in fields(model)}
    named = {key for key in keys if re.search(rf"`{key}`|\b{key}: |[{{,] ?{key}[,}}:]", PAGE)}
    assert named == keys


def test_the_tables_are_the_models():
    """Otherwise: python -m tests.lab.reference."""
    assert page_text(PAGE) == PAGE


def test_a_table_is_replaced():
    changed = PAGE.replace("| `says` | required | The claim, as a sentence. |\n", "")
    assert page_text(changed) == PAGE != changed


@pytest.mark.parametrize("model", PARTS)
def test_each_key_has_a_text_and_each_text_a_key(model: type[Part]):
    assert set(key_texts(model)) == {one.encode_name for one in fields(model)}


def test_every_name_that_a_run_knows_is_documented():
    assert all(f"`{name}" in PAGE for name in RESERVED)


def test_the_problem_on_the_page_is_current(load_text: Callable[[str], Lab]):
    text = example().replace("iam.CreateUser\n", "iam.CreateUsr\n")
    with pytest.raises(InvalidLab) as caught:
        load_text(text)
    shown = re.search(r"    my-lab\.yaml:14:15: .*?Did you mean CreateUser\?", PAGE, re.DOTALL)
    assert shown
    message, *lines = str(caught.value.problems[0]).splitlines()
    said = [message.split(" ", 1)[1], *[line.strip() for line in lines]]
    told = [shown[0].strip().split("\n")[0].split(" ", 1)[1]]
    told += [line.strip() for line in shown[0].split("\n")[1:]]
    assert said == told
