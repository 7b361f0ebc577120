"""What the room of graphs and prompts shows: the files, one of them looked at, and what the store has for previews."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from karl.control.place import Settings
from karl.control.workshop import Diagram, Facts, Kind, Piece, Shelf, ShelfReader, draw, opened
from store import queries
from store.errors import KarlError
from store.models import Corpus, Rollout, Step, Task
from store.queries import RolloutFilter, RolloutTrace
from store.session import Session, Store
from store.types import Hit, StepKind

RECENT = 50  # rollouts that are looked through for one with a question
PASSAGES = 5
TAGS = re.compile(r"</?summary>")


@dataclass(frozen=True, slots=True)
class Detail:
    """The piece that is picked. diagram: of a graph that can be read. text: as it is edited. problem: why not."""

    piece: Piece
    diagram: Diagram | None
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class GraphsView:
    """The same objects as before where nothing has changed."""

    shelf: Shelf
    detail: Detail


class GraphsReader:
    """Reads files again when they changed. Not for two threads at once."""

    def __init__(self) -> None:
        self._shelf = ShelfReader()
        self._kept: tuple[Shelf, str, Detail] | None = None

    def read(self, settings: Settings, *, selected: str) -> GraphsView:
        """selected: the key of a piece; of one that is gone, the first. Raises: OSError where nothing can be listed."""
        shelf = self._shelf.read(settings)
        if self._kept is None or self._kept[0] is not shelf or self._kept[1] != selected:
            piece = next((piece for piece in shelf.pieces if piece.key == selected), shelf.pieces[0])
            self._kept = (shelf, selected, _detail(piece, settings))
        return GraphsView(shelf, self._kept[2])


def _detail(piece: Piece, settings: Settings) -> Detail:
    text = ""
    try:
        draft = opened(piece, settings)
        text = draft.text
        return Detail(piece, draw(draft, settings) if piece.kind is Kind.GRAPH else None, text, "")
    except KarlError as exc:
        return Detail(piece, None, text, str(exc))


@dataclass(frozen=True, slots=True)
class Material:
    """What the store has for previews and trials. corpus: "" for none. policy: the newest checkpoint's folder."""

    facts: Facts
    corpus: str
    policy: Path | None


def read_material(store: Store, *, run_id: int | None, rollout_id: int | None) -> Material:
    """Of the rollout that is picked, else of the newest one of the run that has a question, else of a corpus alone.

    A question is put to the corpus that it was asked about: a held-out one is not about the corpus of the run.

    Raises: KarlError when the database refuses.
    """
    with store.session() as session:
        run = queries.run_overview(session, run_id)
        corpus = run.corpus if run else next((found.name for found in queries.corpora(session)), "")
        trace = _rollout(session, rollout_id, run_id=run.run_id if run else None)
        facts = _facts(session, trace) if trace else _of_corpus(session, corpus)
        checkpoint = queries.newest_checkpoint(session, corpus_id=_corpus_id(session, corpus))
        asked = _asked_about(session, trace) if trace else ""
    return Material(facts, asked or corpus, Path(checkpoint.path) if checkpoint else None)


def read_rollout_id(store: Store, key: str) -> int | None:
    """None: it is not stored. Raises: KarlError when the database refuses."""
    with store.session() as session:
        return queries.rollout_id_by_key(session, key)


def _corpus_id(session: Session, name: str) -> int | None:
    return queries.corpus_by_name(session, name).id if name else None


def _asked_about(session: Session, trace: RolloutTrace) -> str:
    """Name of the corpus; "" for a question that is no task."""
    task = session.get(Task, trace.rollout.task_id) if trace.rollout.task_id is not None else None
    corpus = session.get(Corpus, task.corpus_id) if task else None
    return corpus.name if corpus else ""


def _rollout(session: Session, rollout_id: int | None, *, run_id: int | None) -> RolloutTrace | None:
    if rollout_id is None:
        lines = queries.rollout_lines(session, RolloutFilter(run_id=run_id), limit=RECENT)
        rollout_id = next((line.rollout_id for line in lines if line.question and line.search_count), None)
    if rollout_id is None or session.get(Rollout, rollout_id) is None:
        return None
    return queries.load_rollout(session, rollout_id)


def _facts(session: Session, trace: RolloutTrace) -> Facts:
    row = trace.rollout
    searched = next((step for step in trace.steps if step.hits), None)
    summaries = [TAGS.sub("", step.text).strip() for step in trace.steps if step.kind is StepKind.COMPRESS]
    return Facts(
        source=f"rollout {row.id}",
        question=row.question,
        answer=row.answer,
        explanation=row.explanation or "",
        confidence=row.confidence,
        summary=summaries[-1] if summaries else "",
        query=searched.query or "" if searched else "",
        hits=tuple(_hits(session, searched)) if searched else (),
    )


def _hits(session: Session, step: Step) -> Iterator[Hit]:
    """Chunks that were deleted since are left out."""
    found = queries.chunks_by_id(session, step.hits[:PASSAGES])
    for id_ in step.hits[:PASSAGES]:
        if chunk := found.get(id_):
            yield Hit(id_, chunk.key, chunk.title, chunk.text, score=0.0, page=chunk.page)


def _of_corpus(session: Session, name: str) -> Facts:
    corpus_id = _corpus_id(session, name)
    if corpus_id is None:
        return Facts()
    chunks = islice(queries.corpus_chunks(session, corpus_id), PASSAGES)
    hits = tuple(Hit(chunk.id or 0, chunk.key, chunk.title, chunk.text, score=0.0, page=chunk.page) for chunk in chunks)
    return Facts(source=f"corpus {name}", hits=hits)


__all__ = ["Detail", "GraphsReader", "GraphsView", "Kind", "Material", "read_material", "read_rollout_id"]
