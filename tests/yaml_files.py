"""Reads YAML files of tests with the fast loader: every worker reads all cases when it starts."""

from pathlib import Path
from typing import Any

import yaml

from stslab.structures import safe_loader


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=safe_loader())  # noqa: S506 - safe
