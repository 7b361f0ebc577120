"""Sampling a turn that somebody listens to: Token events as the engine delivers."""

from __future__ import annotations

from contextlib import aclosing

from agents.detokenizer import Detokenizer
from agents.engines.base import Delta, GenerateRequest, Generation, StreamingEngine, joined
from graphs.events import Token
from graphs.state import Rollout


async def generate_aloud(engine: StreamingEngine, request: GenerateRequest, rollout: Rollout) -> Generation:
    """`engine.generate(request)`, told to the rollout's listener piece by piece. Raises: EngineError."""
    template = rollout.tokens.template
    text = Detokenizer(template.decode)
    deltas: list[Delta] = []
    async with aclosing(engine.stream(request)) as stream:
        async for delta in stream:
            deltas.append(delta)
            ids = delta.token_ids
            # The token that ends the turn is no text of it; its delta need not be the one with the finish reason.
            ended = bool(ids) and ids[-1] in template.stop_ids
            _tell(rollout, text.push(ids[:-1] if ended else ids))
    _tell(rollout, text.finish())
    return joined(deltas)


def _tell(rollout: Rollout, text: str) -> None:
    if text and rollout.emit:
        rollout.emit(Token(rollout.key, rollout.turns + 1, text))
