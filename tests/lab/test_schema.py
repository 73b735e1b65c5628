"""The shipped JSON Schema is the model's, and accepts valid labs."""

import json
from typing import Any

import pytest
import yaml
from tests.lab.reference import SCHEMA, schema_text

from stslab import resources


class _Including(yaml.SafeLoader):
    """Reads a lab as an editor does, which knows no file that it includes."""


_Including.add_constructor("!include", lambda _, node: node.value)


@pytest.fixture
def document() -> Any:
    text = (resources.labs_folder() / "steps.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_Including)  # noqa: S506 - a SafeLoader with one constructor


def complaints(document: Any) -> set[str]:
    from cfnlint.jsonschema import StandardValidator  # not in every worker: it is slow

    validator = StandardValidator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return {"/".join(map(str, error.path)) for error in validator.iter_errors(document)}


def test_the_shipped_schema_is_current():
    """Otherwise: python -m tests.lab.reference."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_labs_point_at_it():
    for path in resources.labs_folder().glob("*.yaml"):
        first, *_ = path.read_text(encoding="utf-8").splitlines()
        name = first.removeprefix("# yaml-language-server: $schema=")
        assert path.parent / name == SCHEMA


def test_the_lab_is_valid_by_it(document: Any):
    assert complaints(document) == set()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cal", "iam.GetUser"),
        ("call", "GetUser"),
        ("within", 60),
        ("with", []),
        ("undo", [None]),
        ("undo", {"cal": "iam.DeleteUser"}),
        ("line", 5),
        ("why", None),
        ("profile", {"name": "a b", "from": "x"}),
    ],
)
def test_what_the_schema_refuses(key: str, value: Any, document: Any):
    document["stages"][0]["steps"][0][key] = value
    assert any(path.startswith(f"stages/0/steps/0/{key}") for path in complaints(document))


@pytest.mark.parametrize(
    "undo",
    [
        "none",
        "iam.DeleteUser",
        {"call": "iam.DeleteUser", "as": "admin"},
        ["iam.DeleteUser", {"call": "iam.DeleteUser"}],
    ],
)
def test_the_ways_to_write_an_undo(undo: Any, document: Any):
    document["stages"][0]["steps"][0]["undo"] = undo
    assert complaints(document) == set()


def test_internal_keys_are_not_in_the_schema():
    assert not {"line", "path", "sha256"} & set(schema_text().replace('"', " ").split())
