"""The file format as a JSON Schema, for editors: keys described, unknown ones refused, parts where parts will do."""

from __future__ import annotations

import copy
from typing import Any

from graphs.schema.graph import NAME, GraphSpec

_EXTENDS = {
    "type": "string",
    "pattern": NAME,
    "description": "the graph that this file is laid over: mappings merge, lists replace, null removes; a file that "
    "extends its own name lies over the one that it shadows",
}
_OVERRIDES = "parts laid over the graph for a task, or for a policy's variant (`tiny`); list items are given whole"


def graph_json_schema() -> dict[str, Any]:
    """Of a graph file, whole or laid over another with `extends`; `overrides` hold parts. Draft 2020-12."""
    whole = GraphSpec.model_json_schema(mode="validation")
    definitions = {name: _kind_described(schema) for name, schema in whole.pop("$defs").items()}
    part = {**whole, "properties": {key: value for key, value in whole["properties"].items() if key != "name"}}
    parts = {f"Part{name}": _part(schema) for name, schema in definitions.items()}
    head = {"extends": _EXTENDS, "overrides": _overrides()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "karl graph",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/ExtendingGraph"},
        "else": {"$ref": "#/$defs/WholeGraph"},
        "$defs": {
            **definitions,
            **parts,
            "WholeGraph": {
                **whole,
                "properties": {**whole["properties"], **head},
                "required": [key for key in whole["required"] if key != "name"],
            },
            "ExtendingGraph": _with(_part(whole), {"name": whole["properties"]["name"], **head}),
            "PartGraph": _part(part),
        },
    }


def _kind_described(schema: dict[str, Any]) -> dict[str, Any]:
    """An editor shows the key `kind` with what its value stands for: the first sentence of the model's docstring."""
    kind = schema.get("properties", {}).get("kind")
    if kind is None or "description" in kind or "description" not in schema:
        return schema
    return _with(schema, {"kind": {**kind, "description": schema["description"].split("\n")[0]}})


def _overrides() -> dict[str, Any]:
    return {
        "type": "object",
        "description": _OVERRIDES,
        "additionalProperties": False,
        "patternProperties": {NAME: {"anyOf": [{"$ref": "#/$defs/PartGraph"}, {"type": "null"}]}},
    }


def _with(schema: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "properties": {**schema["properties"], **properties}}


def _part(schema: dict[str, Any]) -> dict[str, Any]:
    """Nothing required, null allowed wherever a key may be removed; lists stay whole, since they replace."""
    schema = copy.deepcopy(schema)
    schema.pop("required", None)
    schema["properties"] = {key: _nullable(value) for key, value in schema.get("properties", {}).items()}
    return {key: value for key, value in schema.items() if value or key != "properties"}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    described = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [_partial(schema), {"type": "null"}], **described}


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {**schema, "$ref": schema["$ref"].replace("#/$defs/", "#/$defs/Part")}
    if isinstance(schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": _nullable(schema["additionalProperties"])}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_partial(option) for option in schema["anyOf"]]}
    if "oneOf" in schema:
        # Without its kind a part may fit several: any of them will do.
        kept = {key: value for key, value in schema.items() if key not in ("oneOf", "discriminator")}
        return {**kept, "anyOf": [_partial(option) for option in schema["oneOf"]]}
    return schema
