"""The lab format as JSON Schema, for editors.

``python -m stslab.lab.schema > lab/lab.schema.json`` writes the one that is shipped.
"""

import json
import sys
from typing import Any

from stslab.lab.model import LabFile


def schema_text() -> str:
    """The schema as it is shipped beside the labs, made from the model."""
    made = LabFile.model_json_schema(by_alias=True, mode="validation")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_as_authors_write(made),
        "title": "A lab of stslab",
    }
    return json.dumps(schema, indent=2) + "\n"


def _as_authors_write(part: Any) -> Any:
    """Without what a file never has: a null for what is left out, and titles made of names."""
    if isinstance(part, list):
        return [_as_authors_write(one) for one in part if one != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _as_authors_write(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str)) and (key, value) != ("default", None)
    }
    alternatives = kept.get("anyOf", ())
    if len(alternatives) == 1:
        return {**alternatives[0], **{key: kept[key] for key in kept if key != "anyOf"}}
    return kept


if __name__ == "__main__":
    sys.stdout.write(schema_text())
