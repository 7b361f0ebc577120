"""Rule judge: numbers. LLM judge: pydantic-ai's own test models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from agents.errors import JudgeError
from agents.judges import (
    Attempt,
    JudgeSettings,
    LlmJudge,
    Pair,
    QualityCase,
    RuleJudge,
    canonical,
    normalise,
    split_answer,
)

RULE = RuleJudge()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Mira  Kvist.", "mira kvist"),
        ("1,000.5 units", "1000.5 units"),
        ("St. John-Smith's (Oslo)", "st john smith s oslo"),
        ("-5 °C", "-5 c"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}b", "ab"),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_split_answer_keeps_thousands_together() -> None:
    assert split_answer("Ada, the Bo; Cy and Dee,Ada, 1,000") == ["ada", "bo", "cy", "dee", "1000"]


@pytest.mark.parametrize(
    ("answer", "nuggets", "score"),
    [
        ("The Oslo.", ["oslo"], 1.0),
        ("oslo, lima", ["oslo"], 0.0),
        ("in oslo", ["oslo"], 0.0),
        ("", ["oslo"], 0.0),
        ("research and development", ["Research and Development"], 1.0),
        ("Ada, Bo", ["Bo", "Ada"], 1.0),
        ("Ada and Cy", ["Ada", "Bo"], 0.5),
        ("Ada, Bo, Cy, Dee", ["Ada", "Bo"], 0.5),
        ("Ada, Ada, Ada", ["Ada", "Bo"], 0.5),
    ],
)
async def test_rule_score(answer: str, nuggets: list[str], score: float) -> None:
    verdict = await RULE.score(answer, question="q?", nuggets=nuggets)
    assert verdict.value == pytest.approx(score)
    assert verdict.judge == "rule" and verdict.reason.startswith("rule: ") and len(verdict.labels) == len(nuggets)


async def test_nothing_to_judge_by() -> None:
    with pytest.raises(JudgeError, match="no nuggets"):
        await RULE.score("x", question="q?", nuggets=[" "])


@pytest.mark.parametrize(
    ("first", "second", "duplicate"),
    [
        (("Who leads Falcon?", "Ada"), ("who is leads the falcon", "Ada"), True),
        (("Who leads Falcon?", "Ada"), ("Who leads Orion?", "Ada"), False),
        (("Who leads Falcon?", "Ada"), ("Which team does Ada lead?", "Falcon"), True),
        (("Who leads Falcon?", "Ada"), ("Where does Ada live?", "Oslo"), False),
    ],
)
async def test_rule_duplicate(first: tuple[str, str], second: tuple[str, str], duplicate: bool) -> None:
    assert (await RULE.duplicate(Pair(*first), Pair(*second))).duplicate is duplicate


def case(attempts: list[str] | None = None, **changes: Any) -> QualityCase:
    given = [Attempt(answer, 0.0) for answer in attempts or []]
    facts = {
        "question": "Who leads Falcon?",
        "answer": "Ada",
        "nuggets": ["Ada"],
        "evidence": ["Falcon is led by Ada."],
    }
    return QualityCase(**{**facts, **changes}, attempts=given)


@pytest.mark.parametrize(
    ("quality_case", "reason"),
    [
        (case(["Ada", "Bo", "Bo", "Cy"]), None),
        (case(["Bo", "Bo", "Bo", "Ada"]), "reference suspect, 3 of 4 attempts answer 'bo'"),
        (case(["Ada", "Ada", "Ada", "Ada"]), None),
        (case(["", "", "", "Bo"]), None),
        (case(evidence=["Falcon is led by Adam."]), "ungrounded"),
        (case(question="Who leads Falcon"), "question mark"),
        (case(question="Does Ada lead Falcon?"), "contains its own answer"),
    ],
)
async def test_rule_quality(quality_case: QualityCase, reason: str | None) -> None:
    verdict = await RULE.quality(quality_case)
    assert verdict.valid is (reason is None)
    assert reason is None or any(reason in given for given in verdict.reasons)


SETTINGS = JudgeSettings(base_url="http://nowhere/v1", model="judge-1", retries=2)


def replies(*outputs: dict[str, Any]) -> tuple[FunctionModel, list[str]]:
    """A model that answers with these outputs in turn; and the prompts it saw."""
    seen: list[str] = []
    queue = iter(outputs)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(str(messages[0].parts[0].content))  # type: ignore[union-attr]
        assert info.model_settings is not None and info.model_settings.get("temperature") == 0.0
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, next(queue))])

    return FunctionModel(answer), seen


async def test_llm_score_is_the_share_supported_and_retries_a_wrong_count() -> None:
    model, seen = replies(
        {"labels": ["support"], "reason": "?"},
        {"labels": ["support", "partial_support", "not_support", "support"], "reason": "two of four"},
    )
    verdict = await LlmJudge(SETTINGS, model=model).score("A, B", question="q?", nuggets=["a", "b", "c", "d"])
    assert verdict.value == pytest.approx(0.5) and verdict.judge == "judge-1" and len(verdict.prompt_sha256) == 64
    assert len(seen) == 2 and "1. a" in seen[0] and "A, B" in seen[0]


async def test_llm_that_never_fits_is_a_judge_error() -> None:
    model, seen = replies(*[{"labels": [], "reason": "?"}] * 3)
    with pytest.raises(JudgeError, match="judge judge-1 at http://nowhere/v1"):
        await LlmJudge(SETTINGS, model=model).score("A", question="q?", nuggets=["a"])
    assert len(seen) == 3


async def test_llm_duplicate() -> None:
    model = TestModel(custom_output_args={"duplicate": True, "reason": "a paraphrase"})
    verdict = await LlmJudge(SETTINGS, model=model).duplicate(Pair("a?", "x"), Pair("b?", "y"))
    assert (verdict.duplicate, verdict.reason, verdict.judge) == (True, "a paraphrase", "judge-1")


async def test_llm_quality_asks_again_when_verdict_and_faults_disagree() -> None:
    model, seen = replies(
        {"valid": True, "faults": ["ambiguous"], "reason": "?"},
        {"valid": False, "faults": ["ambiguous"], "reason": "two Falcons"},
    )
    long = QualityCase("q?", "a", ["a"], ["evidence text"], [Attempt("a", 0.5, "x" * 5_000 + "END")])
    verdict = await LlmJudge(SETTINGS, model=model).quality(long)
    assert (verdict.valid, verdict.reasons) == (False, ["ambiguous", "two Falcons"])
    assert "score 0.50" in seen[0] and "evidence text" in seen[0]
    assert "x" * 997 + "END" in seen[0] and "x" * 998 not in seen[0]


async def test_endpoint_down_is_a_judge_error() -> None:
    settings = JudgeSettings(base_url="http://127.0.0.1:9/v1", model="m", timeout_seconds=2)
    with pytest.raises(JudgeError, match=r"judge m at http://127\.0\.0\.1:9/v1"):
        await LlmJudge(settings).duplicate(Pair("a?", "x"), Pair("b?", "y"))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Three, São Paulo", "sao paulo and 3.0", True),
        ("$1.5 million", "1,500,000", True),
        ("The Ada; Bo", "bo, ada, Bo", True),
        (".50", "0.5", True),
        ("5 percent", "5%", True),
        ("\N{MINUS SIGN}3", "-3", True),
        ("-3", "3", False),
        ("Ada", "Ada, Bo", False),
        ("1.5 million", "1.5 billion", False),
        ("\N{HIRAGANA LETTER GA}", "\N{HIRAGANA LETTER KA}", False),
        ("?", "!", False),
    ],
)
async def test_canonical_forms(first: str, second: str, same: bool) -> None:
    assert (canonical(first) == canonical(second)) is same
    verdict = await RULE.equivalent(first, second, question="q?")
    assert verdict.equivalent is same and verdict.judge == "rule"


async def test_llm_judges_equivalence() -> None:
    settings = JudgeSettings(base_url="http://judge", model="m")
    model = TestModel(custom_output_args={"equivalent": True, "reason": "a short form of the same name"})
    verdict = await LlmJudge(settings, model=model).equivalent("IBM", "Big Blue", question="Who?")
    assert verdict.equivalent and verdict.reason.startswith("a short form") and len(verdict.prompt_sha256) == 64
