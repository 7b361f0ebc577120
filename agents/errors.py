"""Typed failures, and the one boundary that makes them: every error of a rollout becomes a `Failure` with a kind."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.judging import TokenUsage
from store.types import Failure, FailureKind


class RolloutError(Exception):
    """Base of what ends a rollout. `kind` decides how the store counts it."""

    kind = FailureKind.ENGINE

    def to_failure(self) -> Failure:
        return Failure(kind=self.kind, reason=str(self), traceback="".join(traceback.format_exception(self)))


class EngineError(RolloutError):
    kind = FailureKind.ENGINE


class EndpointError(EngineError):
    """A server failed, not the request: the same request may succeed elsewhere or later.

    down: nobody listens there. retry_after: seconds after which the server itself wants to be asked again.
    """

    def __init__(self, message: str, *, down: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.down = down
        self.retry_after = retry_after


class ToolError(RolloutError):
    kind = FailureKind.TOOL


class ParseError(RolloutError):
    kind = FailureKind.PARSE


class BudgetError(RolloutError):
    kind = FailureKind.BUDGET


class RolloutTimeoutError(RolloutError):
    kind = FailureKind.TIMEOUT


class JudgeError(RolloutError):
    """`usage`: what the tries cost that gave no usable answer."""

    kind = FailureKind.JUDGE

    def __init__(self, message: str, *, usage: TokenUsage | None = None) -> None:
        super().__init__(message)
        self.usage = usage or TokenUsage()


@asynccontextmanager
async def boundary(error: type[RolloutError], what: str) -> AsyncIterator[None]:
    """Turn whatever `what` raises into `error`; errors already typed and cancellation pass through.

    Raises: `error`, or RolloutTimeoutError for a timeout.
    """
    try:
        yield
    except (RolloutError, asyncio.CancelledError):
        raise
    except TimeoutError as exc:
        raise RolloutTimeoutError(f"{what}: timed out") from exc
    except Exception as exc:
        raise error(f"{what}: {type(exc).__name__}: {exc}") from exc
