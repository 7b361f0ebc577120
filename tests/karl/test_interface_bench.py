"""`karl bench store` and `karl bench tui`: a seeded store of the size asked for, and the application driven over it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from store.session import Store
from tests.karl.kit import call

SIZE = ("--rollouts", "1000", "--steps", "3")


def figures(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    ended = call(capsys, *arguments, *SIZE, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def counts(file: str) -> dict[str, int]:
    store = Store.open(f"sqlite:///{file}")
    tables = ("run", "task", "rollout", "step", "segment", "evalresult")
    with store.session() as session:
        found = {
            name: session.connection().execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables
        }
    store.close()
    return found


def outcomes(file: str) -> list[tuple]:
    store = Store.open(f"sqlite:///{file}")
    with store.session() as session:
        query = "SELECT key, status, reward, behaviour, answer FROM rollout ORDER BY id"
        rows = [tuple(row) for row in session.connection().execute(text(query))]
    store.close()
    return rows


def test_a_store_is_filled_asked_and_kept_only_if_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    report = figures(capsys, "--home", "one", "bench", "store")
    assert (report["figures"]["rollouts"], report["figures"]["steps"], report["figures"]["file"]) == (1000, 3000, None)
    assert len(report["targets"]) == len(report["figures"]["milliseconds"]) == 12
    assert not list(Path("one").rglob("karl.db"))

    kept = figures(capsys, "--home", "one", "bench", "store", "--keep")["figures"]
    assert counts(kept["file"]) == {
        "run": 5, "task": 125, "rollout": 1000, "step": 3000, "segment": 1000, "evalresult": 10
    }  # fmt: skip
    again = figures(capsys, "--home", "one", "bench", "store", "--keep")["figures"]
    assert (again["file"], again["filled_rollouts_per_second"]) == (kept["file"], None)

    other = figures(capsys, "--home", "two", "bench", "store", "--keep")["figures"]
    assert outcomes(other["file"]) == outcomes(kept["file"])
    seeded = figures(capsys, "--home", "two", "bench", "store", "--keep", "--seed", "1")["figures"]
    assert outcomes(seeded["file"]) != outcomes(kept["file"])


@pytest.mark.slow
def test_the_application_is_driven_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    report = figures(capsys, "bench", "tui", "--rounds", "1", "--idle", "0.5")
    found = report["figures"]
    assert set(found["first_visit_ms"]) >= {"home", "run", "traces"}
    assert found["switch_ms"]["count"] == 2 * len(found["first_visit_ms"])  # the first visits are among them
    assert found["filter_ms"]["count"] == 10
    assert 0 < found["open_s"]["median"] <= found["open_s"]["slowest"]
    assert 0 < found["switch_ms"]["median"] <= found["switch_ms"]["slowest"]
    assert set(found["idle_cpu_percent"]) == set(found["live_cpu_percent"]) == {"home", "run", "traces"}
    assert 20 < found["memory_mb"] < 2000
    assert [target["key"] for target in report["targets"]] == [
        "open_s.slowest", "switch_ms.p95", "filter_ms.p95", "memory_mb", "idle_cpu_percent", "live_cpu_percent"
    ]  # fmt: skip
