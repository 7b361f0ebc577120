"""Rows of JSONL, JSON and parquet files. A row knows where it stands: errors name file, line and key."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from store.errors import UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file. Every getter raises UsageError for a missing key or another type."""

    where: str
    values: Mapping[str, Any]

    def fail(self, key: str, problem: str) -> UsageError:
        return UsageError(f"{self.where}: {key}: {problem}")

    def _missing(self, key: str) -> str:
        return "is null" if key in self.values else f"missing; the keys here are: {', '.join(self.values) or 'none'}"

    def text(self, key: str, *, default: str | None = None, empty: bool = False) -> str:
        """A string, or a number as one; stripped. `default`: for a key that is missing or null."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.fail(key, self._missing(key) if value is None else f"a string is needed, not {_kind(value)}")
        text = str(value).strip()
        if not text and not empty:
            raise self.fail(key, "is empty")
        return text

    def whole(self, key: str) -> int:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(key, self._missing(key) if value is None else f"a whole number is needed, not {value!r}")
        return value

    def listed(self, key: str, *, optional: bool = False) -> Sequence[Any]:
        """A list; a missing or null one is empty where it is `optional`."""
        value = self.values.get(key)
        if value is None and optional:
            return []
        if not isinstance(value, list):
            raise self.fail(key, self._missing(key) if value is None else f"a list is needed, not {_kind(value)}")
        return value

    def texts(self, key: str, *, optional: bool = False) -> list[str]:
        """A list of strings; empty ones are left out."""
        values = self.listed(key, optional=optional)
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise self.fail(f"{key}[{number}]", f"a string is needed, not {_kind(value)}")
        return [value.strip() for value in values if value.strip()]

    def rows(self, key: str, *, optional: bool = False) -> list[Row]:
        """A list of objects; each knows its number in the list."""
        return [
            as_row(value, f"{self.where}: {key}[{n}]") for n, value in enumerate(self.listed(key, optional=optional))
        ]


def as_row(value: Any, where: str) -> Row:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: an object is needed, not {_kind(value)}")
    return Row(where, value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), repr(value))


def read_rows(path: Path, *, under: str = "", skip: Sequence[str] = ()) -> Iterator[Row]:
    """The file's rows, streamed where the format allows it. `.gz` is unpacked on the way.

    under: the key of a JSON object that holds the list; skip: fields of nested parquet columns that are not read.
    Raises: UsageError for a file that can't be read, a line that is no object, parquet without pyarrow.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _parquet_rows(path, skip=skip)
    elif name.endswith((".jsonl", ".ndjson")) or _is_lines(path, under=under):
        yield from _line_rows(path)
    else:
        yield from _json_rows(path, under=under)


def _open(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as exc:
        raise UsageError(f"{path}: cannot be read: {exc.strerror}") from exc


def _is_lines(path: Path, *, under: str) -> bool:
    """Whether a file of another name is JSONL: its first line is a whole object, and not the one around the list."""
    with _open(path) as file:
        first = next((line for line in file if line.strip()), b"")
    try:
        value = json.loads(first)
    except ValueError:
        return False
    return isinstance(value, dict) and not (under and under in value)


def _line_rows(path: Path) -> Iterator[Row]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield as_row(_parsed(line, where=f"{path}:{number}"), f"{path}:{number}")


def _json_rows(path: Path, *, under: str) -> Iterator[Row]:
    with _open(path) as file:
        value = _parsed(file.read(), where=str(path))
    if isinstance(value, dict) and under:
        value = Row(str(path), value).listed(under)
    if not isinstance(value, list):
        raise UsageError(f"{path}: a list of objects is needed, not {_kind(value)}")
    for number, entry in enumerate(value):
        yield as_row(entry, f"{path}: {under}[{number}]")


def _parsed(data: bytes, *, where: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise UsageError(f"{where}: not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise UsageError(f"{where}: not JSON ({exc.msg} at line {exc.lineno}, column {exc.colno})") from exc


def _parquet_rows(path: Path, *, skip: Sequence[str]) -> Iterator[Row]:
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"{path}: parquet needs pyarrow (pip install pyarrow), or give the data as .jsonl")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        leaves = [file.schema.column(n).path for n in range(len(file.schema))]
        # Texts inside nested columns may be gigabytes that nobody asked for; a top-level column has no dot.
        wanted = [leaf for leaf in leaves if "." not in leaf or leaf.rpartition(".")[2] not in skip]
        number = 0
        for batch in file.iter_batches(batch_size=64, columns=wanted):
            for values in batch.to_pylist():
                number += 1
                yield Row(f"{path}: row {number}", values)
    except (OSError, pa.ArrowException) as exc:
        raise UsageError(f"{path}: cannot be read as parquet: {exc}") from exc
