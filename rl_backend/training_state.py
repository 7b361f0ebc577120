"""A training that can be killed: its weights, optimiser and figures every few steps, beside the checkpoint to be.

`<out>.training/step-000050/` is a Hugging Face folder that serves as it is, with verl's own state under `.trainer`.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError

from rl_backend.drift import Drift
from rl_backend.ranks import barrier, from_first, rank, shared_folder

logger = logging.getLogger(__name__)

TRAINER = ".trainer"  # verl's shards of weights, optimiser, schedule and random state
FILE = "training.json"


class Progress(BaseModel, extra="forbid"):
    """How far a training is. `closing`: figures of the last steps; `winners`, `losers`: see `health.Watch`.

    `seconds`: of the steps alone.
    """

    steps: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    winners: float = 0.0
    losers: float = 0.0
    closing: list[dict[str, float]] = Field(default_factory=list)
    drift: Drift | None = None
    best_score: float | None = None
    best_step: int | None = None
    stale_epochs: int = 0
    evaluated_step: int = 0


class Saved(NamedTuple):
    folder: Path
    progress: Progress


class StateFolder:
    """The states of one training. `identity` names what must be the same for a state to be of any use."""

    def __init__(self, out: Path, *, identity: Mapping[str, str], keep: int) -> None:
        self.root = out.with_name(f"{out.name}.training")
        self._identity, self._keep = dict(identity), keep

    def latest(self) -> Saved | None:
        """The newest state of this very training, the same on every rank; None to begin. States of another are left."""
        return from_first(self._latest() if rank() == 0 else None)

    def save(self, progress: Progress, *, write: Callable[[Path], None]) -> Path:
        """Every rank writes its part into one folder, which appears whole; then older ones go."""
        folder = self.folder(progress.steps)
        with shared_folder(folder) as aside:
            write(aside)
            if rank() == 0:
                (aside / FILE).write_text(self._text(progress), encoding="utf-8")
        self._prune(best_step=progress.best_step)
        return folder

    def note(self, progress: Progress) -> None:
        """The state of this step is saved already; what is known of it has changed."""
        if rank() == 0:
            file = self.folder(progress.steps) / FILE
            aside = file.with_suffix(".partial")
            aside.write_text(self._text(progress), encoding="utf-8")
            aside.rename(file)
        self._prune(best_step=progress.best_step)

    def folder(self, step: int) -> Path:
        return self.root / f"step-{step:06d}"

    def copy_weights(self, step: int, into: Path) -> None:
        """The Hugging Face folder of that step into an existing one, without what only a training needs."""
        shutil.copytree(self.folder(step), into, ignore=shutil.ignore_patterns(TRAINER, FILE), dirs_exist_ok=True)

    def clear(self) -> None:
        """The training is done: nothing of it is needed any more."""
        if rank() == 0:
            shutil.rmtree(self.root, ignore_errors=True)
        barrier()

    def _text(self, progress: Progress) -> str:
        return json.dumps({"identity": self._identity, "progress": progress.model_dump()})

    def _latest(self) -> Saved | None:
        for folder in reversed(self._folders()):
            try:
                held = json.loads((folder / FILE).read_text(encoding="utf-8"))
                progress = Progress.model_validate(held["progress"])
            except (OSError, ValueError, KeyError, ValidationError) as exc:
                logger.warning("%s: not a training state (%s); passed over", folder, exc)
                continue
            changed = [name for name, value in self._identity.items() if held["identity"].get(name) != value]
            if not changed:
                return Saved(folder, progress)
            logger.warning("%s: made with another %s; the training starts over", folder, " and ".join(changed))
        return None

    def _folders(self) -> list[Path]:
        return sorted(self.root.glob("step-*")) if self.root.is_dir() else []

    def _prune(self, *, best_step: int | None) -> None:
        if rank() == 0:
            best = self.folder(best_step) if best_step is not None else None
            for folder in [folder for folder in self._folders() if folder != best][: -self._keep]:
                shutil.rmtree(folder, ignore_errors=True)
        barrier()
