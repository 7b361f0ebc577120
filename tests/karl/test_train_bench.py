"""The training bench: its figures are what they are called, its datasets what they should be, its command prints."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from karl.benches import train as train_module
from karl.benches.markdown import render_report
from karl.benches.train_cuda import cuda_utilisation
from karl.benches.train_exact import exactness
from karl.benches.train_memory import flatness, measure
from karl.benches.train_speed import BARE, Case, cases, equal_rows, fill_figures, speed, speed_figures
from karl.benches.train_store import Shape, bench_store, frozen_dataset
from karl.cli import karl
from rl_backend.batch import pack
from rl_backend.config import TrainConfig
from rl_backend.rollouts import Example, TrainingSegment
from rl_backend.timing import Seconds, Turn
from rl_backend.utilisation import cuda_device
from store import queries

DATA = Shape(groups=2, group_size=4, tokens=(24, 40), segments=(1, 2), turn=4, turn_every=12)


def stored(shape: Shape) -> list[queries.DatasetGroup]:
    """The groups of a frozen dataset."""
    with bench_store() as store:
        dataset_id = frozen_dataset(store, shape, name="d", seed=0)
        with store.session() as session:
            return list(queries.dataset_groups(session, dataset_id))


def test_a_dataset_is_frozen_as_described():
    groups = stored(DATA)
    segments = [segment for group in groups for row in group.rows for segment in row.segments]
    assert [len(group.rows) for group in groups] == [4, 4]
    assert {len(row.segments) for group in groups for row in group.rows} == {1, 2}
    assert all(24 <= len(s.token_ids) <= 40 and not s.loss_mask[:8].any() for s in segments)
    assert all(np.allclose(s.logprobs, -np.log(128) * s.loss_mask) for s in segments)


def test_the_loss_on_a_stored_batch_is_the_equation():
    for found in exactness(seed=1).values():
        assert found["equations_relative_error"] <= 1e-6 and found["whole_relative_error"] <= 1e-6
        assert found["loss"] > 0.01  # no distance to be exact about, otherwise


def test_figures_of_known_turns():
    turns = [
        Turn(1000, Seconds(0.1, 0.01), {"verl": Seconds(2.0, 1.0), "a": Seconds(1.0, 0.8), "b": Seconds(4.0, 2.0)}),
        Turn(1000, Seconds(0.1, 0.01), {"verl": Seconds(1.0, 1.0), "a": Seconds(1.0, 1.0), "b": Seconds(4.0, 2.0)}),
        Turn(1000, Seconds(0.1, 0.01), {"verl": Seconds(0.7, 1.0), "a": Seconds(1.0, 1.2), "b": Seconds(4.0, 2.0)}),
    ]
    found = speed_figures(turns)
    assert found["verl"] == {"tokens_per_wall_second": 1000.0, "tokens_per_cpu_second": 1000.0}
    assert found["ratio"]["a"] == {"wall": 1.0, "cpu": 1.0}
    assert found["ratio"]["b"] == {"wall": 4.0, "cpu": 2.0}
    assert found["ratio"]["to_the_faster"] == {"wall": 1.0, "cpu": 1.0}
    assert found["reading_share"]["wall"] == pytest.approx(0.3 / 4.0)
    assert found["busy"] == pytest.approx(12.0 / 18.7, abs=1e-3)


def test_all_trainers_are_timed_on_a_store():
    shipped = cases()[0]
    case = Case("small", shipped.policy, DATA, batch_rollouts=4)
    found = speed(case, turns=2, threads=1, seed=0)
    assert (found["threads"], found["steps"], found["batch_rollouts"]) == (1, 2, 4)
    assert set(found["ratio"]) == {"bare_selective", "bare_full", "to_the_faster"}
    assert found["verl"]["tokens_per_cpu_second"] > 0 and 0 < found["reading_share"]["wall"] < 1


def test_a_skewed_batch_is_timed_beside_equal_rows_too():
    case = next(case for case in cases() if case.data.skew)
    rows = [row for group in stored(case.data._replace(groups=16)) for row in group.rows]
    lengths = np.array([len(segment.token_ids) for row in rows for segment in row.segments])
    assert np.median(lengths) < 0.1 * case.data.tokens[1] < lengths.max() <= case.data.tokens[1]
    small = case._replace(data=case.data._replace(groups=3, group_size=4), batch_rollouts=4)
    found = speed(small, turns=1, threads=1, seed=0)
    assert set(found["ratio"]) == {"bare_selective", "bare_full", "equal_rows", "to_the_faster"}
    assert found["ratio"]["to_the_faster"]["cpu"] == min(found["ratio"][name]["cpu"] for name in BARE)
    assert found["micro_batches"]["most_tokens"] <= found["micro_batches"]["cap"]


def test_equal_rows_are_the_same_rows_within_the_cap():
    config = TrainConfig(micro_batch_tokens=100)
    zeros = {length: np.zeros(length) for length in (10, 50, 20, 30, 40)}
    segments = [TrainingSegment(z.astype("i4"), z.astype("u1"), z.astype("f4")) for z in zeros.values()]
    batch = pack([Example(i, 1.0, 0.5, (s,)) for i, s in enumerate(segments)], config=config)
    cut = equal_rows(batch, cap=100)
    assert [[len(row.segment.token_ids) for row in rows] for rows in cut.micro_batches] == [[50, 40], [30, 20], [10]]
    assert fill_figures([cut], cap=100) == {"per_step": 3, "most_tokens": 100, "cap": 100, "padding_share": 0.1176}
    assert fill_figures([batch], cap=100)["per_step"] == 2


def test_memory_is_that_of_one_epoch():
    with bench_store() as store:
        shape = Shape(16, 8, tokens=(2000, 2000), turn=64, turn_every=256)
        found = measure(store, frozen_dataset(store, shape, name="m", seed=0))
    assert found["steps"] == 2 and found["seconds"] > 0
    assert 0 <= found["peak_growth_mib"] < 64  # 128 rollouts are 2.2 MiB of tokens, masks and log-probs


@pytest.mark.skipif(cuda_device() is not None, reason="there is a CUDA device")
def test_without_a_gpu_the_bench_says_so():
    assert cuda_utilisation(seed=0) == {"skipped": "no CUDA device"}


def test_a_note_without_a_measurement_is_a_bench_that_was_not_run(tmp_path: Path):
    report = {
        "date": "d",
        "commit": "c",
        "machine": {"cores": 2, "memory_gib": 4.0, "gpu": None},
        "seconds": 1.0,
        "seed": 0,
        "figures": {"x": 1},
        "compared": {},
        "targets": [],
    }
    for name in ("a", "z"):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    (tmp_path / "a.md").write_text("A note.\n")
    (tmp_path / "gpu.md").write_text("How to run it.\n")
    page = render_report(tmp_path)
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## a", "## gpu", "## z"]
    assert "| all | not run |\n\nHow to run it.\n" in page and page.count("not run |") == 1


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes, each of which imports torch and verl
def test_the_command_prints_figures_and_targets(monkeypatch: pytest.MonkeyPatch):
    options = ["--turns", "2", "--threads", "1", "--memory-rollouts", "64", "128", "--json"]
    small = [Case(case.name, case.policy, DATA._replace(groups=8), batch_rollouts=8) for case in cases()]
    monkeypatch.setattr("karl.benches.train_speed.cases", lambda: small)
    once = partial(flatness, repeats=1)
    monkeypatch.setattr(train_module, "flatness", lambda sizes, *, repeats, seed: once(sizes, seed=seed))
    result = CliRunner().invoke(karl, ["bench", "train", *options])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["name"] == "train" and set(report["figures"]["speed"]) == {"shipped", "random_3m", "skewed"}
    keys = [target["key"] for target in report["targets"]]
    assert keys[0] == "exactness.per_segment.equations_relative_error" and keys[-1] == "memory.bytes_per_rollout"
    assert "speed.random_3m.ratio.to_the_faster.wall" in keys
    assert {t["target"] for t in report["targets"]} == {
        train_module.RELATIVE_ERROR,
        train_module.RATIO,
        train_module.READING_SHARE,
        train_module.BYTES_PER_ROLLOUT,
        TrainConfig().micro_batch_tokens,
    }
