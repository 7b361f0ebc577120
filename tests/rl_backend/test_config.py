"""Recipes load, and a wrong file, key or value is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rl_backend.config import TrainConfig, load_recipe
from rl_backend.recipe import RECIPES
from store.errors import UsageError


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_of_the_package_loads(name: str):
    assert load_recipe(name).lr > 0


def test_published_recipe_has_the_papers_values():
    found = load_recipe("published")
    assert (found.beta1, found.beta2, found.lr, found.batch_rollouts) == (1.0, 1e-3, 1e-6, 256)
    assert (found.betas, found.lr_floor, found.warmup_share, found.grad_clip) == ((0.9, 0.95), 0.05, 0.02, 1e-3)


def test_overrides_win():
    assert load_recipe("tiny", epochs=1).epochs == 1


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().lr = 1.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("beta3 = 1.0", "'beta3'"),
        ("lr = -1.0", "'lr'"),
        ('segment_loss = "mean"', "'segment_loss'"),
        ("lr = = 3", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, named: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value) and named in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_wrong_override_is_not_blamed_on_the_file():
    with pytest.raises(UsageError, match="override: key 'epochs'"):
        load_recipe("tiny", epochs=0)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"clone, glm-4\.5-air, grpo, published, qwen3-4b, qwen3-4b-lora, sft, tiny"):
        load_recipe("huge")
