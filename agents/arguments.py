"""A call's arguments against the tool's JSON Schema: made to fit where there is no doubt, else the fault named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prompts.closed_yaml import closest
from store.errors import UsageError


def check_schema(tool: str, schema: Mapping[str, Any]) -> None:
    """Raises: UsageError naming the tool, for a schema that no argument could be checked against."""
    from jsonschema import Draft202012Validator, SchemaError
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        place = ".".join(map(str, exc.absolute_path))
        raise UsageError(f"tool '{tool}': its parameters are no JSON Schema: {place}: {exc.message}") from exc
    root = DRAFT202012.create_resource(schema)
    _check_references(tool, root, Registry().with_resource("", root).resolver())


def coerce(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Strings read as what the schema wants: some formats write every value as plain text, and models quote numbers.

    Inside objects and lists too, where the schema leaves no choice between several.
    """
    return _coerced(dict(arguments), schema, schema)


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


def _check_references(tool: str, schema: Any, resolver: Any) -> None:
    from referencing.exceptions import Unresolvable

    if isinstance(schema.contents, Mapping) and isinstance(reference := schema.contents.get("$ref"), str):
        try:
            resolver.lookup(reference)
        except Unresolvable as exc:
            raise UsageError(f"tool '{tool}': its parameters refer to '{reference}', which is not in them") from exc
    for inner in schema.subresources():
        _check_references(tool, inner, resolver.in_subresource(inner))


def _coerced(value: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    options = _options(schema, root)
    value = _unquoted(value, _types(options))
    match value:
        case dict() if properties := _only("properties", options):
            return {name: _coerced(item, properties.get(name, {}), root) for name, item in value.items()}
        case list() if items := _only("items", options):
            return [_coerced(item, items, root) for item in value]
    return value


def _unquoted(value: Any, types: set[str]) -> Any:
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


def _options(schema: Any, root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema and its alternatives, references among them followed."""
    if not isinstance(schema, Mapping):  # true and false are schemas
        return []
    alternatives = (option for key in ("anyOf", "oneOf", "allOf") for option in schema.get(key, ()))
    return [_followed(option, root) for option in (schema, *alternatives) if isinstance(option, Mapping)]


def _followed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    match str(schema.get("$ref", "")).split("/"):
        case ["#", "$defs" | "definitions" as place, name] if isinstance(root.get(place, {}).get(name), Mapping):
            return root[place][name]
    return schema


def _only(key: str, options: list[Mapping[str, Any]]) -> Any:
    """What one of the options has under `key`; None where several have it."""
    found = [option[key] for option in options if key in option]
    return found[0] if len(found) == 1 else None


def _types(options: list[Mapping[str, Any]]) -> set[str]:
    """Empty when the schema does not say."""
    named = [option.get("type", ()) for option in options]
    return {kind for kinds in named for kind in ([kinds] if isinstance(kinds, str) else kinds)}
