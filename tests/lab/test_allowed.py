"""`# stslab: allow RULE reason` is for the line below it, or its own."""

from stslab.lab.lint import rules_allowed

TEXT = """\
# stslab: allow first it is meant so
# and more of why

- title: one
- title: two  # stslab: allow second/part because
- title: three  # stslab: allow third
"""


def test_a_comment_is_for_the_next_line_with_content():
    allowed = rules_allowed(TEXT)
    assert allowed("first", 4)
    assert not allowed("first", 5)


def test_a_comment_at_a_lines_end_is_for_that_line_and_for_its_part():
    allowed = rules_allowed(TEXT)
    assert allowed("second/part", 5)
    assert not allowed("second/other", 5)
    assert allowed("first/any-part", 4)


def test_without_a_reason_nothing_is_allowed():
    assert not rules_allowed(TEXT)("third", 6)
