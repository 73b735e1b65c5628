"""Words at the prompt, and what completes."""

import pytest

from stslab.cli.run.prompt import completions, word_of


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("why", "why"), ("w", "why"), (" Quit ", "quit"), ("q", "quit"), ("h", "help"), ("hi", "hint"),
        ("?", "help"), ("s", ""), ("so", "solve"), ("", ""), ("aws iam", ""), ("whyever", ""),
    ],
)  # fmt: skip
def test_first_letters_do_where_only_one_word_begins_so(text: str, word: str) -> None:
    assert word_of(text) == word


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["a"], {"access", "aws"}),
        (["aws", "s3"], {"s3", "s3api"}),
        (["aws", "iam", "create-u"], {"create-user"}),
        (["aws", "iam", "create-user", "--us"], {"--user-name"}),
        (["ls", "x"], set()),
        (["aws", "nothing", "x"], set()),
    ],
)
def test_words_services_operations_and_options_complete(words: list[str], some: set[str]) -> None:
    assert some <= set(completions(words))
    assert all(one.startswith(words[-1]) for one in completions(words))
