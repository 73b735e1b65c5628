"""What a lab's author is told to do about a policy that IAM refuses: never just the place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests import yaml_files

from stslab.lab.checking.documents import _findings_of
from stslab.vocabulary import PolicyKind

CASES = Path(__file__).parents[2] / "cases" / "policy" / "grammar.yaml"


@pytest.mark.parametrize("case", yaml_files.read(CASES)["malformed"], ids=lambda case: case["why"])
def test_each_fix_says_more_than_where(case: dict[str, Any]):
    document = case.get("document", {"Version": "2012-10-17", "Statement": case.get("statement")})
    text = document if isinstance(document, str) else json.dumps(document)
    kind = PolicyKind[case["kind"].upper()]
    (code, _, fix, _), *_ = _findings_of(text, kind)
    assert code == "malformed"
    assert not re.fullmatch(r"(Statement \d+)?(: \S*)?\.?", fix)
