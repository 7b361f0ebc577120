"""`karl.toml` with every setting, its meaning and its default, as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from karl.settings import Settings

_HEAD = """\
# Settings of this folder, read by every `karl` command that is started here. Each can also be set as a variable
# KARL_<NAME>, which has the last word. What stands behind a # is the default.
"""


def settings_toml(**given: list[str]) -> str:
    """Every setting as a comment, those `given` as values. Tables come last, as TOML wants it."""
    fields = Settings.model_fields
    tables = {name: table for name, field in fields.items() if (table := _table(field.annotation)) is not None}
    plain = {name: field for name, field in fields.items() if name not in tables}
    lines = [_HEAD, *(line for name, field in plain.items() for line in _setting(name, field, given.get(name)))]
    for name, table in tables.items():
        lines += [*_comment(fields[name].description), f"# [{name}]"]
        lines += [line for key, field in table.model_fields.items() for line in _entry(key, field)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _setting(name: str, field: FieldInfo, given: list[str] | None) -> Iterator[str]:
    yield from _comment(field.description)
    default = _toml(field.get_default(call_default_factory=True))
    yield f"{name} = {_toml(given)}" if given is not None else f"# {name} = {default}"
    yield ""


def _entry(key: str, field: FieldInfo) -> Iterator[str]:
    told = f"  # {field.description}" if field.description else ""
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    yield f"# {key} = {_toml(default) if default is not None else '...'}{told}"


def _comment(text: str | None) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap((text or "").capitalize()[:1] + (text or "")[1:], 116)]


def _table(annotation: Any) -> type[BaseModel] | None:
    """The model of a setting that is a table of its own, optional or not."""
    options = [annotation, *get_args(annotation)]
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _toml(value: Any) -> str:
    """JSON's spelling of strings, numbers, booleans and lists is TOML's too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, default=lambda other: str(other) if isinstance(other, Path) else repr(other))
