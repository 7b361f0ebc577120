"""One's own questions: JSONL with a question and its answer or nuggets a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from evals.items import EvalItem, Nugget
from store.errors import UsageError
from store.jsonfile import json_lines

Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class OwnNugget(BaseModel):
    """As `evals.items.Nugget`, of what a person wrote: a text alone will do."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    text: Filled
    aliases: tuple[Filled, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, given: Any) -> Any:
        return {"text": given} if isinstance(given, str | int | float) and not isinstance(given, bool) else given

    @property
    def nugget(self) -> Nugget:
        return Nugget(text=self.text, aliases=self.aliases)


class QuestionLine(BaseModel):
    """A line. `nuggets`: facts of a right answer, texts or objects with `text` and `aliases`; without them the answer
    is the one fact.
    """

    # A year is an answer too, and a number a key.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    question: Filled
    answer: str = ""
    nuggets: tuple[OwnNugget, ...] = ()
    key: str = ""
    split: str = "test"
    kind: str = ""
    gold: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_be_judged(self) -> QuestionLine:
        if not self.answer.strip() and not self.nuggets:
            raise ValueError("an answer or nuggets are needed to judge by; add one of them")
        return self


def read_items(path: Path) -> list[EvalItem]:
    """Raises: UsageError that names file, line, key and the mend."""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: the questions cannot be read: {exc}") from exc
    items, seen = list(_items(path, text)), dict[str, int]()
    for number, item in items:
        if item.key in seen:
            raise UsageError(f"{path}:{number}: key: {item.key!r} is that of line {seen[item.key]} too; give another")
        seen[item.key] = number
    if not items:
        raise UsageError(f"{path}: holds no question; write one JSON object a line with question and answer")
    return [item for _, item in items]


def _items(path: Path, text: str) -> Iterator[tuple[int, EvalItem]]:
    for number, line in json_lines(text):
        yield number, _item(_line(line, where=f"{path}:{number}"), number)


def _item(line: QuestionLine, number: int) -> EvalItem:
    nuggets = tuple(one.nugget for one in line.nuggets)
    answer = line.answer.strip() or "; ".join(nugget.text for nugget in nuggets)
    return EvalItem(
        key=line.key or f"line-{number}",
        question=line.question,
        reference=answer,
        nuggets=nuggets or (Nugget(text=answer),),
        gold=line.gold,
        split=line.split or "test",
        kind=line.kind,
    )


def _line(text: str, *, where: str) -> QuestionLine:
    try:
        return QuestionLine.model_validate(json.loads(text))
    except json.JSONDecodeError as exc:
        raise UsageError(f"{where}: not a JSON object: {exc}; write one object a line") from exc
    except ValidationError as exc:
        raise UsageError(f"{where}: {_problem(exc.errors()[0])}") from exc


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        known = QuestionLine.model_fields
        close = get_close_matches(key, known, n=1)
        return f"unknown key {key!r}; " + (f"did you mean {close[0]!r}?" if close else f"keys: {', '.join(known)}")
    message = error["msg"].removeprefix("Value error, ")
    return f"key {key!r}: {message}" if key else message
