"""Typed answers out of whatever a model writes: fuzzed. A label is read as it was written, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from agents.errors import JudgeError
from agents.judges import JudgeSettings, LlmJudge, RuleJudge
from agents.judging import TokenUsage

NUGGETS = ["a", "b", "c"]
LABELS = ["support", "partial_support", "not_support"]
SETTINGS = JudgeSettings(base_url="http://nowhere/v1", model="judge-1", retries=1)
RIGHT = {"labels": LABELS, "reason": "r"}


def judge_of(*answers: list[ModelResponsePart]) -> LlmJudge:
    """A judge whose model gives these answers in turn, the last one again and again."""
    queue = list(answers)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        parts = queue.pop(0) if len(queue) > 1 else queue[0]
        return ModelResponse(parts=parts, usage=RequestUsage(input_tokens=100, output_tokens=7))

    return LlmJudge(SETTINGS, model=FunctionModel(answer))


def call(arguments: str | dict[str, Any]) -> list[ModelResponsePart]:
    return [ToolCallPart("final_result", arguments)]


def text(content: str) -> list[ModelResponsePart]:
    return [TextPart(content)]


async def labels_of(judge: LlmJudge) -> list[str] | None:
    """None: a JudgeError, which names the judge."""
    try:
        return [*(await judge.score("x", question="q?", nuggets=NUGGETS)).labels]
    except JudgeError as exc:
        assert "judge judge-1 at http://nowhere/v1" in str(exc)
        return None


@given(st.integers(0, len(json.dumps(RIGHT)) - 1), st.booleans())
async def test_truncated_json_is_an_error(length: int, as_call: bool) -> None:
    cut = json.dumps(RIGHT)[:length]
    assert await labels_of(judge_of(call(cut) if as_call else text(cut))) is None


@given(st.lists(st.sampled_from(LABELS), max_size=7))
async def test_only_as_many_labels_as_facts_are_taken(labels: list[str]) -> None:
    found = await labels_of(judge_of(call({"labels": labels, "reason": ""})))
    assert found == (labels if len(labels) == len(NUGGETS) else None)


FOREIGN = st.sampled_from(["Support", "SUPPORT", "supported", " support", "partial", "not-support", "yes", "", "1"]) | (
    st.text(max_size=15).filter(lambda label: label not in LABELS)
)


@given(FOREIGN | st.none() | st.integers() | st.booleans(), st.integers(0, 2))
async def test_a_label_that_is_none_is_an_error(label: object, place: int) -> None:
    labels: list[object] = [*LABELS]
    labels[place] = label
    assert await labels_of(judge_of(call(json.dumps({"labels": labels, "reason": ""})))) is None


@given(st.dictionaries(st.text(max_size=10), st.integers() | st.text(max_size=10), max_size=3))
async def test_extra_keys_change_no_label(extra: dict[str, Any]) -> None:
    assert await labels_of(judge_of(call(json.dumps({**extra, **RIGHT})))) == LABELS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from([*LABELS, "labels", "x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["labels", "reason", "z"]), inner),
    max_leaves=8,
)


@given(JSON | st.text(max_size=40), st.booleans())
async def test_any_other_output_is_an_error_or_says_its_labels_itself(output: Any, as_call: bool) -> None:
    written = output if isinstance(output, str) else json.dumps(output)
    found = await labels_of(judge_of(call(written) if as_call else text(written)))
    assert found is None or found == json.loads(written)["labels"]


@pytest.mark.parametrize(
    "parts",
    [
        text("```json\n" + json.dumps(RIGHT) + "\n```"),
        text(f"  {json.dumps(RIGHT)}\n"),
        call(json.dumps(RIGHT)),
        [TextPart("Let me see."), *call(RIGHT)],
    ],
)
async def test_the_form_or_its_bare_json(parts: list[ModelResponsePart]) -> None:
    assert await labels_of(judge_of(parts)) == LABELS


@pytest.mark.parametrize(
    "parts",
    [
        text(f"I think: {json.dumps(RIGHT)}"),
        text(json.dumps(RIGHT) * 2),
        [*call(RIGHT), *call(RIGHT)],
        [ToolCallPart("search", RIGHT)],
        [],
    ],
)
async def test_nothing_is_picked_out_of_a_muddle(parts: list[ModelResponsePart]) -> None:
    assert await labels_of(judge_of(parts)) is None


async def test_tokens_of_all_tries_are_counted() -> None:
    judge = judge_of(call("{"), call(RIGHT))
    found = await judge.score("x", question="q?", nuggets=NUGGETS)
    assert found.usage == TokenUsage(requests=2, input_tokens=200, output_tokens=14)


async def test_aliases_reach_the_model_and_the_rule() -> None:
    seen: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(str(messages[0].parts[0].content))  # type: ignore[union-attr]
        return ModelResponse(parts=call({"labels": ["support", "support"], "reason": ""}))

    aliases = [("IBM", "Big Blue"), ()]
    nuggets = ["International Business Machines", "Apple"]
    judge = LlmJudge(SETTINGS, model=FunctionModel(answer))
    await judge.score("x", question="q?", nuggets=nuggets, aliases=aliases)
    assert "1. International Business Machines (also called: IBM; Big Blue)\n2. Apple" in seen[0]
    found = await RuleJudge().score("big blue, Acme", question="q?", nuggets=nuggets, aliases=aliases)
    assert found.labels == ["support", "not_support"]
