"""A rollout as a JSON file: everything in it, nothing overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from karl.control.exports import export_trace
from store.errors import KarlError
from store.models import Judgement
from store.queries import RolloutLinks, save_judgements, save_rollouts
from store.session import Store
from tests.store.records import a_rollout


@pytest.fixture
def rollout_id(store: Store) -> int:
    with store.session() as session:
        (id_,) = save_rollouts(session, [(a_rollout("r/1"), RolloutLinks(reward=0.5, behaviour="giving_up_early"))])
        save_judgements(session, [Judgement(key="r/1/nuggets", rollout_id=id_, kind="nuggets", judge="rule")])
    return id_


def test_everything_is_in_the_file(store: Store, rollout_id: int, tmp_path: Path):
    path = export_trace(store, rollout_id, folder=tmp_path)
    assert path == tmp_path / f"trace-{rollout_id}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["rollout_id"], document["key"], document["reward"]) == (rollout_id, "r/1", 0.5)
    assert (document["status"], document["behaviour"]) == ("finished", "giving_up_early")
    assert [step["query"] for step in document["steps"]] == ["words 0", "words 1", "words 2", None]
    assert document["segments"][0]["loss_mask"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert document["provenance"]["prompt_sha256"] == {"solver": "b" * 64}
    assert [one["judge"] for one in document["judgements"]] == ["rule"]


def test_a_file_that_is_there_is_left_alone(store: Store, rollout_id: int, tmp_path: Path):
    first = export_trace(store, rollout_id, folder=tmp_path)
    first.write_text("mine", encoding="utf-8")
    assert [export_trace(store, rollout_id, folder=tmp_path).name for _ in range(2)] == [
        f"trace-{rollout_id}-2.json",
        f"trace-{rollout_id}-3.json",
    ]
    assert first.read_text(encoding="utf-8") == "mine"


def test_what_cannot_be_written_is_told(store: Store, rollout_id: int, tmp_path: Path):
    with pytest.raises(KarlError, match=r"gone/trace-\d+\.json: cannot be written: No such file"):
        export_trace(store, rollout_id, folder=tmp_path / "gone")
    with pytest.raises(KarlError, match="no rollout 999"):
        export_trace(store, 999, folder=tmp_path)
