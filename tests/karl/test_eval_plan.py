"""Before the first rollout of `karl eval`: which systems, which questions, which graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.items import EvalItem
from evals.tasks import task
from karl.evaluations.graphs import task_graph
from karl.evaluations.suite import evenly
from karl.evaluations.systems import find_systems
from karl.run_config import make_config
from karl.settings import Settings, load_settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.models import Checkpoint, Corpus
from store.session import Store
from store.types import Algorithm
from tests.karl.kit import random_policy


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, home=tmp_path / "home")


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Store:
    """With a run `r` that has three checkpoints, and a run `bare` that has none."""
    opened = Store.open(settings.store_url)
    random_policy(tmp_path / "trained")
    with opened.session() as session:
        corpus = Corpus(name="notes", source="notes")
        session.add(corpus)
        session.flush()
        for name in ("r", "bare"):
            stored = make_config({"corpus": "notes"}).stored()
            run = queries.create_run(session, name=name, corpus_id=corpus.id or 0, settings=stored)
            for version, arm in enumerate(("base", "oapl-1", "oapl-2") if name == "r" else ()):
                row = Checkpoint(run_id=run.id, name=f"r/{arm}", algorithm=Algorithm(arm.partition("-")[0]), path="")
                row.path = str(tmp_path / "trained" if version else POLICY_FOLDER)
                row.policy_version = version
                queries.save_checkpoint(session, row)
    return opened


def test_a_run_is_its_first_and_its_newest_checkpoint(store: Store, settings: Settings, tmp_path: Path) -> None:
    base, newest = find_systems(["r"], store, settings=settings)
    assert (base.name, newest.name) == ("r/base", "r/oapl-2")
    assert base.profile is not None and base.profile.prompt_variant == "tiny"
    assert newest.folder == tmp_path / "trained" and newest.sha256 != base.sha256
    (embedded,) = find_systems(["embedded"], store, settings=settings)
    assert embedded.sha256 == base.sha256
    (named,) = find_systems(["r/oapl-1", "r/oapl-1"], store, settings=settings)
    (folder,) = find_systems([str(tmp_path / "trained")], store, settings=settings)
    assert (named.sha256, folder.name) == (newest.sha256, "trained")
    with pytest.raises(UsageError, match="run 'bare' has no checkpoint yet; `karl show bare`"):
        find_systems(["bare"], store, settings=settings)
    with pytest.raises(UsageError, match=r"no system 'r/oapl': .* did you mean 'r/oapl-"):
        find_systems(["r/oapl"], store, settings=settings)


def test_two_of_one_name_go_by_what_was_given(store: Store, settings: Settings) -> None:
    urls = ["http://one/v1#m", "http://two/v1#m"]
    assert [system.name for system in find_systems(urls, store, settings=settings)] == urls


def test_k_turns_and_prompt_are_the_tasks(settings: Settings) -> None:
    found = task_graph(None, task=task("freshstack").spec, variant="", settings=settings)
    assert (found.spec.name, found.k, found.steps) == ("solver", 10, 50)
    assert "solver_report" in found.prompt_sha256 and "solver" not in found.prompt_sha256
    hard = task_graph(None, task=task("browsecomp_plus").spec, variant="", settings=settings)
    assert (hard.k, hard.steps, hard.identity != found.identity) == (20, 200, True)
    assert task_graph(None, task=None, variant="", settings=settings).steps == 200


def test_a_policy_with_figures_of_its_own_keeps_them(settings: Settings) -> None:
    found = task_graph(None, task=task("freshstack").spec, variant="tiny", settings=settings)
    assert (found.k, found.steps, dict(found.changes)) == (3, 6, {})


def test_attempts_of_a_combining_graph_have_the_tasks_turns(settings: Settings) -> None:
    found = task_graph("aggregator", task=task("browsecomp_plus").spec, variant="", settings=settings)
    changes = found.changes["nodes"]["attempts"]["changes"]
    assert changes["plugins"][0] == {"kind": "step_budget", "steps": 200, "last_call": True}
    assert changes["plugins"][1]["trigger_chars"] == 150_000
    assert found.steps == 50  # of the combination itself


def test_a_limit_is_drawn_evenly_over_splits() -> None:
    splits = "aaaabbc"
    items = [EvalItem(key=str(n), question="?", reference="", split=split) for n, split in enumerate(splits)]
    assert [item.key for item in evenly(items, 4)] == ["0", "1", "4", "6"]
    assert [item.key for item in evenly(items, 7)] == [str(n) for n in range(7)]
