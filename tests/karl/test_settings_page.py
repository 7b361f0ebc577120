"""docs/settings.md names every key with its meaning; a key that is added without a line there fails here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from karl.settings import TABLES, Settings
from tests.karl.kit import REPOSITORY

PAGE = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")


def shown(field: FieldInfo) -> str:
    """The default as the page writes it."""
    default: Any = field.get_default(call_default_factory=True)
    if field.is_required():
        return "needed"
    if default is None or default in ("", [], {}, ()):
        return ""
    if isinstance(default, BaseModel):
        return "its own table"
    return f"`{default}`" if isinstance(default, str | Path) else f"`{json.dumps(default)}`"


@pytest.mark.parametrize(
    ("table", "model"), [("", Settings), *TABLES.items()], ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_has_its_line(table: str, model: type[BaseModel]) -> None:
    section = PAGE if not table else PAGE.split(f"## `[{table}]`")[1].split("\n## ")[0]
    for name, field in model.model_fields.items():
        (line,) = [line for line in section.splitlines() if line.startswith(f"| `{name}` |")][:1] or [""]
        assert (field.description or name) in line, f"docs/settings.md: no line for {table or 'karl.toml'} {name}"
        assert line.split("|")[2].strip() == shown(field), line
