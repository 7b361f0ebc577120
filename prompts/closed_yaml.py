"""YAML data as a closed pydantic model; a complaint names file, line, column, key, expectation and the closest name.

Used for the front matter of prompts and for graph files.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from store.errors import UsageError, first_of

ModelT = TypeVar("ModelT", bound=BaseModel)
Path = tuple[str | int, ...]
Mark = tuple[int, int]
# What pydantic calls the types that YAML has.
_WANTED = {
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "dict_type": "keys and values",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}


def closest(name: object, names: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no name is near."""
    near = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class YamlDocument:
    """Plain data plus where every key and item stands. `marks`: path -> (line, column), both 1-based."""

    source: str
    data: Any
    marks: dict[Path, Mark] = field(repr=False)

    def error(self, path: Path, message: str) -> UsageError:
        line, column = self.mark(path)
        key = f" key '{'.'.join(map(str, path))}':" if path else ""
        return UsageError(f"{self.source}:{line}:{column}:{key} {message}")

    def mark(self, path: Path) -> Mark:
        """Of the longest prefix of `path` that the file has (a missing key is reported at its parent)."""
        while path not in self.marks and path:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def validate(self, model: type[ModelT], *, data: Any = None, under: Path = ()) -> ModelT:
        """`data` (default: the document's) as `model`; `under`: where in the file to look for a key first.

        Raises: UsageError naming the first key that is wrong; it knows the others.
        """
        try:
            return model.model_validate(self.data if data is None else data)
        except ValidationError as exc:
            raise first_of(self._explained(exc, model, under)) from exc

    def _explained(self, exc: ValidationError, model: type[BaseModel], under: Path) -> list[UsageError]:
        # A misspelt key is also a missing one: name the misspelling first.
        errors = sorted(
            exc.errors(), key=lambda e: (e["type"] != "extra_forbidden", self.mark(self._place(model, e["loc"], under)))
        )
        # Each option of a union complains about the same key: one of them will do.
        places = {
            (self._place(model, e["loc"], under), e["type"] == "missing" and e["loc"][-1]): e for e in reversed(errors)
        }
        return [self._explain(error, model, under) for error in reversed(places.values())]

    def _explain(self, error: Any, model: type[BaseModel], under: Path) -> UsageError:
        path = self._place(model, error["loc"], under)
        if error["type"] == "missing":
            return self.error(path, f"the key {error['loc'][-1]!r} is missing")
        if error["type"] == "extra_forbidden":
            known = sorted(known_keys(model, error["loc"][:-1]))
            if mend := _elsewhere(model, error["loc"]):
                return self.error(path, f"unknown key; {mend}")
            return self.error(
                path, f"unknown key; expected one of {', '.join(known)}{closest(error['loc'][-1], known)}"
            )
        return self.error(path, _plain(error))

    def _place(self, model: type[BaseModel], loc: Sequence[str | int], under: Path) -> Path:
        """The file's path for pydantic's `loc`, which also holds the tags of unions: keys may be called as tags are."""
        keys = _untagged(model, loc)
        plain, overriding = self._walk((), keys), self._walk(under, keys)
        inside = overriding[len(under) :]
        # Mappings are merged key by key, but a list in an override replaces the whole list.
        replaced = any(isinstance(part, int) for part in inside)
        return overriding if replaced or len(inside) >= len(plain) else plain

    def _walk(self, prefix: Path, loc: Sequence[str | int]) -> Path:
        path = prefix
        for part in loc:
            if (*path, part) in self.marks:
                path = (*path, part)
        return path


def kind_of(value: Any) -> str:
    """What stands there, in YAML's words: a short value itself, of others the kind."""
    if isinstance(value, str | int | float | bool):
        return repr(value)
    kinds: dict[type, str] = {dict: "keys and values", list: "a list", type(None): "nothing"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _plain(error: Any) -> str:
    if wanted := _WANTED.get(error["type"]):
        given = error.get("input")
        quotes = "; put it in quotes" if wanted == "text" and not isinstance(given, dict | list | None) else ""
        return f"expected {wanted}, found {kind_of(given)}{quotes}"
    message = error["msg"].removeprefix("Value error, ")
    names = [name.strip(" '") for name in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")]
    if error["type"] == "union_tag_invalid":
        names = [name.strip(" '") for name in error["ctx"]["expected_tags"].split(",")]
        tag = error["ctx"]["tag"]
        return f"{tag!r} is no valid kind; expected one of {', '.join(names)}{closest(tag, names)}"
    given = error.get("input")
    suffix = closest(given, names) if error["type"] in ("literal_error", "enum") else ""
    return (
        f"{message} (found {given!r}){suffix}" if isinstance(given, str | int | float | bool) else f"{message}{suffix}"
    )


def _options(annotation: Any) -> Iterator[Any]:
    """The plain types inside Annotated, Optional and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _options(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def _has_tag(option: Any, tag: str | int) -> bool:
    if not (isinstance(option, type) and issubclass(option, BaseModel)):
        return False
    kind = option.model_fields.get("kind")
    return kind is not None and get_origin(kind.annotation) is Literal and tag in get_args(kind.annotation)


def _tagged(options: Sequence[Any], tag: str | int) -> Any:
    """The member of a union that `tag` chooses; None where it is a key. A single model has no tag before its keys."""
    return next((option for option in options if _has_tag(option, tag)), None) if len(options) > 1 else None


def _untagged(annotation: Any, loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """`loc` without the tags of unions."""
    if not loc:
        return ()
    options = list(_options(annotation))
    if (option := _tagged(options, loc[0])) is not None:
        return _untagged(option, loc[1:])
    inner = Union[tuple(found for option in options for found in _inner(option, loc[0])) or (type(None),)]  # noqa: UP007
    return (loc[0], *_untagged(inner, loc[1:]))


def known_keys(annotation: Any, loc: Sequence[str | int]) -> set[str]:
    """The field names that the model found at `loc` allows."""
    return {name for model in _models(annotation, loc) for name in _names(model)}


def _models(annotation: Any, loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that may stand at `loc`."""
    options = list(_options(annotation))
    if not loc:
        return [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    if (option := _tagged(options, loc[0])) is not None:
        return _models(option, loc[1:])
    return [model for option in options for inner in _inner(option, loc[0]) for model in _models(inner, loc[1:])]


def _elsewhere(model: type[BaseModel], loc: Sequence[str | int]) -> str | None:
    """What to write instead of the unknown key at `loc`, where its model has an `elsewhere` that says so."""
    hints = [getattr(found, "elsewhere", {}) for found in _models(model, loc[:-1])]
    return next((hint[loc[-1]] for hint in hints if loc[-1] in hint), None)


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name


def _inner(option: Any, part: str | int) -> Iterator[Any]:
    origin, arguments = get_origin(option), get_args(option)
    if origin is dict:
        yield arguments[1]
    elif origin in (list, tuple):
        yield arguments[0]
    elif isinstance(option, type) and issubclass(option, BaseModel):
        yield from (info.annotation for name, info in option.model_fields.items() if part in (name, info.alias))
