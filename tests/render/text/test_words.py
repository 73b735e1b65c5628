"""Markdown as plain paragraphs."""

from stslab.render.terminal.paper import paragraphs


def test_markup_is_removed_and_the_words_stay():
    text = "An **IAM user** has *one*\na `s3:*` b `arn:*/*`.\n\n## More\n\nSee [the page](https://x.example/y)."
    assert list(paragraphs(text)) == [
        "An IAM user has one a s3:* b arn:*/*.",
        "More",
        "See the page (https://x.example/y).",
    ]


def test_each_item_is_a_paragraph():
    assert list(paragraphs("- one\n  goes on\n- two\n\n1. three\n2. four")) == [
        "- one goes on",
        "- two",
        "1. three",
        "2. four",
    ]


def test_a_table_is_its_rows():
    assert list(paragraphs("| code | means |\n| --- | --- |\n| 0 | done |")) == [
        "code: means",
        "0: done",
    ]


def test_code_is_unchanged():
    assert list(paragraphs("Run:\n\n    stslab run --yes   # `all`\n    stslab status")) == [
        "Run:",
        "    stslab run --yes   # `all`",
        "    stslab status",
    ]


def test_fenced_code_is_unchanged_too():
    text = "Run:\n\n```console\n$ stslab lint\n\n  `all`\n```\n\nThen go on."
    assert list(paragraphs(text)) == ["Run:", "    $ stslab lint", "      `all`", "Then go on."]
