"""What a filled-in run comes to: problems at their settings, graphs, command, estimate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from karl.control.form import Draft
from karl.control.offers import offers, texts_of_run
from karl.control.preview import preview
from karl.run_config import make_config
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import KarlError
from store.session import Store
from store.types import RunState
from tests.karl.control.control_kit import add_checkpoint, add_corpus, add_earlier_run, environment

NOTES = {"corpus": "notes"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KARL_HOME", raising=False)
    return Settings(home=tmp_path / ".karl")


def test_a_run_that_can_start(store: Store, settings: Settings):
    with store.session() as session:
        add_corpus(session)
    found = preview(store, settings, Draft(NOTES))
    assert found.problems == {}
    assert found.command == "karl run --corpus notes"
    assert [(one.stage, one.graph, one.source) for one in found.graphs[:4]] == [
        ("iteration", "iteration", "built-in"),
        ("synthesize", "qa_generator", "built-in"),
        ("deduplicate", "dedup", "built-in"),
        ("solve", "solver", "built-in"),
    ]
    assert found.estimate is not None
    assert (found.estimate.total, found.estimate.model, found.estimate.like) == (18_300, "karl-tiny", None)
    assert found.goes_on is None


def test_problems_stand_at_their_settings(store: Store, settings: Settings):
    with store.session() as session:
        add_earlier_run(session, add_corpus(session), {"recipe": "tiny"}, name="taken")
    texts = {"corpus": "note", "base": "nowhere", "recipe": "tinny", "questions": "none.jsonl", "sft_recipe": "x"}
    found = preview(store, settings, Draft(texts, name="taken"))
    assert found.command.startswith("karl run --corpus note")
    assert set(found.problems) == {"corpus", "base", "recipe", "sft_recipe", "questions", "name"}
    assert "there are: notes" in found.problems["corpus"]
    assert "recipes that come with the package" in found.problems["recipe"]
    assert "with other settings" in found.problems["name"]
    named = preview(store, settings, Draft(NOTES, name="a/b"))
    assert "a run's name has letters" in named.problems["name"]
    task = preview(store, settings, Draft(NOTES | {"tasks": "freshstak"}))
    assert "did you mean" in task.problems["tasks"]
    assert "freshstack" in task.problems["tasks"]
    fixed = preview(store, settings, Draft(NOTES, engine="vllm"))
    assert "serves one fixed checkpoint" in fixed.problems["iterations"]
    chat = preview(store, settings, Draft(NOTES, engine="chat"))
    assert list(chat.problems) == ["engine"]


def test_the_project_s_own_graphs_and_prices(store: Store, settings: Settings, tmp_path: Path):
    with store.session() as session:
        add_corpus(session)
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "iteration.yaml").write_text(
        "{extends: iteration, nodes: {check_quality: null}, edges: {filter: snapshot}}"
    )
    own = settings.model_copy(update={"graph_path": [folder]})
    found = preview(store, own, Draft(NOTES))
    assert found.problems == {}
    assert found.graphs[0].source == "graphs/iteration.yaml"
    assert "check_quality" not in [one.stage for one in found.graphs]
    (tmp_path / "prices.toml").write_text('[models."karl-tiny"]\ninput = 1\n')
    assert "prices.toml" in preview(store, settings, Draft(NOTES)).problems[""]
    (folder / "iteration.yaml").write_text("nodes: [")
    assert "iteration.yaml" in preview(store, own, Draft(NOTES)).problems[""]


def test_an_unfinished_run_of_the_same_settings_goes_on(store: Store, settings: Settings):
    with store.session() as session:
        stored = make_config(NOTES).stored()
        run = queries.create_run(session, name="notes-4", corpus_id=add_corpus(session), settings=stored)
        queries.set_run_state(session, run.id or 0, state=RunState.STOPPED)
    assert preview(store, settings, Draft(NOTES)).goes_on == "notes-4"
    assert preview(store, settings, Draft(NOTES, name="notes-4")).goes_on == "notes-4"
    assert preview(store, settings, Draft(NOTES, name="notes-5")).goes_on is None
    assert preview(store, settings, Draft(NOTES | {"seed": "1"})).goes_on is None


def test_the_demo_needs_no_corpus(store: Store, settings: Settings):
    found = preview(store, settings, Draft({}, demo=True))
    assert (found.problems, found.command) == ({}, "karl demo")
    assert found.estimate is not None
    assert found.estimate.total == 18_000


def test_what_a_form_offers(store: Store, settings: Settings):
    with store.session() as session:
        corpus = add_corpus(session)
        first = add_earlier_run(session, corpus, {"corpus": "notes", "seed": 7, "gone": 1})
        second = add_earlier_run(session, corpus, {}, name="notes-2")
        add_checkpoint(session, first, "notes-1/base", path="policy", version=0)
        add_checkpoint(session, second, "notes-2/base", path="policy", version=0)
        add_checkpoint(session, second, "notes-2/oapl-1", path="trained", version=1)
        add_checkpoint(session, second, "embedded/base", path=str(POLICY_FOLDER), version=0)
    found = offers(store, settings)
    assert found.broken == ""
    assert [offer.text for offer in found.by_setting["corpus"]] == ["notes"]
    assert found.by_setting["base"] == (
        ("notes-2/oapl-1 (version 1)", "trained"),
        ("notes-2/base (version 0)", "policy"),
    )
    assert {"freshstack", "trec_biogen"} <= {offer.text for offer in found.by_setting["tasks"]}
    assert ("tiny", "tiny") in found.by_setting["recipe"]
    assert texts_of_run(store, first) == {"corpus": "notes", "seed": "7"}
    with pytest.raises(KarlError, match="gone"):
        texts_of_run(store, 99)


def test_no_model_library_comes_into_the_caller_s_process(tmp_path: Path):
    script = """
import sys
from pathlib import Path
from karl.control.form import Draft
from karl.control.offers import offers
from karl.control.preview import preview
from karl.control.checkup import examine
from karl.settings import Settings
from store.session import Store
settings = Settings(home=Path(sys.argv[1]))
store = Store.open(settings.store_url)
offers(store, settings), preview(store, settings, Draft({}, demo=True)), examine(settings)
print(sorted({"torch", "transformers", "verl", "ray", "faiss"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout == "[]\n"
