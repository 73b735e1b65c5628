"""Text from elsewhere is harmless once shown."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from stslab.render.text.safe import one_line, value_text, visible
from stslab.render.text.symbols import ASCII, UNICODE, plain, symbols_for


@given(st.text())
def test_nothing_invisible_or_controlling_is_left(text):
    for character in visible(text):
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_stays_as_it_is(text):
    assert visible(text) == text


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


def test_values_are_shown_for_what_they_are():
    assert value_text("text") == "text"
    assert value_text(None) == "null"
    assert value_text(False) == "false"
    assert value_text(12) == "12"
    assert json.loads(value_text('{"a": [1]}')) == {"a": [1]}
    assert value_text('{"a": [1]}').count("\n") == 4
    assert value_text("{not json") == "{not json"
    assert value_text(("a",)) == '[\n  "a"\n]'


def test_an_escape_sequence_is_written_out():
    assert visible("a\x1b[31mb\u202e") == "a\\x1b[31mb\\u202e"


@given(st.text())
def test_plain_text_is_ascii_and_as_long(text):
    assert plain(text).isascii()
    assert len(plain(text)) == len(text)


def test_signs_follow_the_encoding():
    assert symbols_for("UTF-8") is UNICODE
    assert symbols_for("utf8") is UNICODE
    assert symbols_for("ascii") is ASCII
    assert symbols_for(None) is ASCII
    assert all(getattr(ASCII, name).isascii() for name in ASCII.__slots__)
