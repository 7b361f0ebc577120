"""`karl train`: from a dataset of the store to a checkpoint with its lineage, by every launcher."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from agents.policy import load_profile
from store import queries
from store.models import Checkpoint
from store.session import Store
from store.types import Algorithm
from tests.karl.kit import call, command, environment
from tests.rl_backend.test_from_store import frozen
from tests.rl_backend.toy import make_base

# Three groups of four: two steps an epoch.
FAST = ["--set", "batch_rollouts=8", "--set", "threads=1", "--set", "epochs=2", "--set", "lr=0.002"]
LONG = ["--set", "batch_rollouts=1", "--set", "threads=1", "--set", "epochs=10"]
TWO = ["--ranks", "2", "--launch"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
PATIENCE = 400.0  # seconds; a busy machine takes a minute to import torch and verl


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and a store with dataset `d`, which it sampled."""
    folder = tmp_path_factory.mktemp("made")
    base = make_base(folder / "base")
    (base / "karl.json").write_text('{"name": "toy", "policy_version": 0}')
    store = Store.open(f"sqlite:///{folder}/.karl/karl.db")
    try:
        with store.session() as session:
            frozen(session, base)
    finally:
        store.close()
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the current folder, a copy of `made`; the model is checkpoint `run/base`."""
    monkeypatch.delenv("KARL_HOME", raising=False)
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    store = Store.open(f"sqlite:///{folder}/.karl/karl.db")
    try:
        with store.session() as session:
            run_id = queries.dataset_by_name(session, "d").run_id
            row = Checkpoint(run_id=run_id, name="run/base", algorithm=Algorithm.BASE, path=str(folder / "base"))
            queries.save_checkpoint(session, row)
    finally:
        store.close()
    return folder / ".karl"


def steps_stored(home: Path, series: str, *, run_name: str = "run") -> list[int]:
    store = Store.open(f"sqlite:///{home}/karl.db")
    try:
        with store.session() as session:
            run = queries.run_by_name(session, run_name)
            return [step for step, _ in queries.series(session, run.id or 0, series=series, name="loss")]
    finally:
        store.close()


def test_a_training_is_recorded_with_its_lineage(home: Path, capsys: pytest.CaptureFixture[str]):
    trained = call(capsys, "train", "d", "--out", "first", *FAST, "--json")
    assert trained.code == 0, trained.err
    summary = json.loads(trained.out)
    assert (summary["steps"], summary["dataset"], summary["base"]) == (4, "d", "run/base")
    assert summary["policy_version"] == 1 and summary["drift"]["mean"] < 1e-4
    assert sum(summary["tokens_by_kind"].values()) > 0 and summary["tokens_per_second"] > 0
    assert load_profile(home / "trained" / "first").policy_version == 1
    assert steps_stored(home, "train/first") == [1, 2, 3, 4]

    elsewhere = home.parent / "models" / "second"
    again = call(capsys, "train", "d", "--base", "first", "--out", elsewhere, "--set", "max_segment_tokens=50", *FAST)
    assert again.code == 0, again.err
    assert "second: oapl on d from first, policy version 2" in again.out and f"written to {elsewhere}" in again.out
    assert "tokens/s" in again.out and "training tokens of an epoch by task" in again.out
    dropped = int(again.out.split("dropped: ")[1].split()[0])
    assert dropped > 0

    rows = json.loads(call(capsys, "train", "--list", "--json").out)
    assert [row["name"] for row in rows["datasets"]] == ["d"]
    lineage = {row["name"]: (row["parent"], row["dataset"]) for row in rows["checkpoints"]}
    assert lineage == {"run/base": (None, None), "first": ("run/base", "d"), "second": ("first", "d")}
    shown = call(capsys, "train", "--list").out
    assert "run/base" in shown and "policy version" in shown
    taken = call(capsys, "train", "d", "--out", "first", *FAST)
    assert taken.code == 2 and "first is trained already; give another name" in taken.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["e", "--out", "x"], "no dataset 'e' in this store; there are: d"),
        (["d", "--out", "x", "--base", "run/bse"], "no checkpoint of that name; did you mean 'run/base'?"),
        (["d", "--out", "x", "--recipe", "tiney"], "tiney: no such recipe"),
        (["d", "--out", "x", "--set", "epoch=2"], "unknown key 'epoch'; did you mean 'epochs'?"),
        (["d", "--out", "x", "--set", "actor.fsdp_confg.x=2"], "actor.fsdp_confg"),
        (["d", "--out", "two words"], "a checkpoint's name has letters"),
        (["d", "--out", "./base"], "base exists, and is no checkpoint of the store"),
        (["d", "--out", "x", "--ranks", "2"], "launch them by torchrun or ray"),
        (["d"], "give DATASET and --out"),
    ],
)
def test_mistakes_are_told_before_anything_is_loaded(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    ended = call(capsys, "train", *arguments)
    assert (ended.code, ended.out) == (2, "") and said in ended.err
    assert not (home / "trained").exists()


def test_without_a_base_the_sampler_must_be_there(home: Path, capsys: pytest.CaptureFixture[str]):
    (home.parent / "base").rename(home.parent / "moved")
    ended = call(capsys, "train", "d", "--out", "x")
    assert (
        ended.code == 2 and "policy that sampled dataset 'd' (version 0) is not in the store; give --base" in ended.err
    )


def begin(home: Path, *arguments: str, by: Sequence[str] = ()) -> subprocess.Popen[str]:
    """`karl train` in its own process, or started `by` another, ten steps or more into a long training."""
    process = subprocess.Popen(
        [*by, *command("train", "d", "--out", "x", *LONG, *arguments)],
        cwd=home.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + PATIENCE
    while len(steps_stored(home, "train/x")) < 10:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


@pytest.mark.slow
@pytest.mark.timeout(1300)
@pytest.mark.parametrize("launch", [[], [*TWO, "torchrun"]], ids=["in-process", "torchrun"])
def test_ctrl_c_saves_the_state_and_the_same_command_goes_on(home: Path, launch: list[str]):
    begun = begin(home, *launch)
    os.killpg(begun.pid, signal.SIGINT)  # as a terminal does: every process of the group has it
    _, err = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == 130 and "the same command goes on from here" in err
    (state,) = (home / "trained" / "x.training").glob("*/step-*")
    stopped_at = int(state.name.removeprefix("step-"))
    assert 10 <= stopped_at < 120 and steps_stored(home, "train/x") == list(range(1, stopped_at + 1))
    if launch:
        return  # two ranks that go on from such a state: tests/rl_backend/test_distributed.py
    again = subprocess.run(
        command("train", "d", "--out", "x", *LONG, *launch, "--json"),
        cwd=home.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert f"going on behind step {stopped_at} of 120" in again.stderr
    assert json.loads(again.stdout)["steps"] == 120
    assert steps_stored(home, "train/x") == list(range(1, 121))
    assert [path.name for path in (home / "trained").iterdir()] == ["x"]


@pytest.mark.slow
@pytest.mark.timeout(1300)
def test_ranks_do_not_outlive_a_command_that_was_killed(home: Path):
    begun = begin(home, *TWO, "torchrun")
    ranks = psutil.Process(begun.pid).children(recursive=True)
    assert len(ranks) >= 3  # torchrun and two
    begun.kill()
    begun.communicate(timeout=PATIENCE)
    _, alive = psutil.wait_procs(ranks, timeout=60)
    assert alive == []


@pytest.mark.slow
@pytest.mark.timeout(1300)
def test_rank_0_of_the_users_own_torchrun_has_all_ranks_save(home: Path):
    begun = begin(home, by=TORCHRUN)
    os.kill(int((home / "locks" / "train-x.lock").read_text()), signal.SIGINT)  # as docs/training.md says
    _, err = begun.communicate(timeout=PATIENCE)
    assert "the same command goes on from here" in err and "SIGKILL" not in err
    (state,) = (home / "trained" / "x.training").glob("**/step-*")
    assert len([*(state / ".trainer").glob("*rank_*")]) >= 2
    assert steps_stored(home, "train/x") == list(range(1, int(state.name.removeprefix("step-")) + 1))
