"""A judge that asks a model behind any OpenAI-compatible endpoint; typed answers by pydantic-ai, prompts from files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, Field

from agents.errors import JudgeError, boundary
from agents.judging import Duplicate, Equivalence, Label, Pair, Quality, QualityCase, Score
from prompts import Prompt, load_prompt

if TYPE_CHECKING:
    from pydantic_ai.models import Model

OutputT = TypeVar("OutputT", bound=BaseModel)
ATTEMPT_CHARS = 1_000  # of an attempt's last turn, as in the paper's quality filter


class JudgeSettings(BaseModel, frozen=True, extra="forbid"):
    """An endpoint that judges."""

    base_url: str = Field(description="OpenAI-compatible, with the /v1")
    model: str
    api_key: str = Field(default="none", repr=False, description="endpoints on one's own machine take any")
    timeout_seconds: float = Field(default=120.0, gt=0)
    retries: int = Field(default=2, ge=0, description="further tries after an answer that does not fit the schema")
    concurrency: int = Field(default=16, ge=1)


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
        self._given_model = model
        self._slots = asyncio.Semaphore(settings.concurrency)
        names = ("nugget_judge", "duplicate_judge", "quality_filter", "equivalence_judge")
        self.prompts: dict[str, Prompt] = {name: load_prompt(name, path=prompt_path) for name in names}

    @property
    def name(self) -> str:
        return self.settings.model

    async def score(self, answer: str, *, question: str, nuggets: Sequence[str]) -> Score:
        """The share of nuggets labelled `support`; a single nugget is right or wrong. Raises: JudgeError."""
        if not nuggets:
            raise JudgeError(f"no nuggets to judge by for the question {question!r}")
        prompt = self.prompts["nugget_judge"]
        text = prompt.render(question=question, answer=answer, nuggets=list(nuggets))
        verdict = await self._ask(text, NuggetLabels, check=lambda v: _one_label_each(v, len(nuggets)))
        value = verdict.labels.count("support") / len(nuggets)
        return Score(value, verdict.labels, self.name, verdict.reason, prompt.sha256)

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
        prompt = self.prompts["duplicate_judge"]
        text = prompt.render(
            first_question=first.question,
            first_answer=first.answer,
            second_question=second.question,
            second_answer=second.answer,
        )
        verdict = await self._ask(text, DuplicateVerdict)
        return Duplicate(verdict.duplicate, verdict.reason, self.name, prompt.sha256)

    async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence:
        prompt = self.prompts["equivalence_judge"]
        verdict = await self._ask(prompt.render(question=question, first=first, second=second), EquivalenceVerdict)
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
        verdict = await self._ask(text, QualityVerdict, check=_faults_fit)
        return Quality(verdict.valid, [*verdict.faults, verdict.reason], self.name, prompt.sha256)

    async def _ask(self, text: str, output: type[OutputT], *, check: Any = None) -> OutputT:
        from pydantic_ai import Agent

        agent: Any = Agent(self._model, output_type=output, retries=self.settings.retries)
        if check is not None:
            agent.output_validator(check)
        settings: Any = {"temperature": 0.0, "timeout": self.settings.timeout_seconds}
        async with self._slots, boundary(JudgeError, f"judge {self.name} at {self.settings.base_url}"):
            return (await agent.run(text, model_settings=settings)).output

    @cached_property
    def _model(self) -> Any:
        if self._given_model is not None:
            return self._given_model
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        provider = OpenAIProvider(base_url=self.settings.base_url, api_key=self.settings.api_key)
        return OpenAIChatModel(self.settings.model, provider=provider)


def _one_label_each(verdict: NuggetLabels, count: int) -> NuggetLabels:
    from pydantic_ai import ModelRetry

    if len(verdict.labels) != count:
        raise ModelRetry(f"give exactly {count} labels, one per fact, in their order; you gave {len(verdict.labels)}")
    return verdict


def _faults_fit(verdict: QualityVerdict) -> QualityVerdict:
    from pydantic_ai import ModelRetry

    if verdict.valid == bool(verdict.faults):
        raise ModelRetry("a valid pair has no faults, an invalid one at least one")
    return verdict
