"""What a task's row says of its making: who made its nuggets at what expense, and which evidence its corpus lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from evals.scoring.nuggetise import Nuggetised

RULE = "rule"
SHORT = 12  # digits of a prompt's hash
SHOWN = 3  # keys that a note names
_EARLIER = "nuggets by "  # how rows began when they named the maker alone


class TaskNote(BaseModel, frozen=True, extra="forbid"):
    """`maker`: the rule, or a model with its prompts; empty: the nuggets are the data's. `lacking`: evidence's keys."""

    maker: str = ""
    read: int = 0
    wrote: int = 0
    lacking: tuple[str, ...] = ()

    @classmethod
    def of(cls, made: Nuggetised, *, lacking: Sequence[str]) -> TaskNote:
        prompts = ", ".join(f"{name} {sha256[:SHORT]}" for name, sha256 in made.prompts.items())
        return cls(
            maker=f"{made.nuggetiser} ({prompts})" if prompts else made.nuggetiser,
            read=made.usage.input_tokens,
            wrote=made.usage.output_tokens,
            lacking=tuple(lacking),
        )

    @classmethod
    def parse(cls, text: str) -> TaskNote:
        if text.startswith("{"):
            return cls.model_validate_json(text)
        return cls(maker=text.removeprefix(_EARLIER))

    def written(self) -> str:
        """Empty where there is nothing to say."""
        return self.model_dump_json(exclude_defaults=True) if self != TaskNote() else ""


def told(notes: Sequence[TaskNote], *, by_model: bool) -> list[str]:
    """Of all questions of a task. `by_model`: the judge is one, and would make nuggets itself."""
    return [*_makers(notes, by_model=by_model), *_lacking(notes)]


def _makers(notes: Sequence[TaskNote], *, by_model: bool) -> Iterator[str]:
    by_maker: dict[str, list[TaskNote]] = defaultdict(list)
    for note in notes:
        by_maker[note.maker].append(note)
    for maker, own in by_maker.items():
        if not maker:
            continue
        read, wrote = sum(note.read for note in own), sum(note.wrote for note in own)
        spent = f", {read:,} tokens read and {wrote:,} written" if read or wrote else ""
        later = "; made before there was a model to judge: another --name makes them by it"
        said = f"nuggets of {len(own)} questions made from the references by {maker}{spent}"
        yield said + (later if by_model and maker == RULE else "")


def _lacking(notes: Sequence[TaskNote]) -> Iterator[str]:
    lacking = [note.lacking for note in notes if note.lacking]
    if lacking:
        keys = list(dict.fromkeys(key for own in lacking for key in own))
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        yield (
            f"evidence of {len(lacking)} questions is not in the corpus and counts as not found: "
            f"{', '.join(keys[:SHOWN])}{more}"
        )
