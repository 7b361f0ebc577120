"""The judge's model over a real socket: what it sends, what it tries again, what it gives up on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agents.errors import JudgeError
from agents.judges import JudgeSettings, LlmJudge
from agents.judging import Score, TokenUsage
from tests.wire_double import CUT, Answer, Given, background_server, server


def labelled(*labels: str, tokens: int = 12) -> Answer:
    arguments = json.dumps({"labels": labels, "reason": "r"})
    message = {
        "content": None,
        "tool_calls": [{"id": "c", "function": {"name": "final_result", "arguments": arguments}}],
    }
    usage = {"prompt_tokens": 300, "completion_tokens": tokens}
    return Answer(200, {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage})


async def judged(*answers: Given, nuggets: int = 2) -> tuple[Score, list[dict[str, Any]]]:
    """What a judge makes of an endpoint that answers so in turn, the last way again and again; and what it was sent."""
    queue = list(answers)

    def respond(body: dict[str, Any]) -> Given:
        return queue.pop(0) if len(queue) > 1 else queue[0]

    async with server(respond, api_key="secret") as (url, seen):
        judge = LlmJudge(JudgeSettings(base_url=url, model="m", api_key="secret", timeout_seconds=5, retries=1))
        return await judge.score("Ada", question="Who?", nuggets=["n"] * nuggets), seen


async def test_one_request_one_typed_answer() -> None:
    score, seen = await judged(labelled("support", "not_support"))
    assert (score.labels, score.value, score.judge) == (["support", "not_support"], 0.5, "m")
    assert score.usage == TokenUsage(1, 300, 12)
    (sent,) = seen
    assert sent["path"] == "/v1/chat/completions" and sent["authorization"] == "Bearer secret"
    assert (sent["model"], sent["temperature"], sent["tool_choice"]) == ("m", 0.0, "required")
    assert [message["role"] for message in sent["messages"]] == ["user"] and "Ada" in sent["messages"][0]["content"]
    function = sent["tools"][0]["function"]
    assert function["name"] == "final_result" and set(function["parameters"]["properties"]) == {"labels", "reason"}


@pytest.mark.parametrize(
    "trouble", [Answer(429, {}, {"Retry-After": "0"}), Answer(503, "soon", {"Retry-After": "0"}), CUT]
)
async def test_a_server_in_trouble_is_asked_again(trouble: Answer) -> None:
    score, seen = await judged(trouble, labelled("support", "support"))
    assert score.value == 1.0 and len(seen) == 2


async def test_it_gives_up_after_three_tries() -> None:
    busy = Answer(503, "soon", {"Retry-After": "0"})
    with pytest.raises(
        JudgeError, match=r"judge m at http://127\.0\.0\.1:\d+/v1: EndpointTrouble: .* status 503: soon"
    ):
        await judged(busy)
    score, seen = await judged(busy, busy, labelled("support", "support"))
    assert score.value == 1.0 and len(seen) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(400, {"error": "no such model"}), "refused with status 400: .*no such model"),
        (Answer(200, "<html>"), "without a readable 'JSON'"),
        (Answer(200, {"choices": []}), "without a readable 'choices'"),
        (Answer(200, {"choices": [{"message": {}}]}), "no usable answer in 2 tries"),
    ],
)
async def test_what_asking_again_would_not_mend_is_a_judge_error(answer: Answer, message: str) -> None:
    with pytest.raises(JudgeError, match=message):
        await judged(answer)


async def test_an_endpoint_without_tool_calls_may_answer_in_json() -> None:
    text = json.dumps({"labels": ["support", "support"], "reason": "r"})
    score, _ = await judged(Answer(200, {"choices": [{"message": {"content": f"```json\n{text}\n```"}}]}))
    assert score.value == 1.0 and score.usage == TokenUsage(1, 0, 0)


def test_a_judge_outlives_an_event_loop() -> None:
    with background_server(lambda body: labelled("support")) as (url, seen):
        judge = LlmJudge(JudgeSettings(base_url=url, model="m", timeout_seconds=5))
        for _ in range(3):
            assert asyncio.run(judge.score("Ada", question="Who?", nuggets=["n"])).value == 1.0
        assert len(seen) == 3
