"""An engine that a function plays: tests, and scripted demonstrators. Log-probs are 0.0: nothing was sampled."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal

from agents.chat_template import ChatTemplate
from agents.engines.base import GenerateRequest, Generation
from agents.errors import EngineError

Reply = str | list[int] | Generation
Respond = Callable[[GenerateRequest], Reply | Awaitable[Reply]]


class ScriptedEngine:
    """Answers with `respond(request)`: text (the template's stop token is added), ids as they are, or a Generation.

    `requests` keeps a copy of every request (conversations grow) unless `keep` is off, `released` the sessions.
    """

    def __init__(self, respond: Respond, *, template: ChatTemplate, model: str = "scripted", keep: bool = True) -> None:
        self._respond = respond
        self._template = template
        self._model = model
        self._keep = keep
        self.requests: list[GenerateRequest] = []
        self.released: list[str] = []

    @classmethod
    def by_text(
        cls, respond: Callable[[str], Reply], *, template: ChatTemplate, model: str = "scripted", keep: bool = True
    ) -> ScriptedEngine:
        """`respond` gets the decoded conversation, glue and all."""
        return cls(
            lambda request: respond(template.decode(request.prompt_ids)), template=template, model=model, keep=keep
        )

    @property
    def model(self) -> str:
        return self._model

    async def generate(self, request: GenerateRequest) -> Generation:
        """Raises: whatever `respond` raises; EngineError for a request without prompt or room."""
        if not request.prompt_ids or request.sampling.max_tokens < 1:
            raise EngineError(f"{len(request.prompt_ids)} prompt ids, max_tokens {request.sampling.max_tokens}")
        if self._keep:
            self.requests.append(replace(request, prompt_ids=tuple(request.prompt_ids)))
        reply = self._respond(request)
        return self._generation(await reply if inspect.isawaitable(reply) else reply, request)

    def release(self, session: str) -> None:
        if self._keep:
            self.released.append(session)

    async def aclose(self) -> None:
        return None

    def _generation(self, reply: Reply, request: GenerateRequest) -> Generation:
        if isinstance(reply, Generation):
            return reply
        ids = [*self._template.encode(reply), self._template.stop_ids[0]] if isinstance(reply, str) else list(reply)
        ids = ids[: request.sampling.max_tokens]
        stops = request.sampling.stop_ids or self._template.stop_ids
        reason: Literal["stop", "length"] = "stop" if ids and ids[-1] in stops else "length"
        return Generation(ids, [0.0] * len(ids), reason)
