"""Takes secrets out of text that is about to be written to a log."""

import re
from collections.abc import Iterator
from pathlib import Path

from stslab.home import home

_HIDDEN = "[hidden]"
_NAMED = re.compile(
    r"((?:secret|token|password)\w*['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,)}]+)", re.IGNORECASE
)
_SECRET_SETTING = re.compile(
    r"^\s*aws_(?:secret_access_key|session_token)\s*=\s*(\S+)", re.MULTILINE
)
_SHORTEST = 8


def without_secrets(text: str) -> str:
    """The text without any secret of stslab's own files, nor what is named like one."""
    for secret in _known():
        text = text.replace(secret, _HIDDEN)
    return _NAMED.sub(rf"\1{_HIDDEN}", text)


def _known() -> Iterator[str]:
    """The secrets that stslab's own files hold, longest first in each."""
    root = home().root
    for file in root.glob("profiles/*/credentials"):
        yield from _SECRET_SETTING.findall(_text(file))
    for file in root.glob("sandbox/**/control.token"):
        token = _text(file).strip()
        if len(token) >= _SHORTEST:
            yield token


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
