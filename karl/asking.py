"""Ask a corpus one question with the solver graph; the rollout is stored like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.tools import Searcher
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.policies import open_policy
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.models import Chunk
from store.queries import RolloutLinks
from store.session import Store
from store.types import Purpose, RolloutRecord, StepKind


@dataclass(frozen=True)
class Reply:
    """A rollout with its citations resolved. `checkpoint` is the folder that answered."""

    record: RolloutRecord
    chunks: list[Chunk]
    checkpoint: Path

    def as_dict(self) -> dict[str, Any]:
        return {
            "question": self.record.question,
            "answer": self.record.answer,
            "confidence": self.record.confidence,
            "citations": [{"chunk": c.id, "key": c.key, "page": c.page, "text": c.text} for c in self.chunks],
            "checkpoint": str(self.checkpoint),
            "searches": self.record.searches,
            "steps": [asdict(step) for step in self.record.steps],
            "failure": self.record.failure.reason if self.record.failure else None,
        }

    def lines(self, *, trace: bool) -> list[str]:
        out = [f"search: {step.query}" for step in self.record.steps if trace and step.kind is StepKind.SEARCH]
        if self.record.answer:
            out.append(self.record.answer)
        for chunk in self.chunks:
            page = f" p.{chunk.page}" if chunk.page else ""
            out.append(f"  [{chunk.id}] {chunk.key}{page}: {' '.join(chunk.text.split())[:160]}")
        return [*out, f"({self.record.searches} searches, checkpoint {self.checkpoint})"]


async def answer_question(
    store: Store,
    corpus: str,
    question: str,
    *,
    searcher: Searcher,
    settings: Settings,
    checkpoint: Path | None,
    temperature: float,
    seed: int,
    say: Callable[[str], None] | None = None,
) -> Reply:
    """A failed rollout is a reply with its failure. `say` is told when the engine is not that of the settings.

    Raises: UsageError for an unknown corpus or checkpoint; what `open_policy` raises.
    """
    folder = checkpoint or newest_folder(store, corpus)
    policy = open_policy(folder, settings=settings, say=say)
    runner = GraphRunner.load(
        "solver",
        policy=policy,
        searcher=searcher,
        graph_path=settings.graph_path,
        prompt_path=settings.prompt_path,
    )
    try:
        record = await runner.run(
            RolloutInputs(question=question),
            key=f"ask/{uuid4().hex}",
            purpose=Purpose.ASK,
            seed=seed,
            temperature=temperature,
        )
    finally:
        await policy.engine.aclose()
    with store.session() as session:
        queries.save_rollouts(session, [(record, RolloutLinks())])
        cited = queries.chunks_by_id(session, record.citations)
    return Reply(record, [cited[id_] for id_ in dict.fromkeys(record.citations) if id_ in cited], folder)


def newest_folder(store: Store, corpus: str) -> Path:
    """The newest policy trained on this corpus, else on any, else the embedded one."""
    with store.session() as session:
        row = queries.corpus_by_name(session, corpus)
        found = queries.newest_checkpoint(session, corpus_id=row.id) or queries.newest_checkpoint(session)
    return Path(found.path) if found is not None else POLICY_FOLDER
