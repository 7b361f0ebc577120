"""An engine and a searcher that answer at once: what then is left of the wall time is the harness's own."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Self

from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy, load_profile, load_tokenizer
from graphs.runner import GraphRunner
from graphs.schema import GraphSpec, StepBudget, load_spec
from karl.tiny import POLICY_FOLDER
from karl.tiny.world import make_world, write_notes
from store.types import Hit

QUESTION = "where does mira falk live?"
SEARCH, ANSWER = "<search>mira falk</search>", "[1] mira falk lives in oslo so <answer>oslo</answer><confidence>90"


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


@dataclass(frozen=True)
class Rig:
    """The embedded policy's solver (its tokenizer, its prompts) over an instant engine."""

    engine: InstantEngine
    searcher: InstantSearcher
    policy: Policy
    spec: GraphSpec

    def runner(self) -> GraphRunner:
        return GraphRunner(self.spec, policy=self.policy, searcher=self.searcher)

    def forget_times(self) -> None:
        self.engine.watch, self.searcher.watch = Stopwatch(), Stopwatch()
        self.engine.steps_ms.clear()


def make_rig(*, steps: int, yields: bool = False, timed: bool = False) -> Rig:
    """Rollouts of `steps` turns: all but the last search."""
    spec = load_spec("solver", variant="tiny")
    budget = StepBudget(kind="step_budget", steps=steps + 1, last_call=False)
    searcher = InstantSearcher(_hits())
    profile = load_profile(POLICY_FOLDER).model_copy(update={"context_tokens": 10_000_000})
    tokenizer = load_tokenizer(POLICY_FOLDER)
    nothing = Generation([], [], "stop")
    engine = InstantEngine(nothing, nothing, steps, searcher, yields=yields, timed=timed)
    policy = Policy(engine, tokenizer, profile)
    engine.search, engine.answer = _generation(policy, SEARCH), _generation(policy, ANSWER)
    return Rig(engine, searcher, policy, spec.model_copy(update={"plugins": (budget,)}))


def _generation(policy: Policy, text: str) -> Generation:
    ids = [*policy.encode(text), policy.stop_ids[0]]
    return Generation(ids, [-0.1] * len(ids), "stop")


def _hits() -> list[Hit]:
    """Three notes of a generated company."""
    with tempfile.TemporaryDirectory() as folder:
        write_notes(make_world(0), Path(folder))
        files = sorted(file for file in Path(folder).rglob("*") if file.is_file())[:3]
        texts = [file.read_text(encoding="utf-8") for file in files]
    found = [
        Hit(n, file.name, file.stem, text, 1.0) for n, (file, text) in enumerate(zip(files, texts, strict=True), 1)
    ]
    return [replace(hit, text=hit.text[:240]) for hit in found]
