"""A training that can be killed: its weights, optimiser and figures every few steps, beside the checkpoint to be.

`<out>.training/0123456789ab/step-000050/` is a Hugging Face folder that serves as it is, with verl's own state under
`.trainer`. The part in the middle stands for the training's identity: one with other settings never meets it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field

from rl_backend.checkpoint import atomic_file, weights_sha256
from rl_backend.drift import Drift
from rl_backend.ranks import barrier, from_first, rank, shared_folder
from store.errors import UsageError

logger = logging.getLogger(__name__)

TRAINER = ".trainer"  # verl's shards of weights, optimiser, schedule and random state
FILE = "training.json"
FINISHED = "finished.json"  # the checkpoint is written, and its caller has not recorded it yet


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


class Finished(NamedTuple):
    """What a training wrote at `out`."""

    weights_sha256: str
    progress: Progress


class _Note(BaseModel, extra="forbid"):
    """`training.json` and `finished.json`; the second names the weights."""

    identity: dict[str, str]
    progress: Progress
    weights_sha256: str = ""


def awaits_record(out: Path) -> bool:
    """May the folder `out` be a checkpoint that was written, and never recorded? `StateFolder.finished` knows."""
    return out.is_dir() and any(_states_of(out).glob(f"*/{FINISHED}"))


class StateFolder:
    """The states of one training, at `root`. `identity` names what must be the same for a state to be of any use."""

    def __init__(self, out: Path, *, identity: Mapping[str, str], keep: int) -> None:
        self._out, self._identity, self._keep = out, dict(identity), keep
        key = hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()
        self.root = _states_of(out) / key[:12]

    def latest(self) -> Saved | None:
        """The newest state of this very training, the same on every rank; None to begin. States of another are left."""
        return from_first(self._latest() if rank() == 0 else None)

    def finished(self) -> Finished | None:
        """What this very training wrote at `out` without `clear`, the same on every rank.

        Raises: UsageError where another training did, whose checkpoint would be replaced.
        """
        return from_first(self._finished() if rank() == 0 else None)

    def save(self, progress: Progress, *, write: Callable[[Path], None]) -> Path:
        """Every rank writes its part into one folder, which appears whole; then older ones go."""
        folder = self.folder(progress.steps)
        with shared_folder(folder) as aside:
            write(aside)
            if rank() == 0:
                (aside / FILE).write_text(self._text(progress), encoding="utf-8")
        self._prune(progress)
        return folder

    def note(self, progress: Progress) -> None:
        """The state of this step is saved already; what is known of it has changed."""
        if rank() == 0:
            with atomic_file(self.folder(progress.steps) / FILE) as stream:
                stream.write(self._text(progress).encode())
        self._prune(progress)

    def finish(self, progress: Progress, *, aside: Path) -> Finished:
        """Before the whole folder `aside` becomes `out`: until `clear` its weights show that the training is done."""
        weights = from_first(weights_sha256(aside) if rank() == 0 else "")
        if rank() == 0:
            with atomic_file(self.root / FINISHED) as stream:
                stream.write(self._text(progress, weights=weights).encode())
        return Finished(weights, progress)

    def folder(self, step: int) -> Path:
        return self.root / f"step-{step:06d}"

    def copy_weights(self, step: int, into: Path) -> None:
        """The Hugging Face folder of that step into an existing one, without what only a training needs."""
        shutil.copytree(self.folder(step), into, ignore=shutil.ignore_patterns(TRAINER, FILE), dirs_exist_ok=True)

    def clear(self) -> None:
        """The training is done and recorded: nothing is needed any more of it, or of others under the same name."""
        if rank() == 0:
            shutil.rmtree(_states_of(self._out), ignore_errors=True)
        barrier()

    def _text(self, progress: Progress, *, weights: str = "") -> str:
        note = _Note(identity=self._identity, progress=progress, weights_sha256=weights)
        return json.dumps(note.model_dump())  # pydantic's own would write a figure that is infinite as null

    def _latest(self) -> Saved | None:
        for folder in reversed(_steps(self.root)):
            if (held := _read(folder / FILE)) is not None:
                return Saved(folder, held.progress)
        for root in sorted(_states_of(self._out).glob("*")):
            self._tell_of(root)
        return None

    def _tell_of(self, other: Path) -> None:
        folder = next(reversed(_steps(other)), None)
        held = _read(folder / FILE) if folder is not None and other != self.root else None
        if held is not None:
            changed = [name for name, value in self._identity.items() if held.identity.get(name) != value]
            logger.warning("%s: made with another %s; the training starts over", folder, " and ".join(changed))

    def _finished(self) -> Finished | None:
        if not awaits_record(self._out):
            return None
        weights = weights_sha256(self._out)
        for file in sorted(_states_of(self._out).glob(f"*/{FINISHED}")):
            held = _read(file)
            if held is None or held.weights_sha256 != weights:
                continue  # of a training that was ended before its checkpoint was in place
            if file.parent != self.root:
                raise UsageError(
                    f"{self._out}: a training with other settings, data or base wrote this, and it is not recorded "
                    "yet; give that training's command again to record it, or remove the folder"
                )
            return Finished(weights, held.progress)
        return None

    def _prune(self, progress: Progress) -> None:
        """Later ones go too: they could not be read, or the training would have gone on from there."""
        if rank() == 0:
            newest = self.folder(progress.steps)
            best = self.folder(progress.best_step) if progress.best_step is not None else None
            folders = [folder for folder in _steps(self.root) if folder != best]
            before = [folder for folder in folders if folder <= newest]
            for folder in set(folders) - set(before[-self._keep :]):
                shutil.rmtree(folder, ignore_errors=True)
        barrier()


def _states_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.training")


def _steps(root: Path) -> list[Path]:
    return sorted(root.glob("step-*"))


def _read(file: Path) -> _Note | None:
    try:
        return _Note.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        logger.warning("%s: not a training state (%s); passed over", file.parent, exc)
        return None
