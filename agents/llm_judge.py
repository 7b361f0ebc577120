"""A judge that asks a model behind any OpenAI-compatible endpoint; typed answers by pydantic-ai, prompts from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from agents.errors import JudgeError
from agents.judging import Aliases, Duplicate, Equivalence, Label, Pair, Quality, QualityCase, Score
from agents.structured import JudgeSettings, StructuredModel
from prompts import Prompt, load_prompt

if TYPE_CHECKING:
    from pydantic_ai.models import Model

ATTEMPT_CHARS = 1_000  # of an attempt's last turn, as in the paper's quality filter


class NuggetLabels(BaseModel):
    """One label per fact, in the order of the facts."""

    labels: list[Label]
    reason: str


class DuplicateVerdict(BaseModel):
    duplicate: bool
    reason: str


class EquivalenceVerdict(BaseModel):
    equivalent: bool
    reason: str


class QualityVerdict(BaseModel):
    valid: bool
    faults: list[Literal["reference_wrong", "ambiguous", "nuggets_unclear"]]
    reason: str


class LlmJudge:
    """`Judge` by a model at temperature 0. Raises JudgeError when endpoint or answers fail after the retries."""

    def __init__(
        self, settings: JudgeSettings, *, model: Model | None = None, prompt_path: Sequence[Path] = ()
    ) -> None:
        self.settings = settings
        self.model = StructuredModel(settings, model=model)
        names = ("nugget_judge", "duplicate_judge", "quality_filter", "equivalence_judge")
        self.prompts: dict[str, Prompt] = {name: load_prompt(name, path=prompt_path) for name in names}

    @property
    def name(self) -> str:
        return self.settings.model

    async def score(self, answer: str, *, question: str, nuggets: Sequence[str], aliases: Aliases = ()) -> Score:
        """The share of nuggets labelled `support`; a single nugget is right or wrong. Raises: JudgeError."""
        if not nuggets:
            raise JudgeError(f"no nuggets to judge by for the question {question!r}")
        prompt = self.prompts["nugget_judge"]
        text = prompt.render(question=question, answer=answer, nuggets=_with_aliases(nuggets, aliases))
        verdict, usage = await self.model.ask(text, NuggetLabels, check=lambda v: _one_label_each(v, len(nuggets)))
        value = verdict.labels.count("support") / len(nuggets)
        return Score(value, verdict.labels, self.name, verdict.reason, prompt.sha256, usage)

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
        prompt = self.prompts["duplicate_judge"]
        text = prompt.render(
            first_question=first.question,
            first_answer=first.answer,
            second_question=second.question,
            second_answer=second.answer,
        )
        verdict, _ = await self.model.ask(text, DuplicateVerdict)
        return Duplicate(verdict.duplicate, verdict.reason, self.name, prompt.sha256)

    async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence:
        prompt = self.prompts["equivalence_judge"]
        verdict, _ = await self.model.ask(
            prompt.render(question=question, first=first, second=second), EquivalenceVerdict
        )
        return Equivalence(verdict.equivalent, verdict.reason, self.name, prompt.sha256)

    async def quality(self, case: QualityCase) -> Quality:
        prompt = self.prompts["quality_filter"]
        attempts = [{"text": (a.text or a.answer)[-ATTEMPT_CHARS:], "score": a.score} for a in case.attempts]
        text = prompt.render(
            question=case.question,
            answer=case.answer,
            nuggets=list(case.nuggets),
            evidence=list(case.evidence),
            attempts=attempts,
        )
        verdict, _ = await self.model.ask(text, QualityVerdict, check=_faults_fit)
        return Quality(verdict.valid, [*verdict.faults, verdict.reason], self.name, prompt.sha256)


def _with_aliases(nuggets: Sequence[str], aliases: Aliases) -> list[str]:
    """Each fact as the judge reads it."""
    if not aliases:
        return list(nuggets)
    pairs = zip(nuggets, aliases, strict=True)
    return [f"{nugget} (also called: {'; '.join(names)})" if names else nugget for nugget, names in pairs]


def _one_label_each(verdict: NuggetLabels, count: int) -> str:
    given = len(verdict.labels)
    return "" if given == count else f"give exactly {count} labels, one per fact, in their order; you gave {given}"


def _faults_fit(verdict: QualityVerdict) -> str:
    return "a valid pair has no faults, an invalid one at least one" if verdict.valid == bool(verdict.faults) else ""
