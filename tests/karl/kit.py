"""What tests of the command line share: small corpora, policies, the CLI in this process or in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from transformers import PreTrainedTokenizerFast

from karl.cli import main
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import SilentReporter
from karl.settings import load_settings
from karl.tiny import POLICY_FOLDER
from karl.tiny.companies import write_questions
from karl.tiny.world import WorldSize, make_world, questions, write_notes
from rl_backend.fresh_model import ModelSize, write_fresh_model
from store.session import Store
from tests.harness_kit import byte_tokenizer

REPOSITORY = Path(__file__).parents[2]
POLICY = POLICY_FOLDER
# A whole loop in well under a minute.
SMALL = {
    "iterations": 1,
    "generator_runs": 40,
    "max_tasks": 24,
    "group_size": 4,
    "held_out": 8,
    "eval_samples": 2,
    "eval_temperatures": "[]",
    "sft_control": "false",
}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Run the CLI in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Ended(ended.value.code, said.out, said.err)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from karl.cli import main; main()", *map(str, arguments)]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KARL_")}
    return kept | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def spawn(*arguments: object, cwd: Path, timeout: float = 120.0) -> Ended:
    """Run the CLI in a process of its own."""
    done = subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def small_company(folder: Path, *, seed: int = 77) -> tuple[Path, Path]:
    """(folder of notes, questions file) of a generated company."""
    world = make_world(seed, size=WorldSize())
    write_notes(world, folder / "notes")
    write_questions(questions(world, count=12, seed=seed), folder / "questions.jsonl")
    return folder / "notes", folder / "questions.jsonl"


def random_policy(folder: Path) -> Path:
    """A readable checkpoint that knows nothing."""
    tokenizer: PreTrainedTokenizerFast = byte_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    size = ModelSize(width=16, layers=1, heads=2, kv_heads=1, head_dim=8, mlp=16, context=512, init_std=0.05)
    write_fresh_model(folder, tokenizer=tokenizer, seed=0, size=size)
    return folder


def ingested_home(notes: Path, *, home: Path) -> Path:
    """`home`, with the corpus `notes`, found by BM25 alone."""
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    given = {"choices": CorpusChoices(embedder="none"), "reporter": SilentReporter()}
    try:
        ingest_corpus(store, notes, name="notes", settings=load_settings(home=home), **given)
    finally:
        store.close()
    return home


def pairs(settings: dict[str, object]) -> list[str]:
    """Settings as `--set` options."""
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def counts(home: Path, tables: Sequence[str] = ("corpus", "document", "chunk", "run", "task", "rollout")) -> list[int]:
    """Rows in each table, to see that nothing was lost."""
    from sqlalchemy import text

    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as session:
            return [session.connection().execute(text(f"SELECT count(*) FROM {t}")).scalar_one() for t in tables]
    finally:
        store.close()
