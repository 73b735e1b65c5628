"""Makes what is generated about labs; ``python -m tests.lab.reference`` writes all of it.

From the lab format's model, the JSON Schema for editors and the tables of docs/authors.md; from the
bundled labs, lab/headers.json and lab/faults.json.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from msgspec import inspect

from stslab.cli.run.faults import proved
from stslab.cli.workspace import load_lab
from stslab.lab.listing import read
from stslab.lab.model import Cell, Check, Fault, LabFile, Part, ProfileSettings, Stage, Step
from stslab.lab.reading.structure import fields, key_texts, plain_type
from stslab.resources import bundled_labs

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent.parent
SCHEMA, PAGE = ROOT / "lab" / "lab.schema.json", ROOT / "docs" / "authors.md"
HEADERS, FAULTS = ROOT / "lab" / "headers.json", ROOT / "lab" / "faults.json"
TABLES: dict[str, type[Part]] = {
    "The lab": LabFile,
    "A stage": Stage,
    "A step": Step,
    "A check": Check,
    "The access table": Cell,
    "A fault": Fault,
    "Profiles": ProfileSettings,
}
_LINK = re.compile(r"\[([^]]+)\]\(#[^)]+\)")


def page_text(page: str) -> str:
    """The authors' page with the model's tables, each below its heading."""
    for heading, model in TABLES.items():
        before, title, rest = page.partition(f"# {heading}\n")
        start = rest.index("| key |")
        page = before + title + rest[:start] + _table(model) + rest[rest.index("\n\n", start) :]
    return page


def _table(model: type[Part]) -> str:
    rows = ["| key | | means |", "| --- | --- | --- |"]
    for one in fields(model):
        text, when = key_texts(model)[one.encode_name]
        needed = "required" if one.required else when
        rows.append(f"| `{one.encode_name}` | {needed}{' ' if needed else ''}| {text} |")
    return "\n".join(rows)


def schema_text() -> str:
    """The text of the schema, which is shipped beside the labs."""
    parts: Json = {}
    lab = _part(LabFile, parts)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": dict(sorted(parts.items())),
        **lab,
        "title": "A lab of stslab",
    }
    return json.dumps(schema, indent=2) + "\n"


def _part(model: type[Part], parts: Json) -> Json:
    known = fields(model)
    return {
        "description": (model.__doc__ or "").split("\n\n")[0].strip(),
        "type": "object",
        "properties": {one.encode_name: _field(model, one, parts) for one in known},
        "required": [one.encode_name for one in known if one.required],
        **({"oneOf": [{"required": [key]} for key in model.ONE_OF]} if model.ONE_OF else {}),
        "additionalProperties": False,
    }


def _field(model: type[Part], one: inspect.Field, parts: Json) -> Json:
    schema = _written(one.type, parts)
    if not one.required and one.default != "" and isinstance(one.default, str | bool):
        schema = {"default": one.default, **schema}
    text, when = key_texts(model)[one.encode_name]
    said = f"{when[0].upper()}{when[1:]}. {text}" if when else text
    return {**schema, "description": _LINK.sub(r"\1", said)}


def _written(kind: inspect.Type, parts: Json) -> Json:
    found, extra = plain_type(kind)
    if "written" in extra:
        return dict(extra["written"])
    if not isinstance(found, inspect.VarTupleType):
        return _type(found, parts)
    item = _written(found.item_type, parts)
    least = {"minItems": found.min_length} if found.min_length else {}
    listed = {"type": "array", "items": item, **least}
    none = [{"const": extra["none"]}] if "none" in extra else []
    return {"anyOf": [*none, item, listed]} if extra.get("one") else listed


def _type(found: inspect.Type, parts: Json) -> Json:
    if isinstance(found, inspect.StructType):
        return _reference(found.cls, parts)
    if isinstance(found, inspect.DictType):
        names = _type(plain_type(found.key_type)[0], parts)
        values = _written(found.value_type, parts)
        kept = {name: value for name, value in names.items() if name != "type"}
        return {
            "type": "object",
            **({"propertyNames": kept} if kept else {}),
            **({"additionalProperties": values} if values else {}),
        }
    if isinstance(found, inspect.StrType):
        limits = {"pattern": found.pattern, "minLength": found.min_length}
        return {"type": "string", **{name: one for name, one in limits.items() if one is not None}}
    if isinstance(found, inspect.LiteralType):
        return {"enum": list(found.values)} if found.values[1:] else {"const": found.values[0]}
    if isinstance(found, inspect.EnumType):
        return {"enum": [one.value for one in found.cls]}
    return {"type": "boolean"} if isinstance(found, inspect.BoolType) else {}


def _reference(model: Any, parts: Json) -> Json:
    if model.__name__ not in parts:
        parts[model.__name__] = {}  # it may hold itself
        parts[model.__name__] = _part(model, parts)
    reference = {"$ref": f"#/$defs/{model.__name__}"}
    if not model.SHORT:
        return reference
    short = next(one for one in fields(model) if one.encode_name == model.SHORT)
    return {"anyOf": [_written(short.type, parts), reference]}


def headers_text() -> str:
    """The headers of the bundled labs by the SHA-256 of their files; `stslab labs` reads them."""
    known: Json = {}
    for path in bundled_labs():
        raw = path.read_bytes()
        header = read(path, raw)._asdict()
        assert not header.pop("problem")
        del header["path"]
        known[hashlib.sha256(raw).hexdigest()] = header
    return json.dumps(known, indent=1) + "\n"


def faults_text() -> str:
    """The proved faults of the bundled labs by the labs' hashes; `stslab break --list` reads them."""
    labs = map(load_lab, bundled_labs())
    return json.dumps({lab.sha256: proved(lab) for lab in labs}, indent=1) + "\n"


if __name__ == "__main__":
    HEADERS.write_text(headers_text(), encoding="utf-8")
    FAULTS.write_text(faults_text(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
