"""An engine and a searcher that answer at once: what then is left of the wall time is the harness's own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Self

from agents.chat_template import ChatTemplate
from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy, load_profile, load_tokenizer
from graphs.runner import GraphRunner
from graphs.schema import Compression, GraphSpec, StepBudget, load_spec
from graphs.schema.plugins import PluginSettings
from karl.benches.harness_size import TINY, Size, make_hits
from karl.tiny import POLICY_FOLDER
from store.types import Hit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION = "where does mira falk live?"
SEARCH, ANSWER = "<search>mira falk</search>", "[1] mira falk lives in oslo so <answer>oslo</answer><confidence>90"

# Room for every rollout of the bench: no context limit and no compression cuts one short.
_AMPLE = 1_000_000_000


@dataclass
class Stopwatch:
    """Seconds spent inside `with watch:`, by the wall clock and of the processor."""

    wall: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> Self:
        self.wall -= perf_counter()
        self.cpu -= process_time()
        return self

    def __exit__(self, *exc: object) -> None:
        self.wall += perf_counter()
        self.cpu += process_time()

    def less(self, *others: Stopwatch) -> Stopwatch:
        """What is left when the others' time is taken off."""
        return Stopwatch(self.wall - sum(o.wall for o in others), self.cpu - sum(o.cpu for o in others))


@dataclass
class InstantEngine:
    """Searches until turn `steps` of a session, then answers; token ids made beforehand.

    `watch`: time spent in here; `steps_ms`: between one answer and the next request, less what the searcher took.
    While `gate` is not set, requests wait. With `yields` every request lets the other rollouts go first.
    """

    search: Generation
    answer: Generation
    steps: int
    searcher: InstantSearcher
    yields: bool = False
    timed: bool = False
    model: str = "instant"
    watch: Stopwatch = field(default_factory=Stopwatch)
    steps_ms: list[float] = field(default_factory=list)
    gate: asyncio.Event | None = None
    _turns: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _left: tuple[str, float, float] = ("", 0.0, 0.0)

    async def generate(self, request: GenerateRequest) -> Generation:
        if self.timed:
            self._time(request.session)
        if self.gate is not None:
            await self.gate.wait()
        if self.yields:
            await asyncio.sleep(0)
        with self.watch:
            self._turns[request.session] += 1
            reply = self.answer if self._turns[request.session] >= self.steps else self.search
            # Lists of their own, as every engine makes them: the conversation takes them over.
            generation = reply._replace(token_ids=list(reply.token_ids), logprobs=list(reply.logprobs))
        self._left = (request.session, perf_counter(), self.searcher.watch.wall)
        return generation

    def release(self, session: str) -> None:
        self._turns.pop(session, None)

    async def aclose(self) -> None:
        return None

    def _time(self, session: str) -> None:
        last, left, searched = self._left
        if last == session:
            self.steps_ms.append((perf_counter() - left - (self.searcher.watch.wall - searched)) * 1e3)


@dataclass
class InstantSearcher:
    """The same hits for every query."""

    hits: list[Hit]
    watch: Stopwatch = field(default_factory=Stopwatch)

    async def search(self, query: str, k: int) -> list[Hit]:
        with self.watch:
            return self.hits[:k]


class TimedTemplate(ChatTemplate):
    """Knows how long it took to encode contents."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(tokenizer)
        self.watch = Stopwatch()

    def encode(self, text: str) -> list[int]:
        with self.watch:
            return super().encode(text)


@dataclass(frozen=True)
class TimedPolicy(Policy):
    @cached_property
    def template(self) -> TimedTemplate:
        return TimedTemplate(self.tokenizer)


@dataclass(frozen=True)
class Rig:
    """The shipped solver, its plugins included, over an instant engine; the embedded policy's tokenizer."""

    engine: InstantEngine
    searcher: InstantSearcher
    policy: TimedPolicy
    spec: GraphSpec

    def runner(self) -> GraphRunner:
        return GraphRunner(self.spec, policy=self.policy, searcher=self.searcher)

    def forget_times(self) -> None:
        for timed in (self.engine, self.searcher, self.policy.template):
            timed.watch = Stopwatch()
        self.engine.steps_ms.clear()


def make_rig(*, steps: int, size: Size = TINY, yields: bool = False, timed: bool = False) -> Rig:
    """Rollouts of `steps` turns: all but the last search."""
    spec = load_spec("solver", variant=size.variant)
    searcher = InstantSearcher(make_hits(size))
    changes = {"context_tokens": _AMPLE, "prompt_variant": size.variant}
    profile = load_profile(POLICY_FOLDER).model_copy(update=changes)
    nothing = Generation([], [], "stop")
    engine = InstantEngine(nothing, nothing, steps, searcher, yields=yields, timed=timed)
    policy = TimedPolicy(engine, load_tokenizer(POLICY_FOLDER), profile)
    engine.search, engine.answer = _generation(policy, SEARCH), _generation(policy, ANSWER)
    plugins = tuple(_ample(plugin, steps) for plugin in spec.plugins)
    return Rig(engine, searcher, policy, spec.model_copy(update={"plugins": plugins}))


def _ample(plugin: PluginSettings, steps: int) -> PluginSettings:
    """The plugin at work in every turn, its limits out of reach: all rollouts are of the same `steps` turns."""
    match plugin:
        case StepBudget():
            return plugin.model_copy(update={"steps": steps + 1})
        case Compression():
            limits = {name: _AMPLE for name in ("trigger_tokens", "trigger_chars") if getattr(plugin, name) is not None}
            return plugin.model_copy(update=limits)
        case _:
            return plugin


def _generation(policy: Policy, text: str) -> Generation:
    ids = [*policy.encode(text), policy.stop_ids[0]]
    return Generation(ids, [-0.1] * len(ids), "stop")
