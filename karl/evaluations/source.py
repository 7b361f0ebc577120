"""What a function that is handed in does, as a hash: an edited one is another system, and its answers are its own."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import CodeType, FunctionType, MethodType
from typing import Any

PLAIN = (str, bytes, int, float, complex, bool, type(None))


def function_sha256(function: Callable[..., Any]) -> str:
    """Over its code, defaults and closure, and over whatever of its own module it names: functions, classes, plain
    values. An object counts with its class and attributes. Of other modules the names count, not what they do.
    """
    digest = hashlib.sha256()
    for part in _Reading(function).parts(function):
        digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class _Reading:
    """Each thing once. `home`: the module whose code is read."""

    def __init__(self, function: Callable[..., Any]) -> None:
        whole = function.func if isinstance(function, functools.partial) else function
        self._home: Any = getattr(whole, "__module__", None)
        # The objects themselves: an id is free again once its object is gone.
        self._seen: dict[int, Any] = {}

    def parts(self, value: Any) -> Iterator[str]:
        if isinstance(value, PLAIN):
            yield repr(value)
        elif id(value) not in self._seen:
            self._seen[id(value)] = value
            yield from self._thing(value)

    def _thing(self, value: Any) -> Iterator[str]:
        match value:
            case MethodType():
                yield from self._each("method", [value.__func__, value.__self__])
            case functools.partial():
                yield from self._each("partial", [value.func, value.args, value.keywords])
            case Mapping():
                yield from self._each("mapping", [one for pair in value.items() for one in pair])
            case list() | tuple():
                yield from self._each("list", value)
            case set() | frozenset():
                # A set's own order changes from process to process.
                yield from ("set", *sorted("".join(self.parts(one)) for one in value))
            case FunctionType() | type():
                yield f"{value.__module__}.{value.__qualname__}"
                if value.__module__ == self._home:
                    yield from self._function(value) if isinstance(value, FunctionType) else self._class(value)
            case _:
                own = type(value).__module__ == self._home and hasattr(value, "__dict__")
                yield from self._each("object", [type(value), vars(value) if own else None])

    def _each(self, kind: str, values: Iterable[Any]) -> Iterator[str]:
        yield kind
        for value in values:
            yield from self.parts(value)

    def _function(self, function: FunctionType) -> Iterator[str]:
        yield from self._code(function.__code__)
        yield from self._each("defaults", [function.__defaults__, function.__kwdefaults__])
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                yield from self._each("closure", [cell.cell_contents])
        for name in sorted(_names(function.__code__) & function.__globals__.keys()):
            yield from self._each(name, [function.__globals__[name]])

    def _class(self, of: type) -> Iterator[str]:
        for name, value in sorted(vars(of).items()):
            if isinstance(value, (FunctionType, staticmethod, classmethod, *PLAIN)):
                yield from self._each(name, [getattr(value, "__func__", value)])

    def _code(self, code: CodeType) -> Iterator[str]:
        """Without the places of its lines: a comment changes nothing."""
        yield from (code.co_code.hex(), *code.co_names)
        for constant in code.co_consts:
            yield from self._code(constant) if isinstance(constant, CodeType) else self.parts(constant)


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return {*code.co_names, *(name for one in inner for name in _names(one))}
