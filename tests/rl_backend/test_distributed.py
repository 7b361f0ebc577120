"""Several processes train as one does: by torchrun and by Ray, with real process groups on the CPU."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file, save_file

from rl_backend.checkpoint import weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.launch import Launch, TrainJob, launch
from rl_backend.launch.board import Board
from rl_backend.launch.outcome import outcome
from rl_backend.launch.wire import Address, Failure, Line
from rl_backend.result import TrainResult
from store.errors import KarlError, UsageError
from store.session import Store
from tests.rl_backend.spmd import WAYS, losses
from tests.rl_backend.test_from_store import frozen

# Two steps an epoch, twelve in all.
CONFIG = TrainConfig(lr=2e-3, epochs=6, batch_rollouts=8, micro_batch_tokens=400, threads=1, checkpoint_steps=3)
TORCHRUN = Launch(launcher="torchrun", ranks=2)
RAY = Launch(launcher="ray", ranks=2)
Trained = tuple[TrainResult, dict[int, float]]


@pytest.fixture(scope="module")
def stored(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """URL of a store, and the id of a dataset in it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('stored')}/karl.db"
    store = Store.open(url)
    try:
        with store.session() as session:
            return url, frozen(session, base)
    finally:
        store.close()


@pytest.fixture
def job(base: Path, stored: tuple[str, int], tmp_path: Path) -> TrainJob:
    return TrainJob(store_url=stored[0], dataset_id=stored[1], base=base, out=tmp_path / "out", config=CONFIG)


def trained(job: TrainJob, by: Launch, *, after: Callable[[int], object] | None = None, stop_at: int = 0) -> Trained:
    """The result and the losses by step number; `after(step)` is called behind every step."""
    seen: dict[int, float] = {}

    def on_step(step: int, steps: int, figures: dict[str, float]) -> None:
        seen[step] = figures["loss"]
        if after is not None:
            after(step)

    hooks = Hooks(on_step=on_step, should_stop=lambda: stop_at > 0 and len(seen) == stop_at)
    return launch(job, by=by, hooks=hooks), seen


def elsewhere(job: TrainJob, name: str) -> TrainJob:
    return job.model_copy(update={"out": job.out.with_name(name)})


def assert_same_weights(ours: Path, theirs: Path) -> None:
    weights, others = (load_file(path / "model.safetensors") for path in (ours, theirs))
    assert sorted(weights) == sorted(others)
    for name, values in weights.items():
        np.testing.assert_allclose(values, others[name], rtol=0, atol=1e-4, err_msg=name)


def assert_same(ours: Trained, theirs: Trained) -> None:
    """The first ten losses to 1e-5, the final weights to 1e-4, and what was counted exactly."""
    (result, seen), (expected, expected_losses) = ours, theirs
    assert list(seen) == list(expected_losses) == list(range(1, 13))
    assert [seen[n] for n in range(1, 11)] == pytest.approx([expected_losses[n] for n in range(1, 11)], rel=0, abs=1e-5)
    assert result.out is not None and expected.out is not None
    assert_same_weights(result.out, expected.out)
    counted = ("steps", "tokens", "trained_tokens", "groups", "rollouts", "segments", "tokens_by_kind", "stopped")
    assert {name: getattr(result, name) for name in counted} == {name: getattr(expected, name) for name in counted}
    assert result.weights_sha256 == weights_sha256(result.out)


@pytest.mark.slow
def test_every_loss_of_two_ranks_is_that_of_one(base: Path, tmp_path: Path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program = ["-m", "tests.rl_backend.spmd", str(base), str(tmp_path)]
    subprocess.run([*torchrun, *program], check=True, cwd=Path(__file__).parents[2], capture_output=True, timeout=280)
    found = json.loads((tmp_path / "losses.json").read_text())
    assert list(found) == list(WAYS)
    for way, config in WAYS.items():
        alone = losses(base, tmp_path / f"{way}-alone", config)
        assert len(alone) >= 10
        assert found[way][:10] == pytest.approx(alone[:10], rel=0, abs=1e-5), way
        assert_same_weights(tmp_path / way, tmp_path / f"{way}-alone")


@dataclass
class Told:
    """What the hooks of a training were told, in order."""

    started: list[tuple[int, int]]
    evaluated: list[tuple[int, int, bool]]
    losses: dict[int, float]
    warned: list[str]

    def evaluate(self, epoch: int, step: int, folder: Path) -> Evaluation:
        self.evaluated.append((epoch, step, (folder / "model.safetensors").is_file()))
        return Evaluation(score=epoch)


@pytest.fixture(scope="module")
def whole(base: Path, stored: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Told]:
    """Two ranks that nothing disturbs, evaluated behind every epoch."""
    config, told = CONFIG.model_copy(update={"reference": "trainer", "drift_warning": 1e-12}), Told([], [], {}, [])
    job = TrainJob(
        store_url=stored[0],
        dataset_id=stored[1],
        base=base,
        out=tmp_path_factory.mktemp("whole") / "out",
        config=config,
    )
    hooks = Hooks(
        on_start=lambda step, steps: told.started.append((step, steps)),
        on_step=lambda step, _, figures: told.losses.update({step: figures["loss"]}),
        evaluate=told.evaluate,
    )
    handler = logging.Handler()
    handler.emit = lambda record: told.warned.append(f"{record.name}: {record.getMessage()}")
    logging.getLogger().addHandler(handler)
    scratch = tmp_path_factory.mktemp("scratch")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(scratch))
            result = launch(job, by=TORCHRUN, hooks=hooks)
    finally:
        logging.getLogger().removeHandler(handler)
    assert list(scratch.iterdir()) == []  # of all that torchrun and the ranks keep there
    return result, told


def of_trainer(job: TrainJob) -> TrainJob:
    return job.model_copy(update={"config": CONFIG.model_copy(update={"reference": "trainer"})})


@pytest.mark.slow
def test_torchrun_trains_as_one_process_does(whole: tuple[TrainResult, Told], job: TrainJob):
    result, told = whole
    assert_same((result, told.losses), trained(of_trainer(job), Launch()))
    assert result.out is not None
    assert [path.name for path in result.out.parent.iterdir()] == ["out"]


@pytest.mark.slow
def test_ray_trains_as_one_process_does(job: TrainJob):
    assert_same(trained(job, RAY), trained(elsewhere(job, "alone"), Launch()))
    assert sorted(path.name for path in job.out.parent.iterdir()) == ["alone", "out"]


@pytest.mark.slow
def test_hooks_and_warnings_reach_the_parent(whole: tuple[TrainResult, Told]):
    _, told = whole
    assert told.started == [(0, 12)]
    assert told.evaluated == [(epoch, 2 * epoch + 2, True) for epoch in range(6)]
    assert [said.split(":")[0] for said in told.warned if "log-probs differ" in said] == ["rl_backend.drift"]


@pytest.mark.slow
def test_two_ranks_that_were_stopped_go_on_exactly(whole: tuple[TrainResult, Told], job: TrainJob):
    result, told = whole
    stopped, begun = trained(of_trainer(job), TORCHRUN, stop_at=5)
    assert stopped.stopped and stopped.steps == 5 and not job.out.exists()
    done, rest = trained(of_trainer(job), TORCHRUN)
    assert list(rest) == list(range(6, 13)) and {**begun, **rest} == told.losses
    assert done.weights_sha256 == result.weights_sha256


@pytest.mark.slow
def test_the_error_of_all_ranks_is_told_once_and_plainly(job: TrainJob, base: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in base.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    save_file({name: values * np.float32("nan") for name, values in weights.items()}, broken / "model.safetensors")
    with pytest.raises(KarlError, match=r"^training step 1: loss is nan.*The batch of that step is in .*npz$"):
        trained(job.model_copy(update={"base": broken}), TORCHRUN)


@pytest.mark.slow
def test_a_rank_that_fails_ends_the_others_and_its_error_is_told(job: TrainJob):
    state = job.out.with_name("out.training")

    def spoil(step: int) -> None:
        if step == 2:
            state.write_text("in the way of the folder that rank 0 is about to make")

    with pytest.raises(KarlError, match=r"^rank 0: (NotADirectory|FileExists)Error: .*out.training") as caught:
        trained(job, TORCHRUN, after=spoil)
    assert "training_state.py" in str(caught.value.__cause__)
    assert "training_state.py" in job.out.with_name("out.log").read_text()


def kill_one_rank(step: int) -> None:
    """SIGKILL, as the system does where memory runs out."""
    if step == 2:
        processes = psutil.Process().children(recursive=True)
        ranks = [p for p in processes if "RankWorker" in p.name() or p.cmdline()[-1] == "rl_backend"]
        max((p for p in ranks if "torch.distributed.run" not in p.cmdline()), key=lambda p: p.pid).send_signal(
            signal.SIGKILL
        )


@pytest.mark.slow
@pytest.mark.parametrize("by", [TORCHRUN, RAY], ids=["torchrun", "ray"])
def test_a_rank_that_is_killed_is_named_with_the_signal(job: TrainJob, by: Launch):
    said = r"SIGKILL" if by is TORCHRUN else r"died|killed|SIGKILL"
    with pytest.raises(KarlError, match=rf"^rank [01] \(process \d+\) died: .*({said}).*goes on from the last state"):
        trained(job, by, after=kill_one_rank)
    assert not job.out.exists()


@pytest.mark.slow
def test_an_error_of_a_hook_ends_the_ranks_and_is_raised_as_it_was(job: TrainJob):
    def fail(step: int) -> None:
        raise LookupError("of the caller's own")

    with pytest.raises(LookupError, match="of the caller's own"):
        trained(job, TORCHRUN, after=fail)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (Launch(ranks=2), "launch them by torchrun or ray"),
        (Launch(launcher="torchrun", ranks=2, nodes=2), "go with the launcher ray"),
        (Launch(launcher="ray", ranks=3, nodes=2), "can't be shared evenly"),
        (Launch(launcher="torchrun", ranks=2), "a store in memory"),
    ],
    ids=["ranks", "nodes", "uneven", "memory"],
)
def test_a_launch_that_cannot_be_is_refused_at_once(job: TrainJob, by: Launch, said: str):
    with pytest.raises(UsageError, match=said):
        launch(job.model_copy(update={"store_url": "sqlite://"}), by=by)


def heard(job: TrainJob, hooks: Hooks, rank: Callable[[Address], None]) -> Board:
    """The board behind a rank that is a thread of this process."""
    with Board(job, hooks, host="127.0.0.1") as board:
        thread = threading.Thread(target=rank, args=[board.address])
        thread.start()
        board.serve(thread.is_alive)
        thread.join()
        return board


def test_a_rank_is_heard_and_answered(job: TrainJob):
    seen: list[object] = []

    def rank(address: Address) -> None:
        line = Line(Address.parse(str(address)))
        seen.append(line.ask("join", 0, 1))
        line.ask("step", 1, 2, {"loss": 0.5})
        seen.append(line.ask("stop"))
        line.ask("failed", Failure.of(UsageError("no such thing"), rank=0))
        line.close()

    hooks = Hooks(on_step=lambda *told: seen.append(told), should_stop=lambda: True)
    board = heard(job, hooks, rank)
    assert seen == [(job, False), (1, 2, {"loss": 0.5}), True]
    with pytest.raises(UsageError, match=r"^no such thing$"):
        outcome(board, cause=lambda pid: "")


def test_a_stranger_without_the_key_is_told_nothing(job: TrainJob):
    refused: list[bool] = []

    def rank(address: Address) -> None:
        with pytest.raises((AuthenticationError, EOFError, OSError)):
            Line(address._replace(key="00" * 32)).ask("join", 0, 1)
        refused.append(True)

    board = heard(job, Hooks(), rank)
    assert refused == [True] and board.ended is None
    with pytest.raises(KarlError, match="ended before they reported: torchrun is missing"):
        outcome(board, cause=lambda pid: "torchrun is missing")


def test_a_rank_that_hangs_up_is_lost_and_comes_before_those_that_follow_it(job: TrainJob):
    def rank(address: Address) -> None:
        connection = Client((address.host, address.port), authkey=bytes.fromhex(address.key))
        connection.send(("join", 1, 77))
        connection.recv()
        connection.close()
        line = Line(address)
        line.ask("failed", Failure.of(RuntimeError("connection closed by peer"), rank=0))
        line.close()

    board = heard(job, Hooks(), rank)
    with pytest.raises(KarlError, match=r"^rank 1 \(process 77\) died: signal 9 for 77"):
        outcome(board, cause=lambda pid: f"signal 9 for {pid}")
