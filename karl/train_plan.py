"""What `karl train` is asked to do, checked as a whole before anything is loaded: dataset, base, recipe, place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.policy import load_profile
from karl.epochs import LIMITS
from karl.run_config import RunConfig
from karl.runs import RUN_NAME
from karl.settings import Settings
from karl.train_validation import Validation, check_validation, draw_validation
from rl_backend.config import TrainConfig, load_recipe
from rl_backend.launch import Launch, TrainJob
from store import queries
from store.errors import UsageError
from store.models import Checkpoint, Dataset
from store.session import Session, Store
from store.types import Algorithm

FOLDER = "trained"  # under the home: a run's folder under `checkpoints` has the run's name
SAMPLERS = frozenset({Algorithm.BASE, Algorithm.OAPL})  # that make a run's datasets


@dataclass(frozen=True)
class TrainPlan:
    """One training on `dataset`. `parent`: the row of the base, where the base is a checkpoint of the store.

    validation: what of the dataset is not trained on; None for a training without evaluations between epochs.
    """

    name: str
    dataset: Dataset
    base: Path
    parent: Checkpoint | None
    out: Path
    recipe: str
    config: TrainConfig
    launch: Launch
    policy_version: int
    validation: Validation | None = None

    @property
    def series(self) -> str:
        """Of the metrics; the run's own trainings have names without a slash."""
        return f"train/{self.name}"

    def job(self, settings: Settings) -> TrainJob:
        assert self.dataset.id is not None
        return TrainJob(
            store_url=settings.store_url,
            dataset_id=self.dataset.id,
            left_out=self.validation.task_ids if self.validation is not None else (),
            base=self.base,
            out=self.out,
            config=self.config,
        )


def make_plan(
    store: Store,
    settings: Settings,
    *,
    dataset: str,
    base: str | None,
    out: str,
    recipe: str,
    overrides: dict[str, Any],
    launch: Launch,
    validate: int | None = None,
    validate_samples: int | None = None,
) -> TrainPlan:
    """`validate`: questions to hold out of the dataset, with `validate_samples` rollouts each after every epoch.

    Raises: UsageError that names what is unknown, and the closest that is there; KarlError for a judge that is down.
    """
    from rl_backend.checkpoint import check_model_folder

    config = load_recipe(recipe, **overrides)
    with store.session() as session:
        found = queries.dataset_by_name(session, dataset)
        folder, parent = _base(session, base, dataset=found)
        name, place = _place(out, home=settings.home)
        _check_free(session, name, place)
        if validate is None:
            _check_unvalidated(overrides, samples=validate_samples)
            validation = None
        else:
            check_validation(settings)
            samples = validate_samples or RunConfig.model_fields["validation_samples"].default
            validation = draw_validation(session, found, questions=validate, samples=samples, seed=config.seed)
    check_model_folder(folder)
    version = load_profile(folder).policy_version if parent is None else parent.policy_version
    return TrainPlan(name, found, folder, parent, place, recipe, config, launch, version + 1, validation)


def _check_unvalidated(overrides: dict[str, Any], *, samples: int | None) -> None:
    """Raises: UsageError for what was asked for and would do nothing without an evaluation between epochs."""
    idle = [f"--set {key}" for key in LIMITS if overrides.get(key) is not None]
    if idle or samples is not None:
        raise UsageError(
            f"{' and '.join(idle) or '--validate-samples'}: nothing is evaluated between epochs; add --validate N, "
            "which holds N questions of the dataset out for that"
        )


def _base(session: Session, given: str | None, *, dataset: Dataset) -> tuple[Path, Checkpoint | None]:
    """A checkpoint by name, a folder, or without either the policy that sampled the dataset."""
    rows = queries.checkpoints(session)
    if given is None:
        return _sampler(rows, dataset)
    named = next((row for row in rows if row.name == given), None)
    if named is not None:
        return Path(named.path), named
    folder = Path(given).expanduser()
    if folder.is_dir():
        return folder, next((row for row in reversed(rows) if _same(Path(row.path), folder)), None)
    close = queries.alternatives(given, [row.name for row in rows])
    raise UsageError(f"--base {given!r}: no folder, and no checkpoint of that name; {close}")


def _sampler(rows: list[Checkpoint], dataset: Dataset) -> tuple[Path, Checkpoint]:
    for row in rows:
        sampled = row.run_id == dataset.run_id and row.policy_version == dataset.policy_version
        if sampled and row.algorithm in SAMPLERS and Path(row.path).is_dir():
            return Path(row.path), row
    raise UsageError(
        f"the policy that sampled dataset {dataset.name!r} (version {dataset.policy_version}) is not in the store; "
        "give --base, a checkpoint's name or folder"
    )


def _place(out: str, *, home: Path) -> tuple[str, Path]:
    """(name, folder): a name stands for a folder under the home, a path for itself, named as its last part."""
    is_path = os.sep in out or out.startswith((".", "~"))
    folder = Path(out).expanduser().absolute() if is_path else home / FOLDER / out
    if RUN_NAME.fullmatch(folder.name) is None:
        raise UsageError(
            f"--out {out!r}: a checkpoint's name has letters (a to z), digits, dots, dashes and underscores, begins "
            "with no dot, and is at most 100 characters long; for a folder give a path with a slash"
        )
    return folder.name, folder


def _check_free(session: Session, name: str, folder: Path) -> None:
    """Raises: UsageError where something would be replaced. A checkpoint that only lacks its row is to get it."""
    held = next((row for row in queries.checkpoints(session) if row.name == name), None)
    if held is not None and not _same(Path(held.path), folder):
        raise UsageError(f"--out: checkpoint {name!r} is at {held.path}; give another name")
    if folder.exists() and (held is not None or not _awaits_record(folder)):
        what = "is trained already" if held is not None else "exists, and is no checkpoint of the store"
        raise UsageError(f"--out: {folder} {what}; give another name, or remove it to train it again")


def _awaits_record(folder: Path) -> bool:
    from rl_backend.training_state import awaits_record  # with torch: only where there is a folder to ask about

    return awaits_record(folder)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
