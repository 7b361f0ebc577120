"""The filter of the traces as words: `score>=0.6 arm:oapl-1 fate:kept who wrote`, to a `RolloutFilter` and back.

A word with a colon or a comparison narrows a column; the others together are looked for in the question. Quotes keep
words together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from store.errors import UsageError
from store.queries import RolloutFilter, alternatives
from store.types import FailureKind, Fate, Purpose, Role, RolloutStatus

WORD = re.compile(r'[^\s"]*"[^"]*"?|\S+')
COLUMN = re.compile(r"([a-zA-Z]+)(:|>=|<=|>|<|=)(.*)", re.DOTALL)
ENUMS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "fate": ("fate", Fate),
    "status": ("status", RolloutStatus),
    "kind": ("failure_kind", FailureKind),
    "purpose": ("purpose", Purpose),
    "role": ("role", Role),
}
COLUMNS = ("score", "behaviour", "arm", "fate", "status", "kind", "iter", "purpose", "role", "task", "run")
ALL_RUNS = "all"


@dataclass(frozen=True, slots=True)
class Known:
    """What a filter may name besides the words of the store's own types. runs: name -> id."""

    arms: Sequence[str] = ()
    runs: Mapping[str, int] = field(default_factory=dict)
    behaviours: Sequence[str] = ()

    def values(self, column: str) -> list[str]:
        """That a column can have, as far as they can be listed."""
        if column in ENUMS:
            return [str(value) for value in ENUMS[column][1]]
        listed = {"arm": self.arms, "run": [ALL_RUNS, *self.runs], "behaviour": self.behaviours}
        return list(listed.get(column, ()))


def parse_filter(text: str, *, run_id: int | None, known: Known) -> RolloutFilter:
    """run_id: of the desk's run, where the text names none. Raises: UsageError for a word that cannot be understood."""
    wanted, asked = RolloutFilter(run_id=run_id), list[str]()
    for word in WORD.findall(text):
        found = COLUMN.fullmatch(word)
        if found is None:
            asked.append(word.strip('"'))
            continue
        wanted = replace(wanted, **_narrowed(found[1].lower(), found[2], found[3], known=known))
    return replace(wanted, text=" ".join(filter(None, asked)))


def _narrowed(column: str, sign: str, given: str, *, known: Known) -> dict[str, Any]:
    """Fields of the filter. Raises: UsageError."""
    if column not in COLUMNS:
        raise UsageError(f'no column {column!r}; {alternatives(column, COLUMNS)} (in quotes it is text: "{column}:")')
    if not given:
        raise UsageError(f"{column}{sign} needs a value{_listed(known.values(column))}")
    value = given.strip('"')
    if column == "score":
        return _score(sign, value)
    if sign not in (":", "="):
        raise UsageError(f"{column}{sign}{value}: only scores are compared; write {column}:{value}")
    return _READERS.get(column, _read_enum)(column, value, known)


def _listed(values: Sequence[str]) -> str:
    return f": {', '.join(values)}" if values else ""


def _score(sign: str, value: str) -> dict[str, Any]:
    low, dots, high = value.partition("..")
    if dots:
        return {"lowest": _number(low), "highest": _number(high)}
    number = _number(value)
    match sign:
        case ">=":
            return {"lowest": number}
        case "<=":
            return {"highest": number}
        case ">":  # the filter's own bounds are included
            return {"lowest": math.nextafter(number, math.inf)}
        case "<":
            return {"highest": math.nextafter(number, -math.inf)}
        case _:
            return {"lowest": number, "highest": number}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise UsageError(f"score: {text!r} is no number; write score>=0.6 or score:0.2..0.6") from exc


def _whole(column: str, value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"{column}: {value!r} is no number")
    return int(value)


def _read_enum(column: str, value: str, known: Known) -> dict[str, Any]:
    field, kind = ENUMS[column]
    return {field: kind(_one_of(column, value.lower(), known.values(column)))}


def _one_of(column: str, value: str, values: Sequence[str]) -> str:
    if value not in values:
        raise UsageError(f"no {column} {value!r}; {alternatives(value, values)}")
    return value


def _read_run(column: str, value: str, known: Known) -> dict[str, Any]:
    _one_of(column, value, known.values(column))
    return {"run_id": known.runs.get(value)}


_READERS: Mapping[str, Callable[[str, str, Known], dict[str, Any]]] = {
    "arm": lambda column, value, known: {"arm": value},
    "behaviour": lambda column, value, known: {"behaviour": _one_of(column, value, known.values(column))},
    "iter": lambda column, value, known: {"iteration": _whole(column, value)},
    "task": lambda column, value, known: {"task_id": _whole(column, value)},
    "run": _read_run,
}


def filter_text(wanted: RolloutFilter, *, run_id: int | None, known: Known) -> str:
    """Words that `parse_filter` reads as `wanted` again, with the desk's run left out."""
    words = [f"{column}:{value}" for column, (name, _) in ENUMS.items() if (value := getattr(wanted, name))]
    words += [f"behaviour:{wanted.behaviour}"] if wanted.behaviour else []
    words += [f"arm:{_quoted(wanted.arm)}"] if wanted.arm is not None else []
    words += [f"iter:{wanted.iteration}"] if wanted.iteration is not None else []
    words += [f"task:{wanted.task_id}"] if wanted.task_id is not None else []
    words += [f"score>={wanted.lowest!r}"] if wanted.lowest is not None else []
    words += [f"score<={wanted.highest!r}"] if wanted.highest is not None else []
    if wanted.run_id != run_id:
        names = {id_: name for name, id_ in known.runs.items()}
        words.append(f"run:{names.get(wanted.run_id or 0, ALL_RUNS)}")
    return " ".join([*words, *([_quoted(wanted.text)] if wanted.text else [])])


def _quoted(text: str) -> str:
    return f'"{text}"' if not text or COLUMN.search(text) or " " in text else text


def completions(text: str, *, known: Known) -> list[str]:
    """What the last word of `text` may become: columns, or the values of its column."""
    last = text.rpartition(" ")[2]
    found = COLUMN.fullmatch(last)
    if found is None:
        return [name if name == "score" else f"{name}:" for name in COLUMNS if last and name.startswith(last.lower())]
    column, sign, begun = found.groups()
    return [f"{column}{sign}{value}" for value in known.values(column.lower()) if value.startswith(begun)]
