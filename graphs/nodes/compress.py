"""The policy summarises its own history (KARL, section 2)."""

from __future__ import annotations

from graphs.events import Compressed
from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.nodes.candidates import best_of
from graphs.nodes.turn import record
from graphs.schema import Compression, CompressNode
from graphs.state import GraphState
from prompts.output import Summary
from store.types import StepKind


def compress_node(harness: Harness, node: CompressNode) -> Node:
    """The policy summarises its own history; the next segment opens with question and summary."""
    settings = harness.spec.plugin(Compression)
    room = node.sampling.max_tokens or (settings.summary_tokens if settings else harness.spec.sampling.max_tokens)
    prompt = harness.prompts[node.prompt]

    async def compress(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # a policy node came before
        before = len(rollout.conversation)
        known = {"question": rollout.inputs.question, "tokens": room}
        rollout.conversation.begin_compression(prompt.render(**{name: known[name] for name in prompt.variables}))
        kept = await best_of(harness, rollout, candidates=node.candidates, max_tokens=room)
        text = rollout.conversation.append_sampled(kept.sampled.generation)
        record(rollout, StepKind.COMPRESS, text, kept.sampled)
        kept.note(harness, rollout)
        parsed = prompt.parse(text)
        # Nothing in tags: what it wrote is still all that is left of the history.
        rollout.summary = (parsed.text if isinstance(parsed, Summary) else text).strip()
        harness.release(rollout)
        rollout.conversation.compress(harness.open(rollout))
        if rollout.emit:
            after = len(rollout.conversation)
            rollout.emit(Compressed(rollout.key, rollout.turns, rollout.summary, before, after))
        return {"outcome": "ok"}

    return compress
