"""A TOML recipe as a settings model: found by name or path, overrides on top, every mistake told with its key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from store.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"
ModelT = TypeVar("ModelT", bound=BaseModel)


class Problem(NamedTuple):
    """A key of a recipe, dotted, and what is wrong with it."""

    key: str
    said: str


def no_problems(config: Any) -> list[Problem]:
    """Where the model's own validation is all there is."""
    return []


def read_recipe(
    model: type[ModelT],
    source: str | Path,
    overrides: Mapping[str, Any],
    *,
    folder: Path,
    tables: type[BaseModel],
    check: Callable[[ModelT], list[Problem]] = no_problems,
) -> ModelT:
    """`source`: a recipe's name in `folder`, or a path; the keys of `overrides` may be dotted.

    tables: whose keys a dotted key may name; check: what is wrong beyond the model's own validation.
    Raises UsageError that names the file, the key and what is allowed.
    """
    path = _path(source, folder=folder)
    values = _parsed(path)
    for key, value in overrides.items():
        values = _put(values, key.split("."), value, key=key)
    try:
        config = model.model_validate(values)
        problems = check(config)
    except ValidationError as exc:
        config, problems = None, [_problem(error, model, tables) for error in exc.errors()]
    if config is None or problems:
        raise UsageError("\n".join(f"{_where(path, key, overrides)}: {said}" for key, said in problems))
    return config


def closest(name: str, allowed: list[str]) -> str:
    """What to write instead of `name`."""
    near = get_close_matches(name, allowed, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"keys are: {', '.join(allowed)}"


def _path(source: str | Path, *, folder: Path) -> Path:
    path = Path(source)
    if isinstance(source, str) and path.suffix != ".toml" and path.name == source:
        path = folder / f"{source}.toml"
    if not path.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in folder.glob("*.toml")))
        raise UsageError(f"{source}: no such recipe or file; recipes that come with the package: {known}")
    return path


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: not valid TOML: {exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc


def _put(table: Mapping[str, Any], at: list[str], value: Any, *, key: str) -> dict[str, Any]:
    """The table with `value` at a dotted key."""
    first, *rest = at
    if rest:
        inner = table.get(first, {})
        if not isinstance(inner, Mapping):
            raise UsageError(f"override: key {key!r}: {first!r} is a single value, not a table")
        value = _put(inner, rest, value, key=key)
    return {**table, first: value}


def _problem(error: Any, model: type[BaseModel], tables: type[BaseModel]) -> Problem:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        allowed = list((tables if "." in key else model).model_fields)
        return Problem(key, f"unknown key {key!r}; {closest(key.split('.')[-1], allowed)}")
    if not key:  # two keys that do not go together: pydantic shows all of them, which helps no one
        return Problem(key, error["msg"])
    return Problem(key, f"key {key!r}: {error['msg']}, got {error['input']!r}")


def _where(path: Path, key: str, overrides: Mapping[str, Any]) -> str:
    overridden = any(key == name or key.startswith(f"{name}.") for name in overrides)
    return "override" if overridden else str(path)
