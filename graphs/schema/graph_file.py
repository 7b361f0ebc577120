"""One graph file by itself: its name, its text, and what it says about other files and occasions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, StringConstraints, field_validator

from graphs.schema.graph import NAME, GraphSpec
from prompts.closed_yaml import YamlDocument, closest
from prompts.yaml_text import read_text, read_yaml
from store.errors import UsageError, first_of

HEAD = frozenset({"extends", "overrides"})
_KEYS = sorted([*GraphSpec.model_fields, *HEAD])
OverrideName = Annotated[str, StringConstraints(pattern=NAME)]


class Head(BaseModel, extra="allow"):
    """What a file says about other files and occasions; the rest is checked after merging."""

    name: str | None = None
    extends: OverrideName | None = None
    overrides: dict[OverrideName, dict[str, Any] | None] = Field(default_factory=dict)

    @field_validator("overrides", mode="before")
    @classmethod
    def _none_left(cls, value: Any) -> Any:
        """A section whose lines were all taken out."""
        return {} if value is None else value


class GraphFile(NamedTuple):
    document: YamlDocument
    head: Head


def open_file(file: Path) -> GraphFile:
    """Raises: UsageError."""
    return parse_file(read_text(file), str(file))


def parse_file(text: str, source: str) -> GraphFile:
    """Raises: UsageError for keys that no graph file has, and for a file that is neither a graph nor extends one."""
    document = read_yaml(text, source=source)
    unknown = [key for key in document.data if key not in _KEYS]
    if unknown:
        raise first_of([_unknown(document, key) for key in unknown])
    head = document.validate(Head)
    if head.extends is None and not {"nodes", "edges"} & document.data.keys():
        message = "it has no 'nodes' and no 'edges'; put 'extends: NAME' at the top to lay it over the graph NAME"
        raise document.error((), message)
    return GraphFile(document, head)


def check_name(file: Path) -> None:
    """Raises: UsageError for a file whose graph no other could name."""
    if not re.fullmatch(NAME, file.stem):
        better = re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_") or "graph"
        raise UsageError(f"{file}: a graph's name is small letters, digits and _; call the file {better}.yaml")


def _unknown(document: YamlDocument, key: str) -> UsageError:
    return document.error((key,), f"unknown key; expected one of {', '.join(_KEYS)}{closest(key, _KEYS)}")
