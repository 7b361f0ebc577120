"""A conversation with one system over one corpus, in a process of its own.

conversation = Conversation(settings, corpus="notes", graph="solver", checkpoint="acme-1/oapl-2")
await conversation.start()                       # seconds: the model is loaded; asking does it, too
async for event in conversation.ask("Where does Mira work?"):
    ...                                          # karl.control.events, the last is Answered or Failed
await conversation.aclose()
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from karl.arena.spec import SystemSpec
from karl.control.answerer import MODULE, Answerer
from karl.control.events import Event, Ready
from karl.control.requests import NEWEST
from karl.settings import Settings


class Conversation:
    """The graph is looked at before each question: one that was edited meanwhile is loaded anew, its model is not.

    graph: a name, or a YAML file. checkpoint: a name in the store, a folder, `embedded`, `chat`; None: the newest
    trained on the corpus, as `karl ask` takes it. attempts, value, temperature: as `load_graph` has them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        corpus: str,
        graph: str | Path = "solver",
        checkpoint: str | None = None,
        attempts: int | None = None,
        value: Path | None = None,
        temperature: float | None = None,
        module: str = MODULE,
    ) -> None:
        self._answerer = Answerer(settings, module=module)
        self._corpus = corpus
        self._system = SystemSpec(
            checkpoint=checkpoint or NEWEST,
            graph=str(graph),
            attempts=attempts,
            value=value,
            temperature=temperature,
            task=None,
            model=None,
        ).text

    @property
    def pid(self) -> int | None:
        """Of the process; None: there is none now."""
        return self._answerer.pid

    async def start(self) -> Ready:
        """Have the model in memory. Raises: KarlError that says why it can't be."""
        return await self._answerer.ready([self._system], self._corpus)

    def ask(self, question: str, *, seed: int = 0) -> AsyncGenerator[Event, None]:
        """What happens, as it happens: Loading where needed, the graph's events, then Answered or Failed.

        Leaving the loop early cancels the question. A process that died is told as Failed; the next starts another.
        """
        return self._answerer.ask(self._system, self._corpus, question, seed=seed)

    async def cancel(self) -> None:
        """The question under way ends with Failed; the model stays."""
        await self._answerer.cancel()

    async def aclose(self) -> None:
        """End the process. Safe to call twice."""
        await self._answerer.aclose()
