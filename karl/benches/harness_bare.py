"""The harness's work written by hand, without graph, plugins or failures: what a turn costs at the very least."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

from agents.chat_template import Message
from agents.conversation import Conversation
from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.witness import Witness
from graphs.harness import step_seed
from graphs.schema import GraphSpec
from graphs.state import CitationBook
from karl.benches.harness_rig import QUESTION, Rig
from prompts import Prompt, load_prompt
from prompts.output import FinalAnswer, ToolCalls
from store.types import SegmentRecord, StepKind, StepRecord


class BareRollout(NamedTuple):
    """No failure to tell of: what goes wrong here is raised."""

    answer: str
    steps: list[StepRecord]
    segments: list[SegmentRecord]
    failure: None = None


class BareLoop:
    """`run` does what a rollout of the rig's graph does: tokens, masks, parsing, citations, steps with their times."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._spec: GraphSpec = rig.spec
        self._open: Prompt = load_prompt("solver", variant=rig.policy.profile.prompt_variant)
        self._show: Prompt = load_prompt("search_result", variant=rig.policy.profile.prompt_variant)

    async def run(self, *, key: str, seed: int) -> BareRollout:
        """Raises: ValueError for a turn that neither searches nor answers."""
        conversation, book, steps = Conversation(self._rig.policy.template), CitationBook(), list[StepRecord]()
        witness = Witness()
        conversation.start([Message("user", self._opening())])
        while True:
            prompt_ids = conversation.prompt()
            sampling = self._sampling(step_seed(seed, len(steps)))
            began, before = perf_counter(), len(prompt_ids)
            request = GenerateRequest(prompt_ids, sampling, key)
            generation = await self._rig.engine.generate(request)
            sampled = perf_counter() - began
            witness.saw(request, generation, opened=key)
            text = conversation.append_sampled(generation)
            match self._open.parse(text):
                case FinalAnswer() as answer:
                    steps.append(_step(StepKind.ANSWER, text, before, generation, sampled))
                    self._rig.engine.release(key)
                    return BareRollout(answer.text, steps, witness.sign(conversation.segments()))
                case ToolCalls((call,)):
                    step = _step(StepKind.SEARCH, text, before, generation, sampled, query=call.arguments["query"])
                case other:
                    raise ValueError(f"the rig's engine wrote {other}")
            steps.append(await self._search(conversation, book, step))

    def _opening(self) -> str:
        values = {"question": QUESTION, "summary": "", "steps": self._rig.engine.steps + 1}
        return self._open.render(**{name: values[name] for name in self._open.variables})

    async def _search(self, conversation: Conversation, book: CitationBook, step: StepRecord) -> StepRecord:
        tool = self._spec.tools.search
        assert tool is not None and step.query is not None
        began = perf_counter()
        hits = await self._rig.searcher.search(step.query, tool.k)
        step.hits.extend(hit.chunk_id for hit in hits)
        seconds = perf_counter() - began
        shown = book.show(hits, max_chars=tool.max_chars, lines=tool.text == "lines")
        conversation.append_tool(self._show.render(hits=shown))
        return StepRecord(
            step.kind,
            step.text,
            step.query,
            step.hits,
            step.prompt_tokens,
            step.sampled_tokens,
            step.policy_seconds,
            seconds,
        )

    def _sampling(self, seed: int) -> SamplingParams:
        settings = self._spec.sampling
        return SamplingParams(
            settings.max_tokens, settings.temperature, settings.top_p, self._rig.policy.stop_ids, seed
        )


def _step(
    kind: StepKind, text: str, prompt_tokens: int, generation: Generation, seconds: float, *, query: str | None = None
) -> StepRecord:
    return StepRecord(
        kind,
        text,
        query,
        prompt_tokens=prompt_tokens,
        sampled_tokens=len(generation.token_ids),
        policy_seconds=seconds,
    )
