"""The value model through verl's value engine: exact loss, split by question, early stop, a folder that serves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rl_backend.batch import pack
from rl_backend.hooks import Hooks
from rl_backend.index import build_index
from rl_backend.loader import Loader
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource
from rl_backend.value.config import ValueConfig, load_value_recipe
from rl_backend.value.model import load_value_model, value_logits, value_loss
from rl_backend.value.points import measure_points, token_losses, turn_ends
from rl_backend.value.report import value_report
from rl_backend.value.split import side_of, split
from rl_backend.value.train import Origin, measure, train_value
from rl_backend.value.trainer import ValueTrainer
from store.errors import UsageError
from store.value_record import read_value_record

WIN, LOSE = 7, 9  # a token that only correct, or only wrong, rollouts sample


def config_of(**training: object) -> ValueConfig:
    fixed = {"lr": 3e-3, "epochs": 4, "patience": None, "batch_rollouts": 16, "warmup_share": 0.0, "balance": "none"}
    return ValueConfig.model_validate({"validation_share": 0.3, "training": {**fixed, **training}})


def telling_rollouts(*, groups: int = 24, size: int = 4, seed: int = 3) -> list[TrainingRollout]:
    """Half of each question's rollouts are correct; from their second turn on a sampled token gives it away."""
    draw, found = np.random.default_rng(seed), list[TrainingRollout]()
    for number in range(groups * size):
        correct = bool(number % 2)
        ids = draw.integers(20, 120, 24).astype(np.int32)
        mask = np.zeros(24, np.uint8)
        mask[6:10] = mask[14:18] = mask[21:24] = 1
        ids[14] = WIN if correct else LOSE
        segment = TrainingSegment(ids, mask, np.full(24, -0.5, np.float32) * mask)
        found.append(TrainingRollout(number, number // size, float(correct), [segment]))
    return found


def test_loss_is_the_mean_cross_entropy_over_the_policys_tokens() -> None:
    value = torch.tensor([2.0, -1.0, 50.0, 0.5])
    reward, mask = torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    by_hand = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log1p(math.exp(-0.5))) / 3
    assert value_loss(value, reward, mask, denominator=3).item() == pytest.approx(by_hand, rel=1e-6)
    assert value_loss(torch.tensor([1e4]), torch.zeros(1), torch.ones(1), denominator=1).item() == pytest.approx(1e4)


def test_one_step_of_verl_has_the_loss_and_gradient_of_a_plain_loop(base: Path) -> None:
    config = config_of(batch_rollouts=8, micro_batch_tokens=64, lr=1e-3)
    settings, rollouts = config.training, telling_rollouts(groups=2)
    index = build_index(MemorySource(rollouts), config=settings)
    index = replace(index, entries=[e._replace(advantage=e.reward) for e in index.entries])
    batch = pack(Loader(MemorySource(rollouts), index, config=settings).examples(range(8)), config=settings)
    assert len(batch.micro_batches) > 1  # several micro-batches: none may change the sum
    trainer = ValueTrainer(base, config=settings, total_steps=3)
    figures = [trainer.train_step(batch) for _ in range(3)]
    trainer.close()

    model = load_value_model(base).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=settings.betas, weight_decay=0.0)
    losses = []
    for step in figures:
        for group in optimizer.param_groups:
            group["lr"] = step["lr"]
        optimizer.zero_grad()
        ids = torch.tensor(np.stack([r.segments[0].token_ids for r in rollouts]), dtype=torch.long)
        mask = torch.tensor(np.stack([r.segments[0].loss_mask for r in rollouts]), dtype=torch.float32)
        target = torch.tensor([r.reward for r in rollouts])[:, None].expand(ids.shape)
        values = model(input_ids=ids).logits[..., 0]
        loss = value_loss(values.flatten(), target.flatten(), mask.flatten(), denominator=float(mask.sum()))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        optimizer.step()
        losses.append(loss.item())
    assert figures[0]["loss"] == pytest.approx(math.log(2), rel=1e-6)  # a head of zeros says 0.5 everywhere
    assert [step["loss"] for step in figures] == pytest.approx(losses, rel=1e-4)
    assert losses[2] < losses[0]


def test_rows_are_padded_to_the_longest(base: Path) -> None:
    settings, rollouts, seen = config_of(micro_batch_tokens=64).training, telling_rollouts(groups=2), list[torch.Size]()
    index = build_index(MemorySource(rollouts), config=settings)
    batch = pack(Loader(MemorySource(rollouts), index, config=settings).examples(range(8)), config=settings)
    trainer = ValueTrainer(base, config=settings, total_steps=1)
    module = trainer._worker.engine.module
    module.register_forward_pre_hook(lambda _, __, given: seen.append(given["input_ids"].shape), with_kwargs=True)
    trainer.train_step(batch)
    trainer.close()
    longest = [(len(rows), max(len(row.segment.token_ids) for row in rows)) for rows in batch.micro_batches]
    assert any(rows > 1 for rows, _ in longest) and [tuple(shape) for shape in seen] == longest


def test_a_question_is_on_one_side_with_all_its_rollouts() -> None:
    sides = split(MemorySource(telling_rollouts(groups=200)), share=0.3, seed=1)
    training = {r.group_id for group in sides.training.groups() for r in group}
    validation = {r.group_id for group in sides.validation.groups() for r in group}
    assert not training & validation
    assert training | validation == set(range(200))
    assert 40 <= len(validation) <= 80
    assert side_of(5, share=0.3, seed=1) == side_of(5, share=0.3, seed=1)


def test_turns_end_with_their_last_sampled_token() -> None:
    assert turn_ends(np.array([0, 1, 1, 0, 0, 1, 0, 1], np.uint8)) == [(1, 3), (5, 6), (7, 8)]
    assert turn_ends(np.array([0, 0], np.uint8)) == []


def test_points_hold_depth_turn_likelihood_and_loss(base: Path) -> None:
    rollout = telling_rollouts(groups=1)[1]
    model = load_value_model(base).eval()
    torch.nn.init.constant_(model.score.bias, 0.7)
    points = measure_points(model, MemorySource([rollout]), threshold=0.5, limit=99, budget=99)
    assert points is not None
    assert points.turn_P.tolist() == [1, 2, 3]
    assert points.depth_P.tolist() == pytest.approx([4 / 11, 8 / 11, 1.0])
    assert points.likelihood_P.tolist() == pytest.approx([math.exp(-0.5)] * 3)
    assert points.value_P.tolist() == pytest.approx([0.7] * 3)
    assert points.token_loss_P.tolist() == pytest.approx([n * math.log1p(math.exp(-0.7)) for n in (4, 4, 3)])
    assert token_losses(np.array([800.0, -800.0]), 1.0).tolist() == pytest.approx([0.0, 800.0])


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("value") / "judge"
    origin = Origin(policy_version=3, dataset="graded-1")
    result = train_value(MemorySource(telling_rollouts()), base=base, out=out, config=config_of(), origin=origin)
    assert result.losses[-1] < 0.6 < result.losses[0]
    return out


def test_it_learns_what_gives_the_end_away_and_says_so(trained: Path) -> None:
    record = read_value_record(trained)
    assert (record.name, record.policy_version, record.dataset) == ("judge", 3, "graded-1")
    assert record.label.startswith("judge v3 ")
    assert record.validation["model"]["cross_entropy"] < record.validation["base rate"]["cross_entropy"]
    assert record.validation["likelihood"]["auc"] == 0.5


def test_its_figures_are_not_of_the_questions_that_calibrated_it(trained: Path) -> None:
    record, config = read_value_record(trained), config_of()
    sides = split(MemorySource(telling_rollouts()), share=config.validation_share, seed=config.training.seed)
    seen = measure(trained, sides.validation, config=config, record=record)
    assert seen["uncalibrated"] == pytest.approx(record.validation["uncalibrated"])
    assert seen["model"]["auc"] == pytest.approx(record.validation["model"]["auc"])
    # The fit that serves is the best on the points that it was made of: those figures would flatter it.
    assert seen["model"]["cross_entropy"] < record.validation["model"]["cross_entropy"]


def test_the_folder_is_a_token_classifier_with_one_output(trained: Path, base: Path) -> None:
    settings = json.loads((trained / "config.json").read_text())
    assert settings["architectures"] == ["Qwen3ForTokenClassification"]
    assert sorted(file.name for file in trained.iterdir()) == [
        "config.json",
        "karl-value.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert not trained.with_name("judge.training").exists()
    from transformers import AutoModelForTokenClassification

    plain = AutoModelForTokenClassification.from_pretrained(trained)
    segment = telling_rollouts(groups=1)[0].segments[0]
    with torch.no_grad():
        expected = plain.eval()(input_ids=torch.tensor(segment.token_ids.astype(np.int64))[None]).logits[0, :, 0]
    found = value_logits(load_value_model(trained).eval(), [segment, segment], budget=30)
    assert plain.config.num_labels == 1
    assert np.abs(found[1] - expected.numpy()).max() < 1e-5


def test_on_fresh_questions_it_knows_the_end_from_the_telling_turn_on(trained: Path) -> None:
    fresh = MemorySource(telling_rollouts(groups=100, seed=4))
    found = measure(trained, fresh, config=config_of(), record=read_value_record(trained))
    turns = found["auc_by_turn"]
    assert (found["questions"], found["rollouts"], found["turns"]) == (100, 400, 1200)
    assert 0.4 < turns["1"]["model"] < 0.6  # nothing has been given away: causality holds
    assert turns["2"]["model"] > 0.75
    assert turns["2"]["model_within_question"] > 0.75
    assert sum(row["points"] for row in found["reliability"]) == 1200


def test_it_stops_early_and_keeps_the_best_weights(base: Path, tmp_path: Path) -> None:
    noise = [replace(r, reward=float(np.random.default_rng(r.rollout_id).random() < 0.5)) for r in telling_rollouts()]
    config = config_of(epochs=12, patience=1, lr=1e-2)
    result = train_value(MemorySource(noise), base=base, out=tmp_path / "v", config=config)
    assert result.steps < result.planned_steps
    assert result.record is not None
    best = min(result.losses)
    assert result.record.validation["token_cross_entropy"] == pytest.approx(best, rel=1e-5)
    assert best < result.losses[-1]


def test_a_stopped_training_goes_on_to_the_same_weights(trained: Path, base: Path, tmp_path: Path) -> None:
    source, out = MemorySource(telling_rollouts()), tmp_path / "judge"
    seen: list[int] = []
    hooks = Hooks(on_step=lambda step, steps, figures: seen.append(step), should_stop=lambda: len(seen) >= 6)
    stopped = train_value(source, base=base, out=out, config=config_of(), hooks=hooks)
    assert stopped.stopped
    assert stopped.record is None
    assert not out.exists()
    whole = train_value(source, base=base, out=out, config=config_of(), origin=Origin(3, "graded-1"))
    assert whole.record == read_value_record(trained)


def test_too_few_questions_or_equal_ends_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few to set a share"):
        train_value(MemorySource(telling_rollouts(groups=1)), base=base, out=tmp_path / "v", config=config_of())
    losers = [replace(r, reward=0.0) for r in telling_rollouts()]
    with pytest.raises(UsageError, match="are wrong: there is nothing to tell apart"):
        train_value(MemorySource(losers), base=base, out=tmp_path / "v", config=config_of())


def test_a_training_that_ends_inside_an_epoch_is_measured_where_it_ends(base: Path, tmp_path: Path) -> None:
    config = config_of(max_steps=1, batch_rollouts=4)
    result = train_value(MemorySource(telling_rollouts()), base=base, out=tmp_path / "v", config=config)
    assert (result.steps, result.planned_steps, result.best_step, len(result.losses)) == (1, 1, 1, 1)
    assert result.out == tmp_path / "v" and (result.out / "model.safetensors").is_file()


def test_recipes_are_read_and_a_policys_settings_refused(tmp_path: Path) -> None:
    config = load_value_recipe("tiny", **{"training.lr": 1e-4, "validation_share": 0.1})
    assert (config.training.lr, config.validation_share, config.training.sft_on) == (1e-4, 0.1, "all")
    assert load_value_recipe("published").training.precision == "bf16"
    for text, said in {
        "rewards = 1": "unknown key 'rewards'.*did you mean 'reward_threshold'",
        "[training]\nlearning = 1": "unknown key 'training.learning'",
        '[training]\nalgorithm = "oapl"': "algorithm is a policy's setting",
        "[training]\nlora_rank = 8": "needs lora_rank = 0",
        "[training": "not valid TOML",
    }.items():
        (tmp_path / "r.toml").write_text(text)
        with pytest.raises(UsageError, match=said):
            load_value_recipe(tmp_path / "r.toml")
    with pytest.raises(UsageError, match="come with the package: published, tiny"):
        load_value_recipe("huge")


def test_a_report_needs_no_calibration(base: Path) -> None:
    points = measure_points(
        load_value_model(base).eval(), MemorySource(telling_rollouts(groups=3)), threshold=0.5, limit=99, budget=200
    )
    assert points is not None
    report = value_report(points)
    assert report["model"]["cross_entropy"] == pytest.approx(math.log(2))
    assert report["model"]["auc"] == 0.5
