"""`karl value train` from the store, and a trained value model behind `load_graph` and `karl ask --value`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from karl import load_graph
from karl.tiny import POLICY_FOLDER
from karl.tiny.world import WorldSize, make_world, questions
from rl_backend.value.model import load_value_model
from store import queries
from store.errors import UsageError
from store.session import Store
from store.value_record import ValueRecord, read_value_record, write_value_record
from tests.harness_kit import ListSearcher, hit
from tests.karl.kit import call
from tests.rl_backend.test_from_store import frozen
from tests.rl_backend.toy import make_base

WORLD = make_world(5, size=WorldSize(people=12, teams=4, products=4, customers=6))
NOTES = [hit(number, fact.sentence) for number, fact in enumerate(WORLD.facts, 1)]
FAST = ["--set", "validation_share=0.5", "--set", "training.epochs=1", "--set", "training.threads=1"]


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A value model over the shipped policy's tokens; its head is random, which no test here minds."""
    folder = tmp_path_factory.mktemp("value") / "guide"
    model = load_value_model(POLICY_FOLDER)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.score.weight, std=0.1)
    model.save_pretrained(folder)
    shutil.copyfile(POLICY_FOLDER / "tokenizer.json", folder / "tokenizer.json")
    record = ValueRecord(
        name="guide", policy_version=0, reward_threshold=0.6, base_rate=0.5, weights_sha256="0123456789" * 6 + "abcd"
    )
    write_value_record(folder, record)
    return folder


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A home with dataset `d` of a run, and the policy that sampled it beside it."""
    base = make_base(tmp_path / "base")
    (base / "karl.json").write_text('{"name": "toy", "policy_version": 0}')
    (tmp_path / "home").mkdir()
    store = Store.open(f"sqlite:///{tmp_path}/home/karl.db")
    with store.session() as session:
        frozen(session, base)
    store.close()
    return tmp_path


def test_train_from_a_dataset(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--home", stored / "home", "value", "train", "--base", stored / "base", "--out", stored / "guide"]
    done = call(capsys, *common, "--dataset", "d", *FAST, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    record = read_value_record(stored / "guide")
    assert (record.dataset, figures["name"]) == ("d", record.label)
    assert record.validation["rollouts"] + figures["rollouts"] == 12
    assert figures["validation"]["model"].keys() >= {"cross_entropy", "ece", "auc"}


def test_all_graded_rollouts_of_a_run_are_frozen_once(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(f"sqlite:///{stored}/home/karl.db")
    with store.session() as session:
        run = queries.runs(session)[0].name
    common = ["--home", stored / "home", "value", "train", "--base", stored / "base", "--run", run, *FAST]
    for name in ("one", "two"):
        done = call(capsys, *common, "--out", stored / name)
        assert done.code == 0, done.err
        assert f" rollouts of {run}/graded-1, 1 steps" in done.out
        assert "questions set aside, which chose the epoch" in done.out
        assert "each question calibrated on the others:" in done.out
    with store.session() as session:
        assert sorted(row.name for row in queries.datasets(session)) == ["d", f"{run}/graded-1"]
    store.close()


def test_mistakes_are_told(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--home", stored / "home", "value", "train", "--base", stored / "base", "--out", stored / "guide"]
    neither = call(capsys, *common)
    assert (neither.code, "give one of --dataset and --run" in neither.err) == (2, True)
    unknown = call(capsys, *common, "--dataset", "e")
    assert "no dataset 'e'" in unknown.err
    key = call(capsys, *common, "--dataset", "d", "--set", "training.rate=1")
    assert "unknown key 'training.rate'" in key.err
    assert not (stored / "guide").exists()


async def test_a_trained_model_guides_and_weighs_under_its_name(guide: Path) -> None:
    label = read_value_record(guide).label
    asked = [question.text for question in questions(WORLD, count=4, seed=5)]
    graph = load_graph("value_guided_search", policy=POLICY_FOLDER, corpus=ListSearcher(NOTES), value=guide, attempts=2)
    async with graph:
        answers = await graph.abatch(asked, temperature=1.0)
        again = await graph.abatch(asked, temperature=1.0)
    steps = [step for answer in answers for attempt in answer.record.attempts for step in attempt.steps]
    others = [other for step in steps for other in step.alternatives]
    assert {other.value_function for other in others} == {label}
    assert {step.value for step in steps if step.alternatives} == {other.value for other in others if other.kept}
    assert any(f"value ({label})" in step.text for answer in answers for step in answer.record.steps)
    assert [answer.answer for answer in again] == [answer.answer for answer in answers]
    repeated = [step.value for answer in again for attempt in answer.record.attempts for step in attempt.steps]
    # A value near the edge of its last digit may round to the other side in other company.
    assert repeated == pytest.approx([step.value for step in steps], abs=1.1e-5)
    model = graph._parts.owned_value
    assert model is not None
    assert model.rows.tokens_computed < 0.7 * model.rows.tokens_asked
    assert not model._thread.is_alive()


def test_a_model_with_other_tokens_and_a_folder_that_is_none_are_refused(guide: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(guide, other)
    (other / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match=r"tokenizer.json is not that of the policy"):
        load_graph("value_guided_search", policy=POLICY_FOLDER, corpus=ListSearcher(NOTES), value=other)
    with pytest.raises(UsageError, match=r"karl-value.json is missing"):
        load_graph("value_guided_search", policy=POLICY_FOLDER, corpus=ListSearcher(NOTES), value=str(tmp_path))


def test_another_version_of_the_policy_is_told(guide: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(guide, older)
    write_value_record(older, read_value_record(guide).model_copy(update={"policy_version": 4}))
    said: list[str] = []
    graph = load_graph(
        "value_guided_search", policy=POLICY_FOLDER, corpus=ListSearcher(NOTES), value=older, say=said.append
    )
    graph.close()
    assert said == [
        "value model guide v4 01234567 learned from rollouts of policy version 4, this is version 0",
    ]
