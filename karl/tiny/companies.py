"""The demo's material: one company to train on, another to be measured on, as folders of Markdown notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import Reporter
from karl.run_config import RunConfig, make_config
from karl.settings import Settings
from karl.tiny.world import Question, WorldSize, make_world, questions, write_notes
from store.session import Store

TRAINING_SEED, EVALUATION_SEED = 10_000, 20_000  # cloning uses seeds from 1,000,000 on
ALL_QUESTIONS = 1_000  # more than there are: a run holds out the first of them, as many as it is told to
# As large as the pools of names allow, for many distinct questions; the measured company has the usual size.
TRAINING_SIZE = WorldSize(people=110, teams=40, products=40, customers=96)


@dataclass(frozen=True, slots=True)
class Demo:
    training_corpus: str
    evaluation_corpus: str
    questions: Path


def write_questions(asked: list[Question], path: Path) -> None:
    """JSONL in the form that `karl run --questions` reads."""
    lines = [
        json.dumps({"question": q.text, "answer": q.answer, "nuggets": list(q.answers), "kind": q.kind}) for q in asked
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def prepare_demo(
    store: Store, *, seed: int, settings: Settings, reporter: Reporter, count: int = ALL_QUESTIONS
) -> Demo:
    """Write and ingest both companies' notes and `count` questions about the second; the same seed writes the same."""
    folder = settings.home / "demo" / str(seed)
    measured = make_world(EVALUATION_SEED + seed)
    worlds = {"train": make_world(TRAINING_SEED + seed, size=TRAINING_SIZE), "test": measured}
    for part, world in worlds.items():
        notes = folder / part
        written = write_notes(world, notes)
        reporter.say(f"wrote {written} notes of a generated company to {notes}")
        # BM25 alone: the embedded policy was cloned on such results, and names are all that these notes differ in.
        made = ingest_corpus(
            store,
            notes,
            name=f"demo-{part}-{seed}",
            settings=settings,
            choices=CorpusChoices(embedder="none"),
            reporter=reporter,
        )
        for line in made.lines():
            reporter.say(line)
    path = folder / "questions.jsonl"
    write_questions(questions(measured, count=count, seed=seed), path)
    return Demo(f"demo-train-{seed}", f"demo-test-{seed}", path)


def demo_config(made: Demo, *, seed: int, iterations: int, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The run that `karl demo` starts and `karl bench demo` measures. Raises: UsageError for a wrong override."""
    return make_config(
        {
            "corpus": made.training_corpus,
            "questions": made.questions,
            "question_corpus": made.evaluation_corpus,
            "iterations": iterations,
            "seed": seed,
            **(overrides or {}),
        }
    )
