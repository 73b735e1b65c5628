"""Markdown as plain paragraphs, for a screen reader: no markup, no lines drawn."""

import re
from collections.abc import Iterator

_BLANK = re.compile(r"\n[ \t]*\n")
_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*]|\d+\.) )")
_RULE = re.compile(r"[|\s:-]+")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_STRESS = re.compile(r"(?<![\w:/*])\*(?=[^\s*])([^*]+)(?<=\S)\*(?![\w*])")
_MARKUP = re.compile(r"\*\*|__|`|^#+ +", re.MULTILINE)


def paragraphs(markdown: str) -> Iterator[str]:
    """Each paragraph, list item, row of a table and line of code, in order."""
    for block in _BLANK.split(markdown.strip("\n")):
        if block.startswith("    "):
            yield from block.split("\n")
        elif block.lstrip().startswith("|"):
            rows = [row for row in block.split("\n") if not _RULE.fullmatch(row)]
            yield from (_bare(", ".join(filter(None, _cells(row)))) for row in rows)
        else:
            yield from (_bare(" ".join(item.split())) for item in _ITEM.split(block))


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _bare(text: str) -> str:
    return _STRESS.sub(r"\1", _MARKUP.sub("", _LINK.sub(r"\1 (\2)", text)))
