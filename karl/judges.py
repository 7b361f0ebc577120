"""The judge that the settings ask for."""

from __future__ import annotations

from agents.judges import Judge, LlmJudge, RuleJudge
from karl.settings import Settings


def open_judge(settings: Settings) -> Judge:
    """LLM judges where an endpoint is configured, rules otherwise."""
    return LlmJudge(settings.judge, prompt_path=settings.prompt_path) if settings.judge else RuleJudge()
