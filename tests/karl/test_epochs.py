"""Validation questions and anchors: which groups a dataset holds, how epochs are compared, which weights are kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.judges import RuleJudge
from karl.context import Context, id_of
from karl.epochs import validation_tasks
from karl.filters import filter_tasks, keep_mixed, snapshot
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.runs import execute, open_run
from karl.settings import load_settings
from karl.solving import solve
from karl.summary import run_summary
from karl.tiny.companies import prepare_demo
from store import queries
from store.errors import UsageError
from store.models import Task
from store.session import Store
from store.types import Fate
from tests.karl.kit import REPOSITORY, SMALL
from tests.karl.loop_kit import LEADERS, make_context, reader

SOLVED = 4  # products whose questions every rollout solves; every other rollout the rest


async def rolled_out(folder: Path, **changes: Any) -> Context:
    """Twelve questions with their rollouts, filtered."""
    context = make_context(folder, sft_control=False, **changes)
    tried: Counter[str] = Counter()

    def answer(product: str, person: str) -> str:
        tried[product] += 1
        return person if int(product.removeprefix("product")) < SOLVED or tried[product] % 2 else "nobody"

    tasks = [
        Task(
            key=context.key(1, "given", product),
            run_id=context.run_id,
            iteration=1,
            corpus_id=id_of(context.corpus),
            question=f"who leads {product}?",
            answer=person,
            nuggets=[person],
            fate=Fate.DEDUPLICATED,
        )
        for product, person in [*LEADERS.items()][:12]
    ]
    with context.store.session() as session:
        queries.save_tasks(session, tasks)
    await solve(context, 1, reader(answer))
    filter_tasks(context, 1)
    keep_mixed(context, 1)
    return context


def in_dataset(context: Context) -> Counter[Fate]:
    """How many questions of each fate the snapshot holds."""
    dataset = snapshot(context, 1, policy_version=0)
    with context.store.session() as session:
        held = {group.group_id for group in queries.dataset_groups(session, dataset.id or 0)}
        return Counter(t.fate for t in queries.tasks_by_fate(session, context.run_id, fates=list(Fate)) if t.id in held)


async def test_without_anchors_only_mixed_groups_are_trained_on(tmp_path: Path) -> None:
    assert in_dataset(await rolled_out(tmp_path)) == {Fate.KEPT: 8}


async def test_anchors_are_a_share_of_the_solved_questions_and_pull_nowhere(tmp_path: Path) -> None:
    context = await rolled_out(tmp_path, anchors=0.5)
    assert in_dataset(context) == {Fate.KEPT: 8, Fate.ALL_CORRECT: 2}
    assert in_dataset(context) == {Fate.KEPT: 8, Fate.ALL_CORRECT: 2}  # a resumed run freezes the same
    from rl_backend.config import TrainConfig
    from rl_backend.index import build_index
    from rl_backend.store_source import StoreSource

    with context.store.session() as session:
        dataset = queries.dataset_by_name(session, context.key("dataset-1"))
        solved = {t.id for t in queries.tasks_by_fate(session, context.run_id, fates=Fate.ALL_CORRECT)}
    entries = build_index(StoreSource(context.store, dataset.id or 0), config=TrainConfig()).entries
    assert {entry.advantage for entry in entries if entry.group_id in solved} == {0.0}
    assert all(entry.advantage for entry in entries if entry.group_id not in solved)


async def test_validation_questions_are_whole_groups_that_are_not_trained_on(tmp_path: Path) -> None:
    context = await rolled_out(tmp_path, validation_questions=3)
    aside = {task.key for task in validation_tasks(context, 1)}
    assert len(aside) == 3 and aside == {task.key for task in validation_tasks(context, 1)}
    assert in_dataset(context) == {Fate.KEPT: 5}


async def test_validation_never_takes_more_than_half(tmp_path: Path) -> None:
    context = await rolled_out(tmp_path, validation_questions=100)
    assert len(validation_tasks(context, 1)) == 4 and in_dataset(context) == {Fate.KEPT: 4}


async def test_questions_left_out_are_not_rolled_out(tmp_path: Path) -> None:
    context = await rolled_out(tmp_path, leave_out=[r"product[0-5]\?$"])
    with context.store.session() as session:
        left = queries.tasks_by_fate(session, context.run_id, fates=Fate.DEDUPLICATED)
    assert sorted(task.question for task in left) == [f"who leads product{n}?" for n in range(6)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"leave_out": ["("]}, "run setting 'leave_out': .*'\\(' is not a regular expression"),
        ({"algorithm": "sft"}, "run settings: algorithm 'sft' needs no SFT control .* set sft_control to false"),
        ({"anchors": 2}, "run setting 'anchors': .*less than or equal to 1, got 2"),
    ],
)
def test_wrong_settings_are_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make_config({"corpus": "notes", **changes})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_epochs_are_compared_and_the_best_becomes_the_checkpoint(tmp_path: Path) -> None:
    recipe = tmp_path / "epochs.toml"
    shipped = (REPOSITORY / "rl_backend" / "recipes" / "tiny.toml").read_text(encoding="utf-8")
    # A rate that wrecks the policy: a later epoch is worse, and patience ends the training early.
    limits = "patience = 1\nmax_unfinished = 1.0\ncollapse_nats = 1e6\ncollapse_losers_nats = 1e6"
    text = shipped.replace("epochs = 3", f"epochs = 6\n{limits}").replace("lr = 4e-4", "lr = 5e-3")
    recipe.write_text(text.replace("batch_rollouts = 64", "batch_rollouts = 16"), encoding="utf-8")
    settings = load_settings(tmp_path, home=tmp_path / "home")
    settings.home.mkdir()
    store = Store.open(settings.store_url)
    made = prepare_demo(store, seed=5, settings=settings, reporter=SilentReporter())
    config = make_config(
        {
            **SMALL,
            "corpus": made.training_corpus,
            "questions": made.questions,
            "question_corpus": made.evaluation_corpus,
            "eval_temperatures": [],
            "recipe": str(recipe),
            "validation_questions": 3,
            "train_steps": None,
        }
    )
    opened = open_run(store, config, name=None)
    assert execute(store, opened, config=config, settings=settings, judge=RuleJudge(), reporter=SilentReporter())
    summary = run_summary(store, opened.run)
    with store.session() as session:
        rewards = dict(queries.series(session, opened.run.id or 0, series="oapl-1", name="validation_reward"))
        steps = [step for step, _ in queries.series(session, opened.run.id or 0, series="oapl-1", name="loss")]
        attempts = session.connection().exec_driver_sql("SELECT arm FROM rollout WHERE arm LIKE 'oapl-1/step-%'")
        arms = Counter(row.arm for row in attempts)
    store.close()
    best = max(rewards, key=lambda step: (rewards[step], -step))
    first_worse = next(step for step in sorted(rewards) if step > best)
    assert max(steps) == max(rewards) == first_worse  # patience 1: the first epoch that is no better is the last
    assert len(rewards) < 6 and len(arms) == len(rewards) and set(arms.values()) == {12}  # 3 questions, 4 rollouts
    weights = summary["checkpoints"][-1]["sha256"]
    assert f"oapl-1/step-{best}/{weights[:8]}" in arms
    assert summary["training"]["oapl-1"]["validation_best"] == rewards[best]
    assert summary["training"]["oapl-1"]["validation_unfinished"] >= 0.0
