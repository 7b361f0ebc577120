"""`karl run --resume NAME`: a run goes on by its stored settings, and nothing else is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from karl.run_config import make_config
from karl.runs import unfinished_run
from store import queries
from store.errors import UsageError
from store.session import Store
from store.types import RunState
from tests.karl.kit import call


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'karl.db'}")


def add(store: Store, name: str, settings: dict[str, object], *, state: RunState) -> None:
    with store.session() as session:
        corpora = {corpus.name: corpus.id for corpus in queries.corpora(session)}
        if "notes" not in corpora:
            from store.models import Corpus

            session.add(Corpus(name="notes", source="notes"))
            session.flush()
        corpus = queries.corpus_by_name(session, "notes")
        run = queries.create_run(session, name=name, corpus_id=corpus.id or 0, settings=settings)
        queries.set_run_state(session, run.id or 0, state=state)


def test_the_stored_settings_are_taken(store: Store):
    wanted = make_config({"corpus": "notes", "iterations": 3, "eval_temperatures": []})
    # A run of before some settings were known has their defaults.
    stored = {key: value for key, value in wanted.stored().items() if key != "anchors"}
    add(store, "notes-1", stored, state=RunState.FAILED)
    opened, config = unfinished_run(store, "notes-1")
    assert (opened.run.name, opened.resumed, config) == ("notes-1", True, wanted)


def test_runs_that_cannot_be_resumed(store: Store):
    add(store, "notes-1", make_config({"corpus": "notes"}).stored(), state=RunState.DONE)
    add(store, "evaluation-1", {"suite": "fogbench"}, state=RunState.STOPPED)
    with pytest.raises(UsageError, match="run 'notes-1' is done"):
        unfinished_run(store, "notes-1")
    with pytest.raises(UsageError, match=r"settings that are not of `karl run`: .*suite"):
        unfinished_run(store, "evaluation-1")
    with pytest.raises(UsageError, match="no run 'other'"):
        unfinished_run(store, "other")


def test_other_options_are_refused_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ended = call(capsys, "--home", tmp_path, "run", "--resume", "notes-1", "--corpus", "notes", "--set", "seed=1")
    assert ended.code == 2
    assert "--resume takes the run's own settings: leave --corpus, --set out" in ended.err
    ended = call(capsys, "--home", tmp_path, "run")
    assert (ended.code, "Missing option '--corpus'" in ended.err) == (2, True)
