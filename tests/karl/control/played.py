"""`python -m tests.karl.control.played`: the process that answers, its models played by a script."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from agents.engines.base import GenerateRequest
from karl.api.graph import Graph
from karl.arena.ring import Ring
from karl.arena.systems import System
from karl.control.answering import main
from karl.settings import Settings
from store.errors import UsageError
from tests.harness_kit import byte_tokenizer, scripted_policy
from tests.karl.api_kit import TURNS, load

MODULE = "tests.karl.control.played"
TOKENIZER = byte_tokenizer()


async def play(request: GenerateRequest) -> str:
    """Two searches and an answer; what the question names happens in their place."""
    text = str(TOKENIZER.decode(list(request.prompt_ids)))
    turn = text.count("<|assistant|>")
    if "wait for ever" in text and turn > 1:
        await asyncio.Event().wait()
    if "die" in text.split() and turn > 1:
        sys.stdout.write("a line that is no event\n")
        sys.stderr.write("out of memory\n")
        os._exit(3)
    return TURNS[turn - 1]


class PlayedRing(Ring):
    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home

    async def _load(self, system: System, corpus: str) -> Graph:
        if system.spec.temperature == 2:
            raise UsageError("too hot")
        return load(self._home, scripted_policy(play), corpus=corpus, graph=system.spec.graph)


def ring(settings: Settings) -> Ring:
    return PlayedRing(settings.home)


if __name__ == "__main__":
    main(ring=ring)
