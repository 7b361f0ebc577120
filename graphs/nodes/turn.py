"""One turn of the policy: sample, parse, record, act on what it says."""

from __future__ import annotations

from graphs.events import Token, TurnStarted
from graphs.harness import Harness, Sampled
from graphs.nodes.base import Node, Update
from graphs.plugins.chain import after_turn, before_turn
from graphs.schema import PolicyNode
from graphs.state import GraphState, Rollout
from prompts.output import CandidateSet, FinalAnswer, Parsed, ParseFailure, Summary, ToolCalls
from store.types import StepKind


def policy_node(harness: Harness, node: PolicyNode) -> Node:
    """One turn: sample, parse, record."""

    async def think(state: GraphState) -> Update:
        rollout = begin(harness, state, node.prompt, instruction=node.instruction)
        if outcome := before_turn(harness.plugins, rollout):
            return {"outcome": outcome}
        sampled = await harness.sample(rollout, max_tokens=harness.spec.sampling.max_tokens, aloud=True)
        return {"outcome": take_turn(harness, rollout, sampled)}

    return think


def begin(harness: Harness, state: GraphState, prompt: str, *, instruction: str | None = None) -> Rollout:
    """The state's rollout, its conversation opened by the first node that speaks; then the node's own instruction."""
    rollout = state.rollout
    if rollout is None:
        raise ValueError(f"graph '{harness.spec.name}' runs a policy and was started without a rollout")
    if not rollout.opening:
        rollout.opening = prompt
        rollout.conversation.tools = harness.calling.announced
        rollout.conversation.start(harness.open(rollout))
    rollout.reading = instruction or rollout.opening
    if instruction:
        rollout.conversation.append_user(harness.instruct(rollout, instruction))
    if rollout.emit:
        rollout.emit(TurnStarted(rollout.key, rollout.turns + 1))
    return rollout


def take_turn(harness: Harness, rollout: Rollout, sampled: Sampled) -> str:
    """Append what was sampled, act on what it says; the outcome of the turn."""
    text = rollout.conversation.append_sampled(sampled.generation)
    native = rollout.conversation.native_calls
    rollout.parsed = parsed = harness.calling.read(harness.prompts[rollout.reading], text, native=native)
    rollout.turns += 1
    if rollout.emit and text and not sampled.told:
        rollout.emit(Token(rollout.key, rollout.turns, text))
    outcome, kind = _meaning(rollout, parsed)
    record(rollout, kind, text, sampled, query=parsed.query if isinstance(parsed, ToolCalls) else None)
    return after_turn(harness.plugins, rollout, outcome)


def record(rollout: Rollout, kind: StepKind, text: str, sampled: Sampled, *, query: str | None = None) -> None:
    count = sampled.sampled_tokens
    rollout.sampled_tokens += count
    rollout.record(
        kind,
        text,
        query=query,
        prompt_tokens=sampled.prompt_tokens,
        sampled_tokens=count,
        policy_seconds=sampled.seconds,
    )


def _meaning(rollout: Rollout, parsed: Parsed | ParseFailure) -> tuple[str, StepKind]:
    match parsed:
        case ToolCalls():
            return _of_calls(parsed)
        case FinalAnswer():
            rollout.answer = parsed
        case CandidateSet():
            rollout.candidates = list(parsed.candidates)
        case Summary() | ParseFailure():
            return "malformed", StepKind.MALFORMED
    return "answer", StepKind.ANSWER


def _of_calls(parsed: ToolCalls) -> tuple[str, StepKind]:
    """Malformed only when none of the calls can be carried out: each gets a reply of its own either way."""
    names = {call.name for call in parsed.calls if call.problem is None}
    if not names:
        return "malformed", StepKind.MALFORMED
    return "search", StepKind.SEARCH if names == {"search"} else StepKind.TOOL
