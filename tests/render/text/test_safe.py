"""Text from AWS, labs and files is harmless once shown."""

import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stslab.render.text.safe import (
    markdown_line,
    markdown_prose,
    one_line,
    value_text,
    visible,
)
from stslab.render.text.symbols import ASCII, UNICODE, fitting, symbols_for


@given(st.text())
def test_no_invisible_or_control_character_is_left(text):
    for character in visible(text):
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_is_unchanged(text):
    assert visible(text) == text


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


def test_values_of_each_type():
    assert value_text("text") == "text"
    assert value_text(None) == "null"
    assert value_text(False) == "false"
    assert value_text(12) == "12"
    assert json.loads(value_text('{"a": [1]}')) == {"a": [1]}
    assert value_text('{"a": [1]}').count("\n") == 4
    assert value_text("{not json") == "{not json"
    assert value_text(("a",)) == '[\n  "a"\n]'


def test_an_escape_sequence_is_escaped():
    assert visible("a\x1b[31mb\u202e") == "a\\x1b[31mb\\u202e"


@given(st.text())
def test_plain_text_is_ascii_of_the_same_length(text):
    shown = io.StringIO(newline="")
    fitting(shown).write(text)
    assert shown.getvalue().isascii()
    assert len(shown.getvalue()) == len(text)


def test_signs_follow_the_encoding():
    assert symbols_for("UTF-8") is UNICODE
    assert symbols_for("utf8") is UNICODE
    assert symbols_for("ascii") is ASCII
    assert symbols_for(None) is ASCII
    assert all(getattr(ASCII, name).isascii() for name in ASCII.__struct_fields__)


HOSTILE = st.lists(
    st.sampled_from(
        ["<script>", "</b>", "<!--", "![", "[x]", "](", "]:", "[", "]", "(javascript:1)", "`", "``", "\\",
         "\n", "\n\n", "    ", "|", "<https://a.example>", "(https://a.example)", "x", " ", "- ", "> ", "# ",
         "&lt;", "~~~\n", "```\n", "*", "_", "!", "&", "<", ":", " javascript:1"]
    ),
    max_size=16,
).map("".join)  # fmt: skip


def parts(markdown):
    """The (kind, target) of each token of a page of Markdown, tables included."""
    found = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    tokens = [*found, *(child for one in found for child in one.children or ())]
    return [(one.type, str(one.attrs.get("href", ""))) for one in tokens]


@given(HOSTILE)
@example("\\<script>")
@example("| ` <script> | ` |\n|-|-|\n| ` <script> | ` |")
@example("[x][r]\n\n[r]: javascript:1")
@example("\\![x](javascript:1)")
@example("`\n`<script>`")
@example("`\n- `x`<script>`y`")
@example("a ` b | `<script>` ` c")
def test_a_labs_prose_can_only_show_text(text):
    for kind, target in parts(markdown_prose(text)):
        assert kind not in ("html_inline", "html_block", "image")
        assert not target or target.startswith("https://a.example")


@given(HOSTILE)
def test_a_labs_line_is_only_text(text):
    kinds = {kind for kind, _ in parts(f"Begin {markdown_line(text)}")}
    assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


@pytest.mark.parametrize(
    "text",
    [
        "**Bold**, *soft* and `code <x>`.",
        "- a list\n- of two",
        "[a page](https://docs.aws.amazon.com/IAM/)",
    ],
)
def test_a_labs_markdown_still_works(text):
    assert markdown_prose(text) == text
