"""Wrapped commands are still the same commands."""

import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.render.drawing import as_a_shell_reads

from stslab.render.text.shellwords import same_command, wrapped

WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(20, 200), st.sampled_from(["", "    "]))
def test_a_shell_reads_the_same_words(words, width, indent):
    lines = wrapped(shlex.join(words), width, indent)
    read = as_a_shell_reads("\n".join(lines))
    assert len(read) == len(words)
    for one, other in zip(read, words, strict=True):
        assert one == other or json.loads(one) == json.loads(other)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(20, 200))
def test_it_is_the_same_command_on_several_lines(words, width):
    command = shlex.join(words)
    assert same_command("\n".join(wrapped(command, width, "  ")), command)
    assert not same_command(f"{command} --more", command)
    assert not same_command(f"{command}\n--more", f"{command} --more")


@given(st.lists(st.from_regex(r"[a-z-]{1,15}", fullmatch=True), min_size=1), st.integers(30, 100))
def test_short_words_fit_the_width(words, width):
    assert all(len(line) <= width for line in wrapped(" ".join(words), width))


def test_an_option_keeps_its_value_beside_it():
    lines = wrapped("aws iam create-user --user-name somebody --path /a/b --profile admin", 40)
    assert lines == [
        "aws iam create-user \\",
        "  --user-name somebody --path /a/b \\",
        "  --profile admin",
    ]


def test_a_value_that_does_not_fit_beside_its_option_stands_below_it():
    path = "file:///somewhere/of/ones/shown/token"
    assert wrapped(f"aws sts x --web-identity-token {path} --profile y", 50, "  ") == [
        "  aws sts x --web-identity-token \\",
        f"    {path} \\",
        "    --profile y",
    ]


def test_a_backslash_never_stands_alone_below_a_word_that_fits_the_width():
    arn = f"arn:aws:iam::111122223333:role/{'r' * 42}"
    assert wrapped(f"aws sts assume-role --role-arn {arn} --profile y", 80, "    ") == [
        "    aws sts assume-role --role-arn \\",
        f"     {arn} \\",
        "      --profile y",
    ]


def test_a_long_document_is_broken_where_json_allows():
    document = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    lines = wrapped(f"aws iam x --policy-document '{json.dumps(document)}' --profile y", 60, "    ")
    assert len(lines) > 8
    assert max(map(len, lines)) <= 60
    assert json.loads(as_a_shell_reads("\n".join(lines))[4]) == document


@pytest.mark.parametrize("odd", ["aws 'unclosed", 'aws "x', "aws \\"])
def test_an_unparsable_command_is_left_alone(odd):
    assert wrapped(odd, 4) == [odd]
