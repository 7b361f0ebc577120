"""A call's arguments against the tool's JSON Schema: made to fit where there is no doubt, else the fault named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prompts.closed_yaml import closest


def coerce(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Strings read as what the schema wants: some formats write every value as plain text, and models quote numbers."""
    properties = schema.get("properties", {})
    return {name: _coerced(value, properties.get(name, {})) for name, value in arguments.items()}


def find_fault(tool: str, arguments: dict[str, Any], schema: Mapping[str, Any]) -> str | None:
    """The first thing wrong with `arguments`, or None. An argument that the schema does not name is wrong."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    properties = schema.get("properties", {})
    takes = f"'{tool}' takes: {', '.join(properties) or 'no arguments'}"
    unknown = [name for name in arguments if name not in properties]
    if unknown and not schema.get("additionalProperties"):
        return f"unknown argument '{unknown[0]}'; {takes}{closest(unknown[0], properties)}"
    missing = [name for name in schema.get("required", ()) if name not in arguments]
    if missing:
        return f"the argument '{missing[0]}' is missing; {takes}"
    error = best_match(Draft202012Validator(schema).iter_errors(arguments))
    if error is None:
        return None
    place = ".".join(map(str, error.absolute_path))
    return f"argument '{place}': {error.message}" if place else error.message


def _coerced(value: Any, schema: Mapping[str, Any]) -> Any:
    types = _types(schema)
    if not types:
        return value
    if "string" in types:
        plain = isinstance(value, int | float) and not isinstance(value, bool) and not types & {"integer", "number"}
        return str(value) if plain else value
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false", "null", "none") else text)
    except json.JSONDecodeError:
        return None if text.lower() == "none" else value


def _types(schema: Mapping[str, Any]) -> set[str]:
    """Of the schema and its alternatives; empty when it does not say, or says it by reference."""
    options = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    named = [option.get("type", ()) for option in options]
    return {kind for kinds in named for kind in ([kinds] if isinstance(kinds, str) else kinds)}
