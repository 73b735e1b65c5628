import json

from hypothesis import given
from hypothesis import strategies as st

from stslab.sandbox.iam import simulation

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    st.lists,
    max_leaves=5,
)
statements = st.dictionaries(st.text(max_size=5), values, max_size=3)


def part(text: str, span: simulation.Span) -> str:
    lines = text.split("\n")

    def offset(position: dict[str, int]) -> int:
        before = sum(len(line) + 1 for line in lines[: position["Line"] - 1])
        return before + position["Column"] - 1

    return text[offset(span[0]) : offset(span[1])].lstrip(" \n,")


@given(st.lists(statements, max_size=4), st.sampled_from([None, 2]))
def test_each_statement_is_at_its_position(listed: list[object], indent: int | None) -> None:
    document = {"Version": "2012-10-17", "Statement": listed, "Id": "[{"}
    text = json.dumps(document, indent=indent)
    found = [json.loads(part(text, span)) for span in simulation.places_of(text)]
    assert found == listed


def test_a_single_statement_without_a_list() -> None:
    text = ' {"Statement" : {"Effect": "Allow"} }'
    (span,) = simulation.places_of(text)
    assert part(text, span) == '"Effect": "Allow"}'
    assert span[0] == {"Line": 1, "Column": 18}
