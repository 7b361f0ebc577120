"""`karl train --validate`: which questions are held out, and that the training is resumed with the same ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agents.policy import load_profile
from karl.filters import snapshot
from karl.reporting import Progress, SilentProgress
from karl.settings import Settings
from karl.train_dataset import train_dataset
from karl.train_plan import TrainPlan, make_plan
from rl_backend.launch import Launch
from store import queries
from store.errors import KarlError, UsageError
from store.models import Checkpoint
from store.session import Store
from store.types import Algorithm
from tests.karl.kit import call, command, environment, random_policy
from tests.karl.test_epochs import rolled_out
from tests.karl.test_train_command import steps_stored

# Random weights never stop by themselves: one turn of eight tokens is enough to see that.
BRIEF = """extends: solver
overrides:
  tiny:
    plugins:
      - {kind: step_budget, steps: 1}
      - {kind: compression, trigger_tokens: 180, summary_tokens: 112}
    sampling: {max_tokens: 8}
"""
# The rollouts are a script's: pi_ref is the trainer's own. Three steps an epoch, of five groups of two.
FAST = {"threads": 1, "batch_rollouts": 4, "epochs": 3, "max_unfinished": None, "reference": "trainer"}


class Made(NamedTuple):
    """A home with a corpus, a dataset of eight groups of two about it, and the policy that stands for its sampler."""

    settings: Settings
    store: Store
    dataset: str
    run_id: int


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    context = asyncio.run(rolled_out(tmp_path))
    dataset = snapshot(context, 1, policy_version=0)
    base = random_policy(tmp_path / "base")
    (base / "karl.json").write_text(
        '{"name": "random", "prompt_variant": "tiny", "context_tokens": 512}', encoding="utf-8"
    )
    with context.store.session() as session:
        row = Checkpoint(
            run_id=context.run_id, name=context.key("base"), algorithm=Algorithm.BASE, path=str(base), policy_version=0
        )
        queries.save_checkpoint(session, row)
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    (graphs / "solver.yaml").write_text(BRIEF, encoding="utf-8")
    settings = context.settings.model_copy(update={"graph_path": [graphs]})
    yield Made(settings, context.store, dataset.name, context.run_id)
    context.store.close()


def plan_of(
    made: Made, out: str, *, validate: int | None = 3, settings: Settings | None = None, **changes: Any
) -> TrainPlan:
    return make_plan(
        made.store,
        settings or made.settings,
        dataset=made.dataset,
        base=None,
        out=out,
        recipe="tiny",
        overrides={**FAST, **changes},
        launch=Launch.model_validate({}),
        validate=validate,
        validate_samples=2 if validate is not None else None,
    )


class Listener:
    """Remembers what is said; acts when a stage begins whose title has `at` in it."""

    def __init__(self, at: str = "", act: Any = None) -> None:
        self.said: list[str] = []
        self._at, self._act = at, act

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Progress]:
        if self._at and self._at in title:
            self._act()
        yield SilentProgress()


def carried_out(made: Made, plan: TrainPlan, listener: Listener | None = None) -> dict[str, Any] | None:
    return train_dataset(made.store, plan, settings=made.settings, reporter=listener or Listener())


def curve(made: Made, out: str, name: str) -> dict[int, float]:
    with made.store.session() as session:
        return dict(queries.series(session, made.run_id, series=f"train/{out}", name=name))


def asked(made: Made, out: str) -> dict[str, Counter[int]]:
    """arm -> how often each question was tried with its weights."""
    found: dict[str, Counter[int]] = {}
    with made.store.session() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT arm, task_id FROM rollout WHERE arm LIKE ? AND purpose = 'EVALUATE'", (f"train/{out}/step-%",)
        )
        for row in rows:
            found.setdefault(row.arm, Counter())[row.task_id] += 1
    return found


def test_epochs_are_compared_on_questions_that_are_not_trained_on(made: Made) -> None:
    plan, listener = plan_of(made, "x", patience=1), Listener()
    assert plan.validation is not None
    held = set(plan.validation.task_ids)
    assert len(held) == 3
    summary = carried_out(made, plan, listener)
    assert summary is not None
    assert (summary["groups"], summary["rollouts"]) == (5, 10)  # of 8 and 16
    # Random weights answer nothing: no epoch is better than the first, whose weights are kept; patience ends it.
    assert curve(made, "x", "validation_reward") == {3: 0.0, 6: 0.0} and summary["steps"] == 6
    assert curve(made, "x", "validation_unfinished") == {3: 1.0, 6: 1.0}
    assert curve(made, "x", "validation_best") == {0: 0.0}
    tried = asked(made, "x")
    assert list(tried.values()) == [dict.fromkeys(held, 2)] * 2
    assert f"train/x/step-3/{summary['weights_sha256'][:8]}" in tried
    assert summary["validation"]["best_step"] == 3 and len(summary["validation"]["questions"]) == 3
    assert listener.said[0] == f"train/x: 3 of 8 questions of {made.dataset} are not trained on, and compare the epochs"
    with made.store.session() as session:
        row = next(row for row in queries.checkpoints(session) if row.name == "x")
    assert row.settings["validation"] == {"questions": summary["validation"]["questions"], "samples": 2}


def test_a_policy_that_no_longer_answers_is_stopped(made: Made) -> None:
    plan = plan_of(made, "x", max_unfinished=0.5)
    with pytest.raises(KarlError, match=r"step 3: 100% of the rollouts of the evaluation no longer finish"):
        carried_out(made, plan)
    assert not plan.out.exists() and len(curve(made, "x", "drift_mean")) == 1  # known of one that failed too


def test_the_draw_is_the_seeds_and_never_more_than_half(made: Made) -> None:
    drawn = [
        plan_of(made, "x", validate=count, seed=seed).validation for count, seed in ((3, 0), (3, 0), (3, 1), (99, 0))
    ]
    first, again, other, all_ = [each.task_ids for each in drawn if each is not None]
    assert first == again and first != other and len(all_) == 4
    assert set(plan_of(made, "x").job(made.settings).left_out) == set(first)
    assert plan_of(made, "x", validate=None, max_unfinished=None).job(made.settings).left_out == ()


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_a_training_that_ended_within_an_evaluation_goes_on_exactly(made: Made, how: str) -> None:
    whole = carried_out(made, plan_of(made, "whole"))

    def act() -> None:
        if how == "killed":
            raise RuntimeError("killed")
        os.kill(os.getpid(), signal.SIGINT)

    listener = Listener("validating step 6", act)
    if how == "killed":
        with pytest.raises(RuntimeError, match="killed"):
            carried_out(made, plan_of(made, "x"), listener)
    else:
        assert carried_out(made, plan_of(made, "x"), listener) is None
    assert list(curve(made, "x", "validation_reward")) == [3]
    listener = Listener()
    rest = carried_out(made, plan_of(made, "x"), listener)
    assert whole is not None and rest is not None and rest["weights_sha256"] == whole["weights_sha256"]
    assert "train/x: going on behind step 6 of 9" in listener.said
    assert curve(made, "x", "loss") == curve(made, "whole", "loss")
    assert rest["validation"] == whole["validation"]
    assert list(asked(made, "x").values()) == list(asked(made, "whole").values())


def test_what_takes_evaluations_is_refused_without_them(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--set patience: nothing is evaluated between epochs; add --validate N"):
        plan_of(made, "x", validate=None, patience=2)
    with pytest.raises(UsageError, match=r"--set patience and --set max_unfinished: nothing is evaluated"):
        plan_of(made, "x", validate=None, patience=2, max_unfinished=0.3)
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'patience = 2\nbatch_rollouts = 4\nmax_steps = 1\nthreads = 1\nreference = "trainer"\n', encoding="utf-8"
    )
    listener, given = Listener(), {"dataset": made.dataset, "base": None, "out": "x", "recipe": str(recipe)}
    plan = make_plan(made.store, made.settings, **given, overrides={}, launch=Launch.model_validate({}))
    assert carried_out(made, plan, listener) is not None
    assert listener.said[0].startswith(f"recipe {recipe} has patience = 2: without --validate nothing is evaluated")


def test_what_is_missing_is_told_before_the_training_starts(made: Made) -> None:
    chat = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    by_chat = Settings.model_validate({**made.settings.model_dump(), "engine": "chat", "chat": chat})
    with pytest.raises(UsageError, match=r"engine 'chat' asks an endpoint, not the weights .* set engine = local"):
        plan_of(made, "x", settings=by_chat)
    with made.store.session() as session:
        session.connection().exec_driver_sql("DELETE FROM chunk")
    with pytest.raises(
        UsageError, match=r"corpus 'notes'.* has no texts in this store; .*karl ingest .*notes --name notes"
    ):
        carried_out(made, plan_of(made, "x"))
    assert not (made.settings.home / "trained").exists() and curve(made, "x", "loss") == {}


def test_an_index_that_is_missing_is_built(made: Made) -> None:
    import shutil

    shutil.rmtree(made.settings.home / "indexes")
    summary = carried_out(made, plan_of(made, "x", max_steps=1))
    assert summary is not None and list(curve(made, "x", "validation_reward")) == [1]


def test_a_dataset_with_one_question_cannot_be_validated_on(made: Made) -> None:
    with made.store.session() as session:
        session.connection().exec_driver_sql("UPDATE datasetrollout SET reward = 1.0 WHERE group_id > 5")
    with pytest.raises(UsageError, match=r"--validate: 1 of the 8 questions of dataset .* two are needed"):
        plan_of(made, "x")


def test_the_command_prints_what_was_held_out(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    given = [part for key, value in FAST.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    ended = call(
        capsys,
        "--home",
        made.settings.home,
        "train",
        made.dataset,
        "--out",
        "x",
        "--validate",
        2,
        *given,
        "--set",
        "epochs=1",
    )
    assert ended.code == 0, ended.err
    assert "reward on 2 questions that were held out: 0.000 at step 3; the weights of step 3 were kept" in ended.out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_users_own_torchrun_trains_validates_and_records_once(made: Made) -> None:
    """What `karl train` launches tells its hooks as tests/rl_backend has it."""
    given = [part for key, value in FAST.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    arguments = ["--home", made.settings.home, "train", made.dataset, "--out", "x", "--validate", 3, *given, "--json"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    ended = subprocess.run(
        [*torchrun, *command(*arguments)], env=environment(), capture_output=True, text=True, timeout=400, check=False
    )
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert list(summary["validation"]["rewards"]) == ["3", "6", "9"] and summary["groups"] == 5
    assert [sum(tried.values()) for tried in asked(made, "x").values()] == [12] * 3
    assert steps_stored(made.settings.home, "train/x", run_name="notes-1") == list(range(1, summary["steps"] + 1))
    assert load_profile(made.settings.home / "trained" / "x").policy_version == 1
