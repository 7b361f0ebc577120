"""One judgement of one answer: what was judged, what was decided, by whom. JSONL in and out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from agents.judging import Aliases, TokenUsage
from evals.items import EvalItem, Nugget
from evals.scoring.completion import Completion
from store.errors import UsageError
from store.jsonfile import json_lines


class AnswerRow(BaseModel, frozen=True, extra="forbid"):
    """A stored answer: all that judging it needs, so that no rollout has to run again."""

    item: str = Field(min_length=1, description="key of the question")
    question: str
    answer: str
    nuggets: tuple[Nugget, ...]
    attempt: int = Field(default=0, ge=0, description="which of several generations")

    @classmethod
    def of(cls, item: EvalItem, answer: str, *, attempt: int = 0) -> AnswerRow:
        return cls(item=item.key, question=item.question, answer=answer, nuggets=item.nuggets, attempt=attempt)

    @property
    def aliases(self) -> Aliases:
        """Empty where no nugget has any."""
        return [nugget.aliases for nugget in self.nuggets] if any(n.aliases for n in self.nuggets) else ()

    def key(self, *, judge: str, prompt_sha256: str) -> str:
        """The same whenever the same judge would be asked the same."""
        nuggets = [[nugget.text, *nugget.aliases] for nugget in self.nuggets]
        asked = json.dumps([judge, prompt_sha256, self.question, self.answer, nuggets], ensure_ascii=False)
        return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def answer_sha256(answer: str) -> str:
    return hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()


class Judgement(BaseModel, frozen=True, extra="forbid"):
    """`usage`: of this judgement, zeros where it came out of the cache; `answer_sha256` empty: not known."""

    item: str
    attempt: int = 0
    nuggets: tuple[str, ...]
    completion: Completion
    reason: str = ""
    answer_sha256: str = ""
    usage: TokenUsage = TokenUsage()
    cached: bool = False


def write_judgements(path: Path, judgements: Iterable[Judgement]) -> None:
    path.write_text("".join(f"{one.model_dump_json()}\n" for one in judgements), encoding="utf-8")


def read_judgements(path: Path) -> dict[tuple[str, int], Judgement]:
    """By item and attempt. Raises: UsageError naming file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot read the judgements: {exc}") from exc
    found: dict[tuple[str, int], Judgement] = {}
    for number, line in json_lines(text):
        one = _read(line, where=f"{path}:{number}")
        if (one.item, one.attempt) in found:
            raise UsageError(f"{path}:{number}: item {one.item!r}, attempt {one.attempt} is here twice; drop one line")
        found[one.item, one.attempt] = one
    if not found:
        raise UsageError(f"{path}: no judgements")
    return found


def _read(line: str, *, where: str) -> Judgement:
    try:
        one = Judgement.model_validate_json(line)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(map(str, first["loc"])) or "line"
        mend = "a line is what `write_judgements` writes; evaluations are given by their name or hash, not as a cache"
        raise UsageError(f"{where}: {key}: {first['msg']}; {mend}") from exc
    if not one.nuggets:
        raise UsageError(f"{where}: nuggets: none, so that nothing was judged; drop the line")
    if len(one.nuggets) != len(one.completion.labels):
        raise UsageError(
            f"{where}: completion.labels: {len(one.completion.labels)} labels for {len(one.nuggets)} nuggets"
        )
    return one
