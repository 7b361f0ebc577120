"""Systems that answer by themselves, behind what a graph's runner is to the collector: a question in, a record out."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.engines.base import SamplingParams
from agents.engines.chat import ChatEngine, ChatRequest
from agents.engines.router import Router
from agents.engines.settings import ChatSettings, RouterSettings
from agents.errors import EngineError, RolloutError, boundary
from evals.report.grading import CITE
from graphs.state import RolloutInputs
from store.types import (
    Failure,
    Provenance,
    Purpose,
    Role,
    RolloutRecord,
    RolloutStatus,
    StepKind,
    StepRecord,
    ToolCallRecord,
)

GRAPH = "external"  # stands where the rows of our own systems name their graph
MOST_TOKENS = 2**53  # of one answer; more is a mistake, and no database takes it
_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens", "sampled_tokens")
_FORMS = "a text, or an object or mapping with `answer` and, where there are, `citations` and `usage`"


class Reply(NamedTuple):
    """What a system said. None: it did not say; citations: keys of documents, as it names them."""

    answer: str
    citations: tuple[str, ...] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


Ask = Callable[[str, float | None], Awaitable[Reply]]


@dataclass(frozen=True)
class ExternalRunner:
    """`ask` raises RolloutError for what went wrong; the record then says so. `timeout`: seconds; None: no limit."""

    model: str
    ask: Ask
    timeout: float | None = None

    async def run(
        self, inputs: RolloutInputs, *, key: str, purpose: Purpose, seed: int, temperature: float | None = None
    ) -> RolloutRecord:
        began, failure, reply = time.perf_counter(), None, Reply("")
        try:
            async with boundary(EngineError, self.model), asyncio.timeout(self.timeout):
                reply = await self.ask(inputs.question, temperature)
        except RolloutError as exc:
            failure = exc.to_failure()
        seconds = time.perf_counter() - began
        return RolloutRecord(
            key=key,
            role=Role.SOLVER,
            purpose=purpose,
            status=RolloutStatus.FAILED if failure else RolloutStatus.FINISHED,
            provenance=Provenance(GRAPH, "", {}, self.model, 0),
            question=inputs.question,
            answer=reply.answer,
            steps=_steps(reply, failure, seconds),
            failure=failure,
            # A row needs a number; one that nobody set was the system's own affair.
            temperature=1.0 if temperature is None else temperature,
            seed=seed,
            seconds=seconds,
            trainable=False,
        )


def _steps(reply: Reply, failure: Failure | None, seconds: float) -> list[StepRecord]:
    if failure is not None:
        return []
    told = reply.citations is not None
    calls = [ToolCallRecord(tool=CITE, arguments={"keys": list(reply.citations or ())})] if told else []
    # Of one count without the other the cost would come out too low: then nobody counted.
    counted = reply.input_tokens is not None and reply.output_tokens is not None
    return [
        StepRecord(
            kind=StepKind.ANSWER,
            text=reply.answer,
            prompt_tokens=(reply.input_tokens or 0) if counted else 0,
            sampled_tokens=(reply.output_tokens or 0) if counted else 0,
            policy_seconds=seconds,
            calls=calls,
        )
    ]


class EndpointAsker:
    """The question as the user's only message, over the router's retries. Close it with `aclose`."""

    def __init__(self, settings: ChatSettings, *, routing: RouterSettings, temperature: float | None) -> None:
        # The system answers by itself: nothing of how it samples is set but what was asked for.
        own = ("top_p", "seed", settings.limit_key, *(() if temperature is not None else ("temperature",)))
        self._router = Router([ChatEngine(settings.model_copy(update={"omit": own}))], routing)

    async def __call__(self, question: str, temperature: float | None) -> Reply:
        sampling = SamplingParams(max_tokens=1, temperature=temperature or 0.0)
        request = ChatRequest([], sampling, messages=[{"role": "user", "content": question}])
        async with boundary(EngineError, "endpoint"):
            reply = await self._router.generate(request)
        return Reply(reply.text, None, reply.prompt_tokens, reply.sampled_tokens)

    async def aclose(self) -> None:
        await self._router.aclose()


@dataclass(frozen=True)
class FunctionAsker:
    """A Python callable; one that is not async runs in a thread, which ends with the process if it hangs."""

    name: str
    function: Callable[..., Any]

    async def __call__(self, question: str, temperature: float | None) -> Reply:
        """`temperature` is not passed on: the signature is one of a question."""
        async with boundary(EngineError, self.name):
            try:
                asynchronous = inspect.iscoroutinefunction(self.function)
                given = await (self.function(question) if asynchronous else in_thread(self.function, question))
                return reply_of(await given if inspect.isawaitable(given) else given)
            except SystemExit as exc:
                raise EngineError(f"{self.name}: called sys.exit({exc}); raise an error instead") from exc
            except asyncio.CancelledError as exc:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                raise EngineError(f"{self.name}: something in it was cancelled") from exc

    async def aclose(self) -> None:
        """Holds nothing."""


async def in_thread(function: Callable[[str], Any], question: str) -> Any:
    """What the function returns or raises, out of a thread of its own.

    An executor's threads would keep the process from ending after a call that hangs; and what no future can carry
    (StopIteration) would never come out of one.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def work() -> None:
        try:
            outcome = function(question), None
        except BaseException as exc:
            outcome = None, exc
        # Nobody waits any more: the time was up, or the loop is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(outcome))

    threading.Thread(target=work, name="karl-eval", daemon=True).start()
    value, error = await ended
    if isinstance(error, StopIteration):
        raise RuntimeError("StopIteration: next() of something empty?") from error
    if error is not None:
        raise error
    return value


def reply_of(given: Any) -> Reply:
    """Raises: EngineError for what is no answer."""
    if isinstance(given, str):
        return Reply(given)
    answer = _get(given, "answer")
    if not isinstance(answer, str):
        raise EngineError(f"returned {type(given).__name__}; return {_FORMS}")
    usage = _get(given, "usage")
    return Reply(answer, _keys(_get(given, "citations")), _count(usage, _INPUT), _count(usage, _OUTPUT))


def _keys(citations: Any) -> tuple[str, ...] | None:
    if citations is None:
        return None
    if isinstance(citations, str):
        raise EngineError("returned `citations` as a text; return a list of keys")
    return tuple(one if isinstance(one, str) else str(_get(one, "key") or one) for one in citations)


def _count(usage: Any, names: tuple[str, ...]) -> int | None:
    found = next((value for name in names if (value := _get(usage, name)) is not None), None)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < MOST_TOKENS):
        raise EngineError(f"returned usage of {found!r} tokens; return a whole number, or leave it out")
    return found


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
