"""Make the embedded base policy: companies, demonstrations through the real harness, behaviour cloning on verl.

The companies of cloning, of training and of evaluation have different seeds and so different facts; they share pools of
names, and a share of the cloning companies has invented names, so that copying is learnt and not the pools.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from agents.chat_template import ChatTemplate, Message, chat_template
from agents.conversation import Conversation
from agents.engines.base import GenerateRequest, Generation
from agents.engines.scripted import ScriptedEngine
from agents.policy import PROFILE_FILE, Policy, PolicyProfile
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from karl.collect import seed_of
from karl.reporting import Reporter
from karl.tiny import names
from karl.tiny.demonstrations import (
    KEYWORDS,
    GeneratorDemonstrator,
    Noise,
    SolverDemonstrator,
    aggregate,
    cite,
    starting_questions,
)
from karl.tiny.tokenizer import TokenizerKind, make_tokenizer
from karl.tiny.world import KINDS, Question, World, make_world, questions, write_notes
from store import queries
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.session import Store
from store.types import Hit, Purpose, RolloutRecord, SegmentRecord
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

# graph -> share of the demonstrations
GRAPHS = {"qa_generator": 0.25, "aggregator": 0.04, "solver": 0.71}
CLONING_SEED = 1_000_000  # far from every seed that a demo uses
FIXED_TEXT = (
    "nothing no results so far : unknown answer now write a search or an answer summarise combine ask about recite"
)


class MakeConfig(BaseModel, frozen=True, extra="forbid"):
    """The shipped checkpoint was made with the defaults."""

    seed: int = 0
    tokenizer: TokenizerKind = "bpe"
    companies: int = Field(40, ge=1)
    invented: float = Field(0.15, ge=0, le=1, description="share of companies whose names are invented")
    demonstrations: int = Field(600, ge=1, description="per company")
    drills: int = Field(300, ge=0, description="copying drills per company")
    steps: int = Field(1500, ge=1, description="optimiser steps of behaviour cloning")
    batch: int = Field(32, ge=1)
    lr: float = Field(3e-3, gt=0)
    noise: Noise = Field(default_factory=Noise, description="how often the demonstrators err")
    threads: int | None = Field(1, ge=1, description="CPU threads while cloning; None: torch's choice")


@dataclass(frozen=True)
class Demonstrations:
    """One list of segments a demonstration, the demonstrators' turns as the sampled tokens; then the drills."""

    segments: list[list[SegmentRecord]] = field(default_factory=list)
    solved: int = 0
    asked: int = 0


def vocabulary_texts() -> list[str]:
    """Everything that the demonstrations can say in the pools' words."""
    pools = [*names.FIRST, *names.LAST, *names.TEAMS, *names.PRODUCTS, *names.CUSTOMERS, *names.CITIES]
    pools += [*names.CONCERNS, *names.MONTHS, *names.YEARS]
    texts = [*pools, *KEYWORDS.values(), FIXED_TEXT]
    for seed in range(4):
        world = make_world(CLONING_SEED + seed)
        texts += [fact.sentence for fact in world.facts]
        texts += [f"{q.text} - {q.answer}" for kind in KINDS.values() for q in kind(world)]
    return texts


async def demonstrate(
    config: MakeConfig, *, reporter: Reporter, template: ChatTemplate, tokenizer: Any
) -> Demonstrations:
    """Run the demonstrators through the solver, generator and aggregator graphs over each company's notes."""
    records: list[RolloutRecord] = []
    drills: list[SegmentRecord] = []
    solved = asked = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        reporter.stage("demonstrating", config.companies * config.demonstrations) as progress,
    ):
        store = Store.open(f"sqlite:///{folder}/karl.db")
        for company in range(config.companies):
            share = 1.0 if company < config.invented * config.companies else 0.0
            world = make_world(CLONING_SEED + 1000 * (config.seed + 1) + company, invented=share)
            script = _Script(world, seed=config.seed * 1000 + company)
            made = await script.run(config, store=store, home=Path(folder), template=template, tokenizer=tokenizer)
            records += made
            drills += copying_drills(world, count=config.drills, seed=config.seed * 1000 + company, template=template)
            solved, asked = solved + script.solved, asked + script.asked
            progress.advance(config.demonstrations)
        store.close()
    segments = [[s for s in record.segments if any(s.loss_mask)] for record in records if record.failure is None]
    return Demonstrations([*filter(None, segments), *([drill] for drill in drills)], solved, asked)


def copying_drills(world: World, *, count: int, seed: int, template: ChatTemplate) -> list[SegmentRecord]:
    """Notes to recite by number in another order: dense practice of the copying that every answer rests on."""
    rng = random.Random(seed)
    drills = []
    for _ in range(count):
        notes = [cite(f.sentence, n) for n, f in enumerate(rng.sample(world.facts, rng.randint(2, 6)), 1)]
        conversation = Conversation(template)
        conversation.start([Message("user", "recite\n" + "\n".join(notes))])
        rng.shuffle(notes)
        ids = [*template.encode(" ".join(notes)), template.stop_ids[0]]
        conversation.prompt()  # opens the assistant's turn
        conversation.append_sampled(Generation(ids, [0.0] * len(ids), "stop"))
        drills += conversation.segments()
    return drills


class _Script:
    """The demonstrators of one company behind one scripted engine, told apart by the rollout's key."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._world, self._seed = world, seed
        self._questions = questions(world, count=1_000_000, seed=seed)
        self._starts = starting_questions(self._questions)
        self._actors: dict[str, Callable[[str], str]] = {}
        self._new_actor: Callable[[], Callable[[str], str]] | None = None
        self.solved = self.asked = 0

    async def run(
        self, config: MakeConfig, *, store: Store, home: Path, template: ChatTemplate, tokenizer: Any
    ) -> list[RolloutRecord]:
        name = f"company-{self._seed}"
        notes = home / name
        write_notes(self._world, notes)
        ingest(store, notes, name=name, settings=CorpusSettings(embedder="none"))
        with AsyncSearcher(open_index(store, name, home=home)) as searcher:
            return await self._demonstrated(name, searcher, config, store=store, template=template, tokenizer=tokenizer)

    async def _demonstrated(
        self,
        name: str,
        searcher: AsyncSearcher,
        config: MakeConfig,
        *,
        store: Store,
        template: ChatTemplate,
        tokenizer: Any,
    ) -> list[RolloutRecord]:
        with store.session() as session:
            corpus = queries.corpus_by_name(session, name)
            chunks = {chunk.text.strip(): chunk for chunk in queries.corpus_chunks(session, corpus.id or 0)}
        engine = ScriptedEngine(lambda request: self._respond(request, template), template=template, keep=False)
        policy = Policy(engine, tokenizer, PolicyProfile(name="demonstrator", prompt_variant="tiny"))
        runners = {graph: load_runner(graph, policy=policy, searcher=searcher) for graph in GRAPHS}
        records = []
        for index in range(config.demonstrations):
            key = f"{name}/{index}"
            rng = random.Random(seed_of(key, seed=config.seed))
            graph, inputs, question = self._cast(rng, chunks, config.noise)
            record = await runners[graph].run(inputs, key=key, purpose=Purpose.DEMONSTRATE, seed=0)
            self._count(graph, question, record)
            records.append(record)
            self._actors.clear()
        return records

    def _cast(self, rng: random.Random, chunks: dict[str, Any], noise: Noise) -> tuple[str, RolloutInputs, Question]:
        """Choose graph, inputs and demonstrator of the next demonstration."""
        draw = rng.random()
        if draw < GRAPHS["qa_generator"]:
            return self._cast_generator(rng, chunks, noise)
        kind = rng.choice(list(KINDS))
        question = rng.choice([q for q in self._questions if q.kind == kind] or self._questions)
        self._new_actor = lambda: _SolverRole(SolverDemonstrator(question, rng, noise)).act
        graph = "aggregator" if draw < GRAPHS["qa_generator"] + GRAPHS["aggregator"] else "solver"
        return graph, RolloutInputs(question=question.text), question

    def _cast_generator(
        self, rng: random.Random, chunks: dict[str, Any], noise: Noise
    ) -> tuple[str, RolloutInputs, Question]:
        fact = rng.choice([f for f in self._world.facts if self._starts[f.subject] or self._starts[f.object]])
        question = rng.choice(self._starts[fact.subject] + self._starts[fact.object])
        self._new_actor = lambda: GeneratorDemonstrator(question, rng, noise).act
        chunk = chunks[fact.sentence]
        seed = Hit(chunk_id=chunk.id, key=chunk.key, title=chunk.title, text=chunk.text, score=0.0)
        return "qa_generator", RolloutInputs(seeds=[seed]), question

    def _respond(self, request: GenerateRequest, template: ChatTemplate) -> str:
        # A compression opens a new session under the same stem: the demonstrator stays the same.
        assert self._new_actor is not None
        stem = request.session.rsplit("/", 1)[0]
        if stem not in self._actors:
            self._actors[stem] = self._new_actor()
        return self._actors[stem](template.decode(request.prompt_ids))

    def _count(self, graph: str, question: Question, record: RolloutRecord) -> None:
        if graph == "solver":
            self.asked += 1
            self.solved += set(record.answer.split(", ")) == set(question.answers)


class _SolverRole:
    """A solver that also summarises, and combines answers, when the prompt asks for that."""

    def __init__(self, solver: SolverDemonstrator) -> None:
        self._solver = solver

    def act(self, text: str) -> str:
        if "combine:" in text:
            return aggregate(re.findall(r"^ ?- (.+?)(?:<\|end\|>.*)?$", text, re.MULTILINE))
        if text.endswith("summarise<|end|><|assistant|>"):
            return self._solver.summarise(text)
        return self._solver.act(text)


def training_rollouts(demonstrations: Sequence[Sequence[SegmentRecord]]) -> Iterator[Any]:
    """Demonstrations as training rollouts, each its own group."""
    from rl_backend.rollouts import TrainingRollout, TrainingSegment

    for index, segments in enumerate(demonstrations):
        arrays = tuple(
            TrainingSegment(
                np.asarray(segment.token_ids, np.int32),
                np.asarray(segment.loss_mask, np.uint8),
                np.asarray(segment.logprobs, np.float32),
            )
            for segment in segments
        )
        yield TrainingRollout(rollout_id=index, group_id=index, reward=1.0, segments=arrays)


class MakeReport(BaseModel, frozen=True):
    """What the making of a base policy took."""

    folder: str
    parameters: int
    vocabulary: int
    demonstrations: int
    demonstrations_correct: float
    steps: int
    tokens: int
    seconds: float
    nll: float


def make_policy(out: Path, *, config: MakeConfig, reporter: Reporter) -> MakeReport:
    """Tokenizer, random weights, demonstrations, behaviour cloning; the checkpoint lands in `out`."""
    from rl_backend.config import load_recipe
    from rl_backend.fresh_model import write_fresh_model
    from rl_backend.hooks import Hooks
    from rl_backend.source import MemorySource
    from rl_backend.train import train

    tokenizer = make_tokenizer(vocabulary_texts(), kind=config.tokenizer)
    shown = asyncio.run(demonstrate(config, reporter=reporter, template=chat_template(tokenizer), tokenizer=tokenizer))
    recipe = load_recipe(
        "clone",
        lr=config.lr,
        max_steps=config.steps,
        batch_rollouts=config.batch,
        seed=config.seed,
        threads=config.threads,
    )
    with tempfile.TemporaryDirectory() as folder, reporter.stage("cloning", config.steps) as progress:
        parameters = write_fresh_model(Path(folder), tokenizer=tokenizer, seed=config.seed)
        profile = PolicyProfile(name="karl-tiny", prompt_variant="tiny", context_tokens=1024)
        (Path(folder) / PROFILE_FILE).write_text(json.dumps(profile.model_dump(), indent=2) + "\n", encoding="utf-8")
        result = train(
            MemorySource(training_rollouts(shown.segments)),
            base=Path(folder),
            out=out,
            config=recipe,
            hooks=Hooks(on_step=lambda step, steps, figures: progress.advance(1, note=f"loss {figures['loss']:.3f}")),
        )
    return MakeReport(
        folder=str(out),
        parameters=parameters,
        vocabulary=len(tokenizer),
        demonstrations=len(shown.segments),
        demonstrations_correct=round(shown.solved / max(1, shown.asked), 4),
        steps=result.steps,
        tokens=result.tokens,
        seconds=round(result.seconds, 1),
        nll=round(result.metrics["loss"], 4),
    )
