"""Graph files: found by name, read, merged with their overrides, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from graphs.schema.graph import GraphSpec
from prompts.closed_yaml import YamlDocument, closest, read_yaml
from store.errors import UsageError

BUILT_IN = Path(__file__).parent.parent


class _Overridden(BaseModel, extra="allow"):
    """Only the shape of `overrides`; what stands in it is checked after merging."""

    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)


def load_spec(name: str, *, variant: str = "", path: Sequence[Path] = ()) -> GraphSpec:
    """The graph `name` for `variant` (a graph without overrides for it is the same for all).

    Raises: UsageError naming file, line, column, key, what was expected and the closest valid name.
    """
    folders = [*path, BUILT_IN]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return read_spec(folder / f"{name}.yaml", variant=variant)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    looked = ", ".join(map(str, folders))
    raise UsageError(f"no graph named '{name}' in {looked}; there are: {', '.join(known)}{closest(name, known)}")


def read_spec(path: Path, *, variant: str = "") -> GraphSpec:
    """One file, checked for all of its variants. Raises: UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: can't be read: {exc}") from exc
    return parse_spec(text, source=str(path), variant=variant)


def parse_spec(text: str, *, source: str, variant: str = "") -> GraphSpec:
    """The text of a graph file. Raises: UsageError."""
    document = read_yaml(text, source=source)
    overrides = document.validate(_Overridden).overrides
    base = {key: value for key, value in document.data.items() if key != "overrides"}
    specs = {"": _checked(document, base, under=())}
    for name, changes in overrides.items():
        specs[name] = _checked(document, merge(base, changes), under=("overrides", name))
    return specs.get(variant, specs[""])


def merge(base: Any, changes: Any) -> Any:
    """`changes` laid over `base`, mapping by mapping; anything else, lists included, replaces."""
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in changes.items()}}


def _checked(document: YamlDocument, data: dict[str, Any], *, under: tuple[str, ...]) -> GraphSpec:
    from graphs.checks import check_spec

    spec = document.validate(GraphSpec, data=data, under=under)
    check_spec(spec, document)
    return spec
