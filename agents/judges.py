"""The judges: `RuleJudge` needs nothing, `LlmJudge` an endpoint; both decide on answers, duplicates and quality."""

from agents.judging import Attempt, Duplicate, Equivalence, Judge, Pair, Quality, QualityCase, Score
from agents.llm_judge import LlmJudge
from agents.normal_form import canonical, normalise, split_answer
from agents.rule_judge import RuleJudge
from agents.structured import JudgeSettings

__all__ = [
    "Attempt",
    "Duplicate",
    "Equivalence",
    "Judge",
    "JudgeSettings",
    "LlmJudge",
    "Pair",
    "Quality",
    "QualityCase",
    "RuleJudge",
    "Score",
    "canonical",
    "normalise",
    "split_answer",
]
