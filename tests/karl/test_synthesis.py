"""Candidates > distinct questions: what counts as a held-out question, and what a finished stage means on resume."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from graphs import dedup
from karl.context import Context, id_of
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import SilentReporter
from karl.rounds import pending as _pending
from karl.synthesis import deduplicate
from store import queries
from store.models import Judgement, Task
from store.types import Fate, Stage
from tests.karl.loop_kit import make_context


def put(context: Context, name: str, *, corpus_id: int, fate: Fate, question: str) -> None:
    task = Task(
        key=context.key(name),
        run_id=context.run_id,
        iteration=0 if fate is Fate.HELD_OUT else 1,
        corpus_id=corpus_id,
        question=question,
        answer="person1",
        nuggets=["person1"],
        fate=fate,
    )
    with context.store.session() as session:
        queries.save_tasks(session, [task])


def fates(context: Context) -> dict[str, Fate]:
    with context.store.session() as session:
        rows = queries.tasks_by_fate(session, context.run_id, fates=list(Fate), iteration=1)
    return {row.question: row.fate for row in rows}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return make_context(tmp_path)


async def test_a_held_out_question_of_the_same_corpus_is_dropped(context: Context) -> None:
    notes = id_of(context.corpus)
    put(context, "held", corpus_id=notes, fate=Fate.HELD_OUT, question="who leads product1?")
    put(context, "a", corpus_id=notes, fate=Fate.PROPOSED, question="Who leads product1?")
    put(context, "b", corpus_id=notes, fate=Fate.PROPOSED, question="who leads product2?")
    await deduplicate(context, 1)
    assert fates(context) == {"Who leads product1?": Fate.DUPLICATE, "who leads product2?": Fate.DEDUPLICATED}
    with context.store.session() as session:
        (row,) = session.exec(select(Judgement)).all()
    assert (row.kind, row.judge, row.labels, row.graph) == ("duplicate", "equal words", ["duplicate"], "dedup")
    assert row.graph_sha256 == context.graph("deduplicate").sha256
    source = Path(dedup.__file__).read_bytes()
    assert row.function_sha256 == {"graphs.dedup:drop_exact": hashlib.sha256(source).hexdigest()}
    assert row.reason == "exact: the same as a held-out question: who leads product1?"


async def test_the_same_words_asked_of_another_corpus_are_another_question(context: Context, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.md").write_text("person9 leads product1.\n", encoding="utf-8")
    ingest_corpus(
        context.store,
        tmp_path / "other",
        name="other",
        settings=context.settings,
        choices=CorpusChoices(embedder="none"),
        reporter=SilentReporter(),
    )
    with context.store.session() as session:
        other = queries.corpus_by_name(session, "other")
    context = replace(context, question_corpus=other)
    put(context, "held", corpus_id=id_of(other), fate=Fate.HELD_OUT, question="who leads product1?")
    put(context, "a", corpus_id=id_of(context.corpus), fate=Fate.PROPOSED, question="who leads product1?")
    await deduplicate(context, 1)
    assert fates(context) == {"who leads product1?": Fate.DEDUPLICATED}


def test_a_finished_stage_is_not_entered_again(context: Context) -> None:
    assert _pending(context, 1, Stage.SYNTHESIZE)
    for stage in (Stage.SYNTHESIZE, Stage.DEDUPLICATE, Stage.SOLVE):
        with context.store.session() as session:
            queries.finish_stage(session, context.run_id, number=1, stage=stage, seconds=1.0)
        assert not _pending(context, 1, stage)
    assert _pending(context, 1, Stage.FILTER)
    assert _pending(context, 1, Stage.TRAIN)
