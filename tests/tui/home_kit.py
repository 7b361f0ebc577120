"""Fillers for the rooms home and launch: progress of a stage, and a lock as a run's process leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from karl.run_lock import LOCK_FOLDER, run_lock
from store.models import Checkpoint, EvalResult, now
from store.queries import begin_progress, save_checkpoint, save_eval_result, set_progress, stage_progress
from store.session import Session, Store
from store.types import Algorithm
from tests.tui.kit import figure


def home_of(store: Store) -> Path:
    return Path(str(store.url.database)).parent


def add_progress(session: Session, run_id: int, *, title: str = "iteration 2: solving", done: int = 300) -> None:
    """Begun a minute ago with 100 done: (done - 100) / 60 a second, out of 1,000."""
    begin_progress(session, run_id, title=title, total=1_000, done=100)
    session.flush()
    set_progress(session, run_id, title=title, done=done, first=100, total=1_000, under_way=8, note="", over=False)
    row = stage_progress(session, run_id, title=title)
    assert row is not None
    row.began_at, row.updated_at = now() - timedelta(seconds=60), now()
    session.flush()


def add_checkpoint(session: Session, run_id: int, name: str, *, rate: float) -> None:
    row = Checkpoint(run_id=run_id, name=name, algorithm=Algorithm.OAPL, path=f"at/{name}", policy_version=1)
    saved = save_checkpoint(session, row)
    figures = {"pass@1": figure(rate)}
    save_eval_result(session, EvalResult(run_id=run_id, arm="oapl-9", checkpoint_id=saved.id, figures=figures))


def leave_lock(home: Path, run: str) -> None:
    """As a process that was killed leaves it."""
    lock = home / LOCK_FOLDER / f"{run}.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("99999999\n")


@contextmanager
def owned(home: Path, run: str) -> Iterator[None]:
    """By this very process."""
    with run_lock(home, name=run):
        yield
