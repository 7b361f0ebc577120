"""Several trainings under one name: none goes on from another's states, loses its own, or takes another's figures."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from rl_backend.checkpoint import weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Hooks
from rl_backend.result import TrainResult
from rl_backend.rollouts import TrainingRollout
from rl_backend.source import MemorySource
from rl_backend.train import train
from store.errors import KarlError, UsageError
from tests.rl_backend.test_resume import CONFIG, Killed, losses_until, state
from tests.rl_backend.toy import make_base, random_rollouts

OTHER = CONFIG.model_copy(update={"lr": 1e-3})


@pytest.fixture(scope="module")
def rollouts(base: Path) -> list[TrainingRollout]:
    return random_rollouts(base)


def test_a_state_is_not_pruned_for_a_later_one_of_other_settings(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    losses_until(7, rollouts, base=base, out=out, config=CONFIG)
    begun = losses_until(4, rollouts, base=base, out=out, config=OTHER)
    rest = losses_until(5, rollouts, base=base, out=out, config=OTHER)
    assert min(begun) == 1 and min(rest) == 4
    # The first is still where it was.
    assert min(losses_until(8, rollouts, base=base, out=out, config=CONFIG)) == 7


def test_a_state_that_cannot_be_read_does_not_outlive_the_one_just_written(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    losses_until(7, rollouts, base=base, out=out, config=CONFIG)
    (state(out, step=6) / "training.json").write_text("{")
    assert min(losses_until(4, rollouts, base=base, out=out, config=CONFIG)) == 1
    assert min(losses_until(5, rollouts, base=base, out=out, config=CONFIG)) == 4


def test_nothing_is_left_in_the_temporary_folder(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout], monkeypatch: pytest.MonkeyPatch
):
    """verl would leave a file there for every state and every checkpoint."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    losses_until(7, rollouts, base=base, out=tmp_path / "out", config=CONFIG)
    assert state(tmp_path / "out", step=6).is_dir() and list(scratch.iterdir()) == []


def test_limits_and_measurements_may_change_on_the_way(base: Path, tmp_path: Path, rollouts: list[TrainingRollout]):
    limits = {"patience": 3, "max_unfinished": None, "collapse_nats": 50.0, "collapse_losers_nats": None}
    changed = CONFIG.model_copy(update={**limits, "log_entropy": True})
    whole = losses_until(None, rollouts, base=base, out=tmp_path / "whole", config=CONFIG)
    losses_until(4, rollouts, base=base, out=tmp_path / "out", config=CONFIG)
    rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=changed)
    assert rest == {step: loss for step, loss in whole.items() if step > 3}
    assert weights_sha256(tmp_path / "out") == weights_sha256(tmp_path / "whole")


TRAINERS = CONFIG.model_copy(update={"reference": "trainer"})


def test_a_training_between_two_halves_of_another_leaves_its_reference(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out, moved = tmp_path / "out", make_base(tmp_path / "moved", seed=7)
    whole = losses_until(None, rollouts, base=base, out=tmp_path / "whole", config=TRAINERS)
    losses_until(7, rollouts, base=base, out=out, config=TRAINERS)
    losses_until(2, rollouts, base=moved, out=out, config=TRAINERS)
    rest = losses_until(None, rollouts, base=base, out=out, config=TRAINERS)
    assert rest == {step: loss for step, loss in whole.items() if step > 6}


def test_a_lost_reference_is_not_made_of_weights_that_have_moved(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    losses_until(4, rollouts, base=base, out=out, config=TRAINERS)
    (state(out, step=3).parent / "reference.f32").unlink()
    with pytest.raises(KarlError, match=r"reference\.f32: .* are gone, .* remove .* to start the training over"):
        losses_until(None, rollouts, base=base, out=out, config=TRAINERS)


def kill(_: object) -> None:
    raise Killed


def recorded_by(base: Path, out: Path, rollouts: list[TrainingRollout], config: TrainConfig) -> tuple[TrainResult, int]:
    """What was recorded in the end, and how many steps that took."""
    told, steps = list[TrainResult](), list[int]()
    hooks = Hooks(on_step=lambda step, *_: steps.append(step), record=told.append)
    result = train(MemorySource(rollouts), base=base, out=out, config=config, hooks=hooks)
    assert told == [result]
    return result, len(steps)


def test_a_checkpoint_that_nobody_recorded_is_not_trained_again(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        train(MemorySource(rollouts), base=base, out=out, config=CONFIG, hooks=Hooks(record=kill))
    weights = weights_sha256(out)
    found, steps = recorded_by(base, out, rollouts, CONFIG)
    whole, _ = recorded_by(base, tmp_path / "whole", rollouts, CONFIG)
    assert (steps, found.steps, found.tokens) == (0, 12, whole.tokens)
    assert found.metrics["loss"] == whole.metrics["loss"]
    assert found.weights_sha256 == weights == weights_sha256(out) == whole.weights_sha256
    assert found.setup_seconds > 0 and not (tmp_path / "out.training").exists()


def test_a_checkpoint_that_was_not_yet_in_place_or_is_gone_is_made_again_from_the_last_state(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        train(MemorySource(rollouts), base=base, out=out, config=CONFIG, hooks=Hooks(stamp=kill))
    assert not out.exists()
    with pytest.raises(Killed):
        train(MemorySource(rollouts), base=base, out=out, config=CONFIG, hooks=Hooks(record=kill))
    (out / "model.safetensors").rename(tmp_path / "moved.safetensors")
    result, steps = recorded_by(base, out, rollouts, CONFIG)
    assert steps == 3 and result.weights_sha256 == weights_sha256(out)


def test_a_checkpoint_that_awaits_its_record_is_not_replaced_by_another(
    base: Path, tmp_path: Path, rollouts: list[TrainingRollout]
):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        train(MemorySource(rollouts), base=base, out=out, config=CONFIG, hooks=Hooks(record=kill))
    weights = weights_sha256(out)
    with pytest.raises(UsageError, match="not recorded yet; give that training's command again"):
        train(MemorySource(rollouts), base=base, out=out, config=OTHER)
    assert weights_sha256(out) == weights


def test_what_is_stamped_appears_with_the_checkpoint(base: Path, tmp_path: Path, rollouts: list[TrainingRollout]):
    out, seen = tmp_path / "out", list[bool]()

    def stamp(folder: Path) -> None:
        seen.append(out.exists())
        (folder / "stamped").write_text((folder / "karl.json").read_text())

    train(MemorySource(rollouts), base=base, out=out, config=CONFIG, hooks=Hooks(stamp=stamp))
    assert seen == [False] and (out / "stamped").is_file()
