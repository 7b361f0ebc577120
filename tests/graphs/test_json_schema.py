"""The exported schema takes what the language takes, refuses what it refuses, and describes every key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from graphs.schema import graph_files, graph_json_schema

SCHEMA = graph_json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def refused(text: str) -> bool:
    return not VALIDATOR.is_valid(yaml.safe_load(text))


def test_it_is_a_schema_and_every_shipped_graph_fits_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name, file in graph_files().items():
        errors = [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(file.read_text(encoding="utf-8")))]
        assert errors == [], name


@pytest.mark.parametrize(
    "text",
    [
        "extends: solver",
        "extends: solver\nnodes: {compress: null, think: {prompt: x}}",
        "extends: solver\nnodes: {think: {kind: value_select}}\ntools: {search: null}",
        "extends: solver\nedges: {think: {answer: verify}, compress: null}",
        "extends: solver\nedges: {search: {ok: think, compress: null}}",
        "extends: solver\noverrides: {trec: {edges: {search: {compress: null}}}}",
        "extends: solver\noverrides: {trec: {tools: {search: {k: 3}}}, tiny: null}",
        "extends: iteration\nnodes: {solve: {graph: my_solver}}",
    ],
)
def test_parts_are_taken_where_a_file_extends(text: str) -> None:
    assert not refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "description: d",
        "nodes: {think: {prompt: x}}",
        "extends: solver\ntool: {}",
        "extends: solver\nnodes: {think: {promt: x}}",
        "extends: solver\nnodes: {think: {kind: polcy}}",
        "extends: solver\ntools: {search: {k: 0}}",
        "extends: solver\nplugins: [{kind: step_budget}]",
        "extends: solver\nsampling: {temperature: warm}",
        "extends: solver\noverrides: {trec: {tools: {search: {kk: 3}}}}",
        "extends: solver\noverrides: {Trec: {}}",
        "extends: solver\noverrides: {trec: {extends: solver}}",
        "extends: iteration\nnodes: {solve: {stage: slove}}",
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    assert refused(text)


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, definition in schema["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            yield name, key, value


def test_every_key_is_described() -> None:
    bare = sorted({f"{name}.{key}" for name, key, value in keys(SCHEMA) if not value.get("description")})
    assert bare == []


def test_every_mapping_of_the_language_is_closed() -> None:
    open_ones = [
        name
        for name, definition in SCHEMA["$defs"].items()
        if "properties" in definition and definition.get("additionalProperties") is not False
    ]
    assert open_ones == []
