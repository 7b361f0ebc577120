"""What all engines behind HTTP are: one endpoint, one model, answers that are read strictly.

One request, one try; `agents.engines.router` tries again where a request failed.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from agents.engines.base import FinishReason
from agents.engines.endpoint import Endpoint
from agents.engines.settings import EndpointSettings
from agents.errors import EngineError

BodyT = TypeVar("BodyT", bound=BaseModel)


class HttpEngine:
    """Raises: EndpointError for a server in trouble, else EngineError.

    path: what is asked, below the base URL; mend: what helps against answers that can't be read; ends: finish reasons
    of a whole answer.
    """

    path: ClassVar[str]
    mend: ClassVar[str] = ""
    ends: ClassVar[dict[str, FinishReason]] = {"stop": "stop", "length": "length"}

    def __init__(self, settings: EndpointSettings) -> None:
        self._endpoint = Endpoint(settings)
        self._model = settings.model

    @property
    def model(self) -> str:
        return self._model

    @property
    def url(self) -> str:
        return self._endpoint.url

    def release(self, session: str) -> None:
        """Nothing to do: a server keeps no sessions, or evicts them by itself."""

    async def aclose(self) -> None:
        await self._endpoint.aclose()

    def _read(self, kind: type[BodyT], body: bytes | str) -> BodyT:
        """Raises: EngineError."""
        try:
            return kind.model_validate_json(body)
        except ValidationError as exc:
            where = ".".join(map(str, exc.errors()[0]["loc"]))
            raise EngineError(f"{self.url}{self.path} answered without a readable '{where}'{self.mend}") from exc

    def _reason(self, reason: str) -> FinishReason:
        """Raises: EngineError for an answer that was broken off."""
        if reason not in self.ends:
            raise EngineError(f"{self.url}{self.path} broke off the generation: {reason}")
        return self.ends[reason]
