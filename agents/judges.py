"""The judges: `RuleJudge` needs nothing, `LlmJudge` an endpoint; both decide on answers, duplicates and quality."""

from agents.judging import Attempt, Duplicate, Judge, Pair, Quality, QualityCase, Score
from agents.llm_judge import JudgeSettings, LlmJudge
from agents.rule_judge import RuleJudge, normalise, split_answer

__all__ = [
    "Attempt",
    "Duplicate",
    "Judge",
    "JudgeSettings",
    "LlmJudge",
    "Pair",
    "Quality",
    "QualityCase",
    "RuleJudge",
    "Score",
    "normalise",
    "split_answer",
]
