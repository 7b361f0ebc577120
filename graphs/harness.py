"""What the nodes of one graph share: policy, search, prompts, plugins; and their two moves, open and sample."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from langchain_core.tools import BaseTool

from agents.chat_template import Message
from agents.engines.base import GenerateRequest, Generation, SamplingParams, StreamingEngine
from agents.errors import BudgetError, EngineError, boundary
from agents.judges import Judge
from agents.policy import Policy
from agents.tools import SearchTool
from agents.values import ValueFunction
from graphs.calling import Calling, make_calling
from graphs.plugins.base import Plugin
from graphs.plugins.chain import before_reply
from graphs.schema import GraphSpec, SearchSettings, StepBudget
from graphs.state import Rollout
from graphs.streaming import generate_aloud
from prompts import Prompt


class Sampled(NamedTuple):
    """`told`: the listener has heard its text already, token by token."""

    generation: Generation
    prompt_tokens: int
    sampled_tokens: int
    seconds: float
    told: bool = False


def step_seed(seed: int, step: int, candidate: int = 0) -> int:
    """A seed in [0, 2**63) for one request: SplitMix64's finaliser, so that neighbours do not resemble each other."""
    z = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + candidate * 0x94D049BB133111EB + 1) & (2**64 - 1)
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return (z ^ (z >> 31)) >> 1


@dataclass(frozen=True)
class Harness:
    """Built once per graph and policy; holds nothing of any rollout. `runners`: graphs that parallel nodes run.

    `temperature`: of the one node that this view of the harness is for; None: the rollout's.
    """

    spec: GraphSpec
    prompts: Mapping[str, Prompt]
    plugins: Sequence[Plugin] = ()
    policy: Policy | None = None
    search: SearchTool | None = None
    value: ValueFunction | None = None
    judge: Judge | None = None
    runners: Mapping[str, Any] = field(default_factory=dict)  # GraphRunners, by graph
    tools: Sequence[BaseTool] = ()  # those that the graph names without a module, and those of its MCP servers
    temperature: float | None = None

    @property
    def speaker(self) -> Policy:
        if self.policy is None:
            raise EngineError(f"graph '{self.spec.name}' needs a policy and was given none")
        return self.policy

    @cached_property
    def calling(self) -> Calling:
        """How this policy calls this graph's tools. Raises: UsageError where a tool is missing."""
        template = self.policy.style if self.policy is not None else None
        return make_calling(self.spec, template=template, search=self.search, tools=self.tools)

    def open(self, rollout: Rollout) -> list[Message]:
        """The prompt of a fresh segment: question or seeds, what was noted so far, and the last call if it is due."""
        return [Message("user", self._say(rollout, rollout.opening, self._opening_values(rollout)))]

    def instruct(self, rollout: Rollout, name: str) -> str:
        """The prompt `name` as a user turn in mid-conversation, with the last call under it if it is due."""
        given = rollout.answer.text if rollout.answer else ""
        return self._say(rollout, name, {**self._opening_values(rollout), "answer": given})

    def _say(self, rollout: Rollout, name: str, values: Mapping[str, Any]) -> str:
        prompt = self.prompts[name]
        text = prompt.render(**{variable: values[variable] for variable in prompt.variables})
        return before_reply(self.plugins, rollout, text)

    def _opening_values(self, rollout: Rollout) -> dict[str, Any]:
        """The variables of `graphs.samples.OPENING`."""
        budget = self.spec.plugin(StepBudget)
        return {
            "question": rollout.inputs.question,
            "summary": rollout.summary,
            "seeds": self.show_seeds(rollout),
            "examples": list(rollout.inputs.examples),
            "answers": rollout.answers or list(rollout.inputs.answers),
            "attempts": len(rollout.attempts or rollout.inputs.answers),
            "count": self.spec.candidates,
            "steps": budget.steps if budget else self.spec.limits.super_steps,
            **self.calling.variables,
        }

    def show_seeds(self, rollout: Rollout) -> str:
        """Seed passages in the format of search results; they take the first numbers of the rollout."""
        seeds = rollout.inputs.seeds
        return self.render_hits(rollout, seeds, "search_result") if seeds else ""

    def render_hits(self, rollout: Rollout, hits: Sequence[Any], prompt: str) -> str:
        settings = self.spec.tools.search or SearchSettings()
        shown = rollout.book.show(
            hits,
            max_chars=settings.max_chars,
            lines=settings.text == "lines",
            seen=settings.seen,
            segment=rollout.conversation.opened,
        )
        return self.prompts[prompt].render(hits=shown)

    async def sample(self, rollout: Rollout, *, max_tokens: int, candidate: int = 0, aloud: bool = False) -> Sampled:
        """One continuation of the open segment. `aloud`: it is the turn itself, so a listener may hear it grow.

        Raises: EngineError, BudgetError when the context is full.
        """
        request = self._request(rollout, max_tokens, candidate)
        engine, began = self.speaker.engine, time.perf_counter()
        async with boundary(EngineError, f"engine {engine.model}"):
            told = aloud and rollout.streams
            if told and isinstance(engine, StreamingEngine):
                generation = await generate_aloud(engine, request, rollout)
            else:
                told = False
                generation = await engine.generate(request)
        rollout.witness.saw(request, generation, opened=str(rollout.conversation.opened))
        usage = rollout.conversation.usage(generation)
        return Sampled(generation, *usage, time.perf_counter() - began, told)

    def _request(self, rollout: Rollout, max_tokens: int, candidate: int) -> GenerateRequest:
        """Raises: BudgetError when the context is full."""
        session = rollout.session_of(candidate)
        fork_of = rollout.session_of(0) if candidate else ""
        params = self._params(rollout, max_tokens, candidate)
        request = rollout.conversation.request(params, session=session, fork_of=fork_of)
        # The request has written the assistant's header: only now is the prompt as long as it will be.
        room = self.speaker.profile.context_tokens - len(rollout.conversation)
        if room < 1:
            raise BudgetError(f"the context of {self.speaker.profile.context_tokens} tokens is full")
        rollout.sessions.add(session)
        return replace(request, sampling=replace(params, max_tokens=min(max_tokens, room)))

    def _params(self, rollout: Rollout, max_tokens: int, candidate: int) -> SamplingParams:
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=rollout.temperature if self.temperature is None else self.temperature,
            top_p=self.spec.sampling.top_p,
            stop_ids=self.speaker.stop_ids,
            seed=step_seed(rollout.seed, len(rollout.steps), candidate),
        )

    def release(self, rollout: Rollout) -> None:
        """Let the engine forget the rollout's sessions."""
        for session in rollout.sessions:
            self.speaker.engine.release(session)
        rollout.sessions.clear()
        rollout.lead = ""

    def keep_candidate(self, rollout: Rollout, candidate: int) -> None:
        """The conversation goes on in that candidate's session; the engine may forget the others."""
        lead = rollout.session_of(candidate)
        rollout.sessions.discard(lead)
        self.release(rollout)
        rollout.sessions.add(lead)
        rollout.lead = lead

    def amend_step(self, rollout: Rollout, **facts: Any) -> None:
        """The last step turned out to have hits, or to have taken a while."""
        rollout.steps[-1] = replace(rollout.steps[-1], **facts)
