"""Nuggets out of references: by a scripted model, and by the rule that stands in for one."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agents.errors import JudgeError
from agents.structured import JudgeSettings, StructuredModel
from evals.items import EvalItem
from evals.scoring.nuggetise import LlmNuggetiser, RuleNuggetiser, split_reference

SETTINGS = JudgeSettings(base_url="http://nowhere/v1", model="m", retries=1)


def item(*references: str) -> EvalItem:
    return EvalItem(key="q1", question="What lowers it?", reference=references[0], references=references)


def nuggetiser(*outputs: dict[str, Any]) -> tuple[LlmNuggetiser, list[str]]:
    """It answers with these in turn; and the prompts it saw."""
    seen: list[str] = []
    queue = iter(outputs)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(str(messages[0].parts[0].content))  # type: ignore[union-attr]
        return ModelResponse(parts=[ToolCallPart("final_result", next(queue))])

    return LlmNuggetiser(StructuredModel(SETTINGS, model=FunctionModel(answer))), seen


def joined(*entries: tuple[str, list[int]]) -> dict[str, Any]:
    return {"nuggets": [{"text": text, "facts": facts} for text, facts in entries]}


async def test_one_reference_is_one_request() -> None:
    model, seen = nuggetiser({"nuggets": ["Exercise lowers it.", " Sleep lowers it. "]})
    found = await model.nuggetise(item("Exercise and sleep."), guidance="one entry per measure")
    assert [one.text for one in found.nuggets] == ["Exercise lowers it.", "Sleep lowers it."]
    assert len(seen) == 1 and "Exercise and sleep." in seen[0] and "For this task: one entry per measure" in seen[0]
    assert found.nuggetiser == "m" and found.prompts == {"nuggetiser": model.prompts["nuggetiser"].sha256}
    assert found.usage.requests == 1


async def test_several_references_are_joined_and_nothing_is_lost_on_the_way() -> None:
    model, seen = nuggetiser(
        {"nuggets": ["Exercise lowers it.", "Sleep lowers it."]},
        {"nuggets": ["Exercise of 30 minutes lowers it."]},
        joined(("Exercise of 30 minutes lowers it.", [1, 3])),
        joined(("Exercise of 30 minutes lowers it.", [1, 3]), ("Sleep lowers it.", [2])),
    )
    found = await model.nuggetise(item("First.", "Second.", "First. "))
    assert [one.text for one in found.nuggets] == ["Exercise of 30 minutes lowers it.", "Sleep lowers it."]
    assert "2. Sleep lowers it.\n3. Exercise of 30 minutes lowers it." in seen[2]
    assert len(seen) == 4 and "use every number from 1 to 3 exactly once; wrong: [2]" in seen[3]
    assert set(found.prompts) == {"nuggetiser", "nugget_consolidator"} and found.usage.requests == 4


async def test_many_references_are_joined_a_few_at_a_time() -> None:
    """Three of 25 facts: the first two make 50 of at most 60; what is left of them goes with the third."""
    lists = [{"nuggets": [f"{name}{n}" for n in range(25)]} for name in "abc"]
    halves = joined(*[(f"ab{n}", [n, n + 25]) for n in range(1, 26)])
    model, seen = nuggetiser(*lists, halves, joined(("all", list(range(1, 51)))))
    found = await model.nuggetise(item("First.", "Second.", "Third."))
    assert [one.text for one in found.nuggets] == ["all"] and len(seen) == 5
    assert "50. b24" in seen[3] and "c0" not in seen[3] and "25. ab25\n26. c0" in seen[4]


@pytest.mark.parametrize(
    "output", [joined(("a", [1]), ("b", [1, 2])), joined(("a", [1, 2, 3])), joined((" ", [1, 2])), joined()]
)
async def test_a_consolidation_that_does_not_add_up_is_an_error(output: dict[str, Any]) -> None:
    model, _ = nuggetiser({"nuggets": ["a"]}, {"nuggets": ["b"]}, output, output)
    with pytest.raises(JudgeError, match="no usable answer in 2 tries"):
        await model.nuggetise(item("First.", "Second."))


@pytest.mark.parametrize("nuggets", [[], ["a", " "]])
async def test_blank_facts_are_an_error(nuggets: list[str]) -> None:
    model, _ = nuggetiser({"nuggets": nuggets}, {"nuggets": nuggets})
    with pytest.raises(JudgeError, match="no usable answer"):
        await model.nuggetise(item("First."))


@pytest.mark.parametrize(
    ("reference", "pieces"),
    [
        ("Oslo", ["Oslo"]),
        ("It fell by 1.7%. Sales rose to $3.5 million.", ["It fell by 1.7%.", "Sales rose to $3.5 million."]),
        ("Dr. Kvist of Acme Inc. led it. Bo paid.", ["Dr. Kvist of Acme Inc. led it.", "Bo paid."]),
        (
            "Due to:\n- lower margins\n- two one-off charges. Both small.",
            ["lower margins", "two one-off charges. Both small."],
        ),
        ("1. Ada\n2) Bo\n\n(3) Cy", ["Ada", "Bo", "Cy"]),
    ],
)
def test_the_rule_cuts_lists_and_sentences(reference: str, pieces: list[str]) -> None:
    assert split_reference(reference) == pieces


async def test_the_rule_says_that_it_is_one_and_joins_equals() -> None:
    found = await RuleNuggetiser().nuggetise(item("Ada led it. Bo paid.", "bo paid!\nCy left."))
    assert [one.text for one in found.nuggets] == ["Ada led it.", "Bo paid.", "Cy left."]
    assert (found.nuggetiser, found.prompts, found.usage.requests) == ("rule", {}, 0)
    with pytest.raises(JudgeError, match="neither nuggets nor a reference"):
        await RuleNuggetiser().nuggetise(item(" "))
    with pytest.raises(JudgeError, match="no words"):
        await RuleNuggetiser().nuggetise(item("..."))
