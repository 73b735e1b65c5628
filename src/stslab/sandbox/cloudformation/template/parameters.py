"""A template's parameters: their declarations and values (User Guide, "Parameters")."""

import re
from collections.abc import Callable, Iterable, Mapping

from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.api.model import hashed
from stslab.sandbox.cloudformation.template import template
from stslab.sandbox.cloudformation.template.template import Value, as_text, well_formed

VALUE_LIMIT = 4096  # the maximum size of a value, in bytes ("AWS CloudFormation quotas")
MASK = "****"  # the shown value of a ``NoEcho`` parameter ("Parameters", NoEcho)

Declaration = Mapping[str, Value]
TEXT = frozenset({"String"})
LISTS = frozenset({"List<Number>", "List<String>", "CommaDelimitedList"})
NUMBER = frozenset({"Number", "List<Number>"})
TYPES = TEXT | LISTS | NUMBER
TEXTS = ("AllowedPattern", "ConstraintDescription", "Default", "Description", "NoEcho")
LIMITS = frozenset({"MaxLength", "MaxValue", "MinLength", "MinValue"})
_INTEGER = re.compile("[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]++\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def check_declarations(declarations: Mapping[str, Declaration]) -> None:
    """Raise ValidationError for invalid declarations, and for unsupported types."""
    from stslab.sandbox.cloudformation.template import patterns  # 50 ms

    parts = 0
    for name, declared in declarations.items():
        template.check_name("Parameter", name)
        well_formed(isinstance(declared, dict), "Any Parameters member must be an object.")
        unknown = sorted(set(declared) - set(template.ANATOMY["parameter"]))
        require(not unknown, f"Invalid template parameter property '{''.join(unknown[:1])}'")
        kind = declared.get("Type")
        well_formed(kind is not None, "Every Parameters object must contain a Type member.")
        well_formed(isinstance(kind, str), "Every Type member must be a string.")
        foreign = str(kind).startswith(("AWS::", "List<AWS::"))
        well_formed(not foreign, template.SAYS["foreign type"].format(kind, name))
        well_formed(kind in TYPES, f"Unrecognized parameter type: {kind}")
        fits = isinstance(declared.get("AllowedValues", []), list)
        well_formed(fits, "Every AllowedValues member must be a list.")
        for key in TEXTS:
            fits = not isinstance(declared.get(key), dict | list)
            well_formed(fits, f"Every {key} member must be a string.")
        default = as_text(declared.get("Default", ""))
        told = f"[{MASK}]" if is_secret(declared) else default
        too_long = f"Parameter '{name}' default value '{told}' length is greater than"
        well_formed(len(default) <= VALUE_LIMIT, f"{too_long} {VALUE_LIMIT}.")
        for key in LIMITS & declared.keys():
            wanted, form = ("an integer", _INTEGER) if "Length" in key else ("a number", _NUMBER)
            fits = form.fullmatch(as_text(declared[key])) is not None
            well_formed(fits, f"Every {key} member must be {wanted}.")
        pattern = declared.get("AllowedPattern", "")
        refusal = f"Template format error: Invalid AllowedPattern {pattern}"
        try:
            parts += patterns.compiled(pattern)[1]
        except (TypeError, ValueError, OverflowError, RecursionError, MemoryError):
            raise invalid(refusal) from None
        require(parts <= 2 * patterns.LARGEST, refusal)
        if "Default" in declared:
            _check_value(name, default, declared)


def _matches(value: str, pattern: str) -> bool:
    """Whether the value matches. A slow pattern gets one second, and other requests go on."""
    from stslab.sandbox.cloudformation.template import patterns  # 50 ms

    try:
        matcher, _ = patterns.compiled(pattern)
        return matcher.fullmatch(value, timeout=1, concurrent=True) is not None
    except TimeoutError:
        raise invalid(f"AllowedPattern {pattern} takes too long to match") from None


def resolve(
    declarations: Mapping[str, Declaration],
    given: Iterable[Mapping[str, Value]],
    previous: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The value of each parameter as text, from the request or the default.

    ``given`` are ``Parameter`` shapes of the request, ``previous`` the stack's values so far, for
    ``UsePreviousValue``. Raises ValidationError for missing, unknown or invalid values.
    """
    values: dict[str, str] = {}
    for entry in given:
        require(entry.get("ParameterKey"), "Each parameter must have a ParameterKey")
        values[str(entry["ParameterKey"])] = _given(entry, previous or {})
    require(declarations or not values, template.ANATOMY["no parameters"])
    unknown = [name for name in values if name not in declarations]
    require(not unknown, f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    defaults = {name: d["Default"] for name, d in declarations.items() if "Default" in d}
    values = {name: as_text(value) for name, value in (defaults | values).items()}
    missing = [name for name in declarations if name not in values]
    require(not missing, f"Parameters: [{', '.join(missing)}] must have values")
    for name, declared in declarations.items():
        _check_value(name, values[name], declared)
    return {name: values[name] for name in declarations}


def _given(entry: Mapping[str, Value], previous: Mapping[str, str]) -> str:
    key, value = entry["ParameterKey"], entry.get("ParameterValue")
    refusal = f"Invalid input for parameter key {key}."
    if not entry.get("UsePreviousValue"):
        require(value is not None, f"{refusal} Either specify a value or usePreviousValue as true")
        return str(value)
    cannot = f"{refusal} Cannot specify usePreviousValue as true"
    require(not value, f"{cannot} and non empty value for a parameter")
    require(key in previous, f"{cannot} for a parameter key not in the previous template")
    return previous[key]


def typed(declarations: Mapping[str, Declaration], values: Mapping[str, str]) -> dict[str, Value]:
    """The value of ``Ref`` for each parameter: a text, or a list for the list types."""
    return {
        name: _members(values[name]) if declared["Type"] in LISTS else values[name]
        for name, declared in declarations.items()
    }


def _members(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def is_secret(declared: Declaration) -> bool:
    return as_text(declared.get("NoEcho", False)).lower() == "true"


def masked(declarations: Mapping[str, Declaration], values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: MASK if is_secret(declarations.get(name, {})) else value
        for name, value in values.items()
    }


def shown(
    declarations: Mapping[str, Declaration], values: Mapping[str, str]
) -> list[dict[str, str]]:
    visible = hashed(masked(declarations, values))
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in visible.items()]


def described(name: str, body: Declaration) -> dict[str, Value]:
    """A declaration as in GetTemplateSummary, which has all members that other answers have."""
    allowed = [as_text(value) for value in body.get("AllowedValues", [])]
    return {
        "ParameterKey": name,
        "NoEcho": is_secret(body),
        "DefaultValue": as_text(body["Default"]) if "Default" in body else None,
        "Description": as_text(body["Description"]) if "Description" in body else None,
        "ParameterType": body["Type"],
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _check_value(name: str, value: str, declared: Declaration) -> None:
    kind, size = declared["Type"], len(value.encode())
    require(size <= VALUE_LIMIT, f"Parameter '{name}' must contain at most {VALUE_LIMIT} bytes")
    for member in _members(value) if kind in LISTS else [value]:
        is_number = _NUMBER.fullmatch(member)
        require(kind not in NUMBER or is_number, f"Parameter '{name}' must be a number.")
        for key, kinds, fits, problem in CHECKS:
            limit = declared.get(key)
            if limit is not None and kind in kinds and not fits(member, limit):
                reason = declared.get("ConstraintDescription")
                failed = f"Parameter {name} failed to satisfy constraint: {reason}"
                told = f"Parameter '{name}' {problem.format(as_text(limit))}"
                raise invalid(failed if reason else told)


CHECKS: tuple[tuple[str, frozenset[str], Callable[[str, Value], object], str], ...] = (
    ("AllowedValues", TYPES, lambda v, x: v in map(as_text, x), "must be one of AllowedValues"),
    ("AllowedPattern", TYPES, _matches, "must match pattern {}"),
    ("MinLength", TEXT, lambda v, x: len(v) >= float(x), "must contain at least {} characters"),
    ("MaxLength", TEXT, lambda v, x: len(v) <= float(x), "must contain at most {} characters"),
    ("MinValue", NUMBER, lambda v, x: float(v) >= float(x), "must be a number not less than {}"),
    ("MaxValue", NUMBER, lambda v, x: float(v) <= float(x), "must be a number not greater than {}"),
)
"""For each constraint: its parameter types, whether a value fits, and the error."""
