"""From a file to plain data that knows where every key stands; broken text is told with line, column and the mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

import yaml

from prompts.closed_yaml import Path, YamlDocument, kind_of
from store.errors import UsageError

# libyaml's where PyYAML was built with it: some ten times faster, and as safe.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
# Aliases of aliases grow exponentially; the largest shipped graph has some 100 keys and items.
MOST_MARKS = 20_000
_MENDS = {
    "mapping values are not allowed": "indent the keys of one level alike, and put text that holds ': ' in quotes",
    "expected the node content": "a value is missing here, or one that begins with , ] } needs quotes",
    "expected <block end>": "indent the keys of one level alike, and begin items with '- '",
    "could not find expected ':'": "a key needs ': ' behind it, and text of several lines '|'",
    "but found another document": "a file holds one; take the line '---' out",
    "found undefined alias": "name an anchor (&name) that stands above it, or put text that begins with * in quotes",
    "undetermined tag": "text that begins with ! needs quotes",
    "could not determine a constructor": "plain YAML has no such tag; text that begins with ! needs quotes",
}


_UNSAVED: ContextVar[Mapping[FilePath, str]] = ContextVar("unsaved", default=MappingProxyType({}))


@contextmanager
def unsaved(path: FilePath, text: str) -> Iterator[None]:
    """Inside, whoever reads `path` in this thread or task reads `text`: an editor's, which nobody has saved yet."""
    token = _UNSAVED.set({**_UNSAVED.get(), path.resolve(): text})
    try:
        yield
    finally:
        _UNSAVED.reset(token)


def read_text(path: FilePath) -> str:
    """Without its byte order mark, every line ended by a newline alone. Raises: UsageError if it is no UTF-8 text."""
    held = _UNSAVED.get()
    if held and path.resolve() in held:
        return held[path.resolve()]
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{path}: can't be read: {exc.strerror}") from exc
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        column = exc.start - raw.rfind(b"\n", 0, exc.start)
        message = f"can't be read: byte {raw[exc.start]:#04x} is no UTF-8; save the file as UTF-8"
        raise UsageError(f"{path}:{line}:{column}: {message}") from exc


def read_yaml(text: str, *, source: str, first_line: int = 1) -> YamlDocument:
    """Parse `text`, which begins at line `first_line` of `source`.

    Raises: UsageError for broken YAML, a key given twice, and a key that YAML takes for something else than text.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
        document = YamlDocument(source, {}, {(): (first_line, 1)})
        _Marks(document, first_line).collect(root, (), ())
        data = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as exc:
        raise _broken(exc, text, source, first_line) from exc
    if not isinstance(data, dict):
        found = "nothing" if data is None else kind_of(data)
        raise UsageError(f"{source}:{first_line}:1: expected keys and values, found {found}")
    return YamlDocument(source, data, document.marks)


def _broken(exc: yaml.YAMLError, text: str, source: str, first_line: int) -> UsageError:
    if not isinstance(exc, yaml.MarkedYAMLError):
        return UsageError(f"{source}:{first_line}:1: not valid YAML: {exc}")
    mark = exc.problem_mark or exc.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    problem = exc.problem or exc.context or "it can't be parsed"
    mend = next((f"; {mend}" for start, mend in _MENDS.items() if start in problem), "")
    if "cannot start any token" in problem:
        problem, mend = _stray(text.splitlines()[line][column : column + 1])
    opened = exc.context_mark
    if opened and exc.context and "flow" in exc.context and opened.line + first_line:
        mend += f"; the bracket of line {opened.line + first_line}, column {opened.column + 1} is not closed"
    return UsageError(f"{source}:{line + first_line}:{column + 1}: not valid YAML: {problem}{mend}")


def _stray(character: str) -> tuple[str, str]:
    """A character that nothing may begin with, and the mend."""
    if character == "\t":
        return "a tab", "; indent with spaces"
    return f"nothing can begin with {character!r}", "; put the text in quotes"


@dataclass(frozen=True)
class _Marks:
    """Notes where every key and item stands."""

    document: YamlDocument
    first_line: int

    def collect(self, node: Any, path: Path, within: tuple[int, ...]) -> None:
        """`within`: the nodes that this one stands in. An alias is gone through at each place where it is used."""
        children: list[tuple[str | int, Any, Any]] = []
        if isinstance(node, yaml.MappingNode):
            children = [(self._text(key), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = [(index, value, value) for index, value in enumerate(node.value)]
        inside = (*within, id(node))
        for part, at, value in children:
            mark = self._mark(at)
            if (*path, part) in self.document.marks:
                raise self._error(at, f"key '{part}': given twice; keep one")
            if id(value) in inside:
                raise self._error(at, f"key '{part}': this alias stands inside of what it names; write it out")
            self.document.marks[(*path, part)] = mark
            if len(self.document.marks) > MOST_MARKS:
                raise self._error(at, f"more than {MOST_MARKS:,} keys and items, aliases written out; use fewer")
            self.collect(value, (*path, part), inside)

    def _text(self, key: Any) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise self._error(key, "a key has to be plain text")
        if key.tag not in (_TEXT, _MERGE):
            kind = key.tag.rpartition(":")[2]
            raise self._error(key, f"key '{key.value}': YAML takes it for a value of type {kind}; put it in quotes")
        return key.value

    def _mark(self, node: Any) -> tuple[int, int]:
        return node.start_mark.line + self.first_line, node.start_mark.column + 1

    def _error(self, node: Any, message: str) -> UsageError:
        line, column = self._mark(node)
        return UsageError(f"{self.document.source}:{line}:{column}: {message}")
