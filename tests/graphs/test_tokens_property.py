"""Random conversations through the real runner, per family of models: segments are what the engine saw and sampled.

Turns: good and broken calls, several at once, prose, turns cut off by length, compressions. The oracle is the list of
requests that the engine kept and of generations that it gave, nothing of ours.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.chat_template import chat_template
from agents.engines.base import GenerateRequest, Generation
from agents.engines.scripted import ScriptedEngine
from agents.policy import Policy, PolicyProfile
from graphs.events import ToolReplied
from graphs.runner import GraphRunner
from graphs.schema import parse_spec
from graphs.state import RolloutInputs
from store.types import Purpose, RolloutRecord, SegmentRecord, StepKind
from tests.chat_families import FAMILIES, Family, family_tokenizer
from tests.harness_kit import NOTES, ListSearcher

SPEC = """
name: native
description: Calls in the model's own format.
role: solver
tools: {{search: {{k: 2, max_chars: 60}}, announce: {announce}}}
plugins:
  - {{kind: step_budget, steps: 8}}
  - {{kind: compression, trigger_tokens: {trigger}, summary_tokens: 40}}
sampling: {{max_tokens: 160}}
start: think
nodes:
  think: {{kind: policy, prompt: short}}
  search: {{kind: tool, tool: search}}
  compress: {{kind: compress, prompt: shorten}}
edges:
  think: {{search: search, malformed: search, answer: end, exhausted: end}}
  search: {{ok: think, compress: compress}}
  compress: think
"""
SHORT = """---
description: Opens the conversation.
variables:
  question: {type: string}
  summary: {type: string}
output: {parser: tags, actions: [answer], calls: auto}
---
Find out: {{ question }}{% if summary %} So far: {{ summary }}{% endif %}
"""
SHORTEN = """---
description: Asks for a summary.
output: {parser: tags, actions: [summary], bare_summary: true}
---
Sum up.
"""
# Templates that write a conversation in full as it went, and alter no content that has no space around it.
APPEND_ONLY = ["qwen2_5", "llama3", "mistral", "mistral_tools"]

QUERY = st.sampled_from(["mira", "falcon oslo", "nothing", "é <|im_end|> </s>", 'a "b" {c}'])
TURN = st.one_of(
    st.tuples(st.just("calls"), st.lists(QUERY, min_size=1, max_size=3)),
    st.tuples(st.just("unknown"), st.lists(QUERY, min_size=1, max_size=2)),
    st.tuples(st.just("mixed"), st.lists(QUERY, min_size=1, max_size=2)),
    st.tuples(st.just("prose"), st.lists(QUERY, min_size=1, max_size=1)),
    st.tuples(st.just("cut"), st.lists(QUERY, min_size=1, max_size=1)),
    st.tuples(st.just("thought"), st.lists(QUERY, min_size=1, max_size=1)),
)


class Said(NamedTuple):
    prompt: list[int]
    generation: Generation


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "short.md").write_text(SHORT)
    (folder / "shorten.md").write_text(SHORTEN)
    return folder


def text_of(family: Family, kind: str, queries: list[str]) -> str:
    calls = [family.call("search", {"query": query}) for query in queries]
    match kind:
        case "unknown":
            return "\n".join(family.call("serch", {"query": query}) for query in queries)
        case "mixed":
            return "\n".join([*calls, family.call("search", {"words": "x"})])
        case "prose":
            return f"I should look for {queries[0]}."
        case "thought":
            return f"<think>\nhm\n</think>\n\n{calls[0]}"
        case _:
            return "\n".join(calls)


def play(
    family: Family, turns: list[Any], *, trigger: int, announce: str, folder: Path
) -> tuple[GraphRunner, list[Said]]:
    """A runner whose engine plays `turns`, then answers; and the list of what it was asked and gave."""
    tokenizer = family_tokenizer(family.name)
    template = chat_template(tokenizer)
    script, rng = iter(turns), random.Random(0)
    said: list[Said] = []

    def respond(request: GenerateRequest) -> Generation:
        summing = template.decode(request.prompt_ids).rstrip().endswith(SUMMING[family.name])
        kind, queries = ("sum", ["s"]) if summing else next(script, ("answer", ["oslo"]))
        text = {"sum": "<summary>note</summary>", "answer": "<answer>oslo</answer>"}.get(kind) or text_of(
            family, kind, queries
        )
        ids = template.encode(text)
        ids = ids[: len(ids) // 2 + 1] if kind == "cut" else [*ids, template.stop_ids[0]]
        ids = ids[: request.sampling.max_tokens]
        generation = Generation(ids, [-rng.random() for _ in ids], "length" if kind == "cut" else "stop")
        said.append(Said(list(request.prompt_ids), generation))
        return generation

    engine = ScriptedEngine(respond, template=template)
    policy = Policy(engine, tokenizer, PolicyProfile(name=family.name, context_tokens=100_000))
    spec = parse_spec(SPEC.format(trigger=trigger, announce=announce), source="native.yaml")
    return GraphRunner(spec, policy=policy, searcher=ListSearcher(NOTES), prompt_path=[folder]), said


SUMMING = {
    **dict.fromkeys(["qwen3", "qwen2_5"], "Sum up.<|im_end|>\n<|im_start|>assistant"),
    "qwen3_thinking": "Sum up.<|im_end|>\n<|im_start|>assistant\n<think>",
    "glm4_5": "Sum up.<|assistant|>",
    "llama3": "Sum up.<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "mistral": "Sum up. [/INST]",
    "mistral_tools": "Sum up.[/INST]",
}


def expected_segments(record: RolloutRecord, said: list[Said]) -> list[SegmentRecord]:
    """Of the requests alone: a compression is a segment by itself, and what follows it begins anew."""
    groups: list[tuple[bool, list[Said]]] = []
    for step, one in zip(record.steps, said, strict=True):
        compression = step.kind is StepKind.COMPRESS
        if compression or not groups or groups[-1][0]:
            groups.append((compression, []))
        groups[-1][1].append(one)
    return [_segment(group, compression=compression) for compression, group in groups]


def difference(found: list[SegmentRecord], expected: list[SegmentRecord]) -> str | None:
    """Where they part; pytest's own diff of thousands of numbers takes minutes."""
    if len(found) != len(expected):
        return f"{len(found)} segments, expected {len(expected)}"
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        for key in ("token_ids", "loss_mask", "logprobs", "compression"):
            if getattr(one, key) != getattr(other, key):
                return f"segment {number} differs in {key}"
    return None


def _segment(group: list[Said], *, compression: bool) -> SegmentRecord:
    ids = group[-1].prompt + group[-1].generation.token_ids
    mask, logprobs = [0] * len(ids), [0.0] * len(ids)
    for prompt, generation in group:
        span = slice(len(prompt), len(prompt) + len(generation.token_ids))
        assert ids[: span.stop] == prompt + generation.token_ids, "a turn does not extend the tokens before it"
        mask[span], logprobs[span] = [1] * len(generation.token_ids), generation.logprobs
    return SegmentRecord(ids, mask, logprobs, compression)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=12, deadline=None)
@given(turns=st.lists(TURN, max_size=6), trigger=st.sampled_from([150, 400, 100_000]), listed=st.booleans())
async def test_segments_are_what_the_engine_saw_and_sampled(
    name: str, turns: list[Any], trigger: int, listed: bool, prompts: Path
) -> None:
    family = FAMILIES[name]
    announce = "template" if listed and family.lists_tools else "prompt"
    runner, said = play(family, turns, trigger=trigger, announce=announce, folder=prompts)
    events: list[Any] = []
    record = await runner.run(
        RolloutInputs(question="who?"), key="r", purpose=Purpose.TRAIN, seed=0, emit=events.append
    )
    assert record.failure is None or record.failure.kind in ("budget", "parse"), record.failure
    assert difference(record.segments, expected_segments(record, said)) is None
    assert sum(sum(segment.loss_mask) for segment in record.segments) == record.sampled_tokens
    if name in APPEND_ONLY:
        assert_spelt_as_rendered(runner, record, said, events)


def assert_spelt_as_rendered(runner: GraphRunner, record: RolloutRecord, said: list[Said], events: list[Any]) -> None:
    """Every prompt of the first segment spells what the chat template renders for the same messages."""
    policy, calling = runner.harness.speaker, runner.harness.calling
    family = FAMILIES[policy.profile.name]
    tools: Any = [dict(schema) for schema in calling.announced] or None
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Find out: who?"}]
    for turn, (step, (prompt, generation)) in enumerate(zip(record.steps, said, strict=True), 1):
        if step.kind is StepKind.COMPRESS:
            return
        rendered = policy.tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=False, add_generation_prompt=True, date_string="26 Jul 2024"
        )
        assert parting(policy.decode(prompt), str(rendered)) is None
        ids = generation.token_ids
        ended = ids[-1] in policy.stop_ids
        messages.append({"role": "assistant", "content": policy.decode(ids[:-1] if ended else ids)})
        replies = [event.reply for event in events if isinstance(event, ToolReplied) and event.turn == turn]
        messages += as_messages(family, replies)


def parting(spelt: str, rendered: str) -> str | None:
    """What stands where they part."""
    if spelt == rendered:
        return None
    pairs = enumerate(zip(spelt, rendered, strict=False))
    at = next((index for index, (one, other) in pairs if one != other), min(len(spelt), len(rendered)))
    return f"spelt {spelt[at : at + 60]!r}, rendered {rendered[at : at + 60]!r}"


def as_messages(family: Family, replies: list[str]) -> list[dict[str, Any]]:
    if family.tool_role:
        return [{"role": "tool", "content": reply} for reply in replies]
    return [{"role": "user", "content": "\n\n".join(replies)}]
