"""Judging stored answers through the cache: what is asked, what is counted, what a crash leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from agents.judges import JudgeSettings, LlmJudge, RuleJudge
from agents.judging import TokenUsage
from evals.cost import Spender
from evals.items import EvalItem, Nugget
from evals.scoring.judgement import AnswerRow
from evals.scoring.judgement_cache import CachedScore, JudgementCache
from evals.scoring.judging import rejudge

ITEM = EvalItem(
    key="q1", question="Who?", reference="Ada", nuggets=(Nugget(text="Ada", aliases=("Adi",)), Nugget(text="Bo"))
)
ROWS = [AnswerRow.of(ITEM, "Ada"), AnswerRow.of(ITEM, "Bo, Adi", attempt=1), AnswerRow.of(ITEM, "Ada", attempt=2)]


def judge(*, name: str = "m", broken: str = "", folder: Path | None = None) -> tuple[LlmJudge, list[str]]:
    """A judge that supports all; and the prompts it saw. It can't judge prompts that hold `broken`."""
    seen: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        text = str(messages[0].parts[0].content)  # type: ignore[union-attr]
        seen.append(text)
        labels = [] if broken and broken in text else ["support", "support"]
        usage = RequestUsage(input_tokens=100, output_tokens=10)
        return ModelResponse(parts=[ToolCallPart("final_result", {"labels": labels, "reason": "r"})], usage=usage)

    settings = JudgeSettings(base_url="http://nowhere/v1", model=name, retries=0)
    return LlmJudge(settings, model=FunctionModel(answer), prompt_path=[folder] if folder else []), seen


async def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "judgements.jsonl"
    asked, seen = judge()
    with JudgementCache(path) as cache:
        first = await rejudge(ROWS, asked, cache)
    assert len(seen) == 2 and (first.hits, first.misses) == (1, 2)
    assert first.usage == TokenUsage(2, 200, 20)
    assert [one.cached for one in first.judgements] == [False, False, True]
    assert first.token_use.spender is Spender.JUDGE and (first.token_use.model, first.token_use.input) == ("m", 200)
    score = first.judgements[0].completion
    assert (score.strict, score.judge, score.prompt_sha256) == (1.0, "m", asked.prompts["nugget_judge"].sha256)
    with JudgementCache(path) as cache:
        again = await rejudge(ROWS, asked, cache)
        assert cache.tally == (2, 0, 0)
    assert len(seen) == 2 and (again.hits, again.misses, again.usage) == (3, 0, TokenUsage())
    assert [one.completion for one in again.judgements] == [one.completion for one in first.judgements]


async def test_another_judge_prompt_answer_or_nugget_is_asked_anew(tmp_path: Path) -> None:
    cache = JudgementCache(tmp_path / "c.jsonl")
    await rejudge(ROWS, judge()[0], cache)
    other, seen = judge(name="n")
    assert (await rejudge(ROWS, other, cache)).misses == 2 and len(seen) == 2
    shipped = other.prompts["nugget_judge"].path.read_text(encoding="utf-8")
    (tmp_path / "nugget_judge.md").write_text(shipped + "\nBe strict.\n", encoding="utf-8")
    strict, seen = judge(folder=tmp_path)
    assert (await rejudge(ROWS, strict, cache)).misses == 2 and "Be strict." in seen[0]
    keys = {
        row.key(judge="m", prompt_sha256="p")
        for row in (
            ROWS[0],
            ROWS[1],
            ROWS[0].model_copy(update={"question": "Whom?"}),
            ROWS[0].model_copy(update={"nuggets": (Nugget(text="Ada"), Nugget(text="Bo"))}),
            ROWS[0].model_copy(update={"nuggets": (Nugget(text="Ada"), Nugget(text="Adi"), Nugget(text="Bo"))}),
        )
    }
    assert len(keys) == 5 and ROWS[0].key(judge="m", prompt_sha256="p") == ROWS[2].key(judge="m", prompt_sha256="p")


async def test_a_failure_is_returned_and_tried_again() -> None:
    cache = JudgementCache()
    found = await rejudge(ROWS, judge(broken="Bo, Adi")[0], cache)
    assert [one.attempt for one in found.judgements] == [0, 2]
    assert [(one.item, one.attempt) for one in found.failures] == [("q1", 1)]
    assert "give exactly 2 labels" in found.failures[0].reason and (found.hits, found.misses) == (1, 2)
    assert found.failures[0].usage == TokenUsage(1, 100, 10) and found.usage == TokenUsage(2, 200, 20)
    mended = await rejudge(ROWS, judge()[0], cache)
    assert len(mended.judgements) == 3 and mended.misses == 1


async def test_rules_judge_too_and_no_rows_are_no_error() -> None:
    found = await rejudge(ROWS, RuleJudge(), JudgementCache())
    assert [one.completion.labels for one in found.judgements][:2] == [
        ("support", "not_support"),
        ("support", "support"),
    ]
    assert found.judgements[0].completion.judge == "rule" and found.usage == TokenUsage()
    assert (await rejudge([], RuleJudge(), JudgementCache())).judgements == []


async def test_what_a_rule_said_once_does_not_outlive_the_rule() -> None:
    cache, row = JudgementCache(), ROWS[0]
    said_before = ("not_support", "not_support")
    cache.keep(cached(row.key(judge="rule", prompt_sha256="")).model_copy(update={"labels": said_before}))
    found = await rejudge([row, row], RuleJudge(), cache)
    assert found.judgements[0].completion.labels == ("support", "not_support")
    assert len(cache) == 1 and not found.judgements[0].cached


def cached(key: str) -> CachedScore:
    return CachedScore(
        key=key, judge="m", prompt_sha256="p", labels=("support",), reason="line\nend", usage=TokenUsage(1, 2, 3)
    )


@pytest.mark.parametrize("lost", [1, 5, 80])
def test_a_torn_last_line_costs_that_line_alone(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "c.jsonl"
    with JudgementCache(path) as cache:
        cache.keep(cached("a"))
        cache.keep(cached("b"))
    whole = path.read_bytes()
    path.write_bytes(whole[: -1 - lost])
    with JudgementCache(path) as cache:
        assert (len(cache), cache.tally.damaged) == (1, 1) and cache.find("b") is None
        cache.keep(cached("b"))
    with JudgementCache(path) as cache:
        assert len(cache) == 2 and cache.find("a") == cached("a") and cache.find("b") == cached("b")


def test_what_was_kept_is_there_before_the_cache_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    first, second = JudgementCache(path), JudgementCache(path)
    for number in range(50):
        (first if number % 2 else second).keep(cached(str(number)))
    assert len(JudgementCache(path)) == 50
