"""Start a command of karl that outlives whoever started it, and look how it is getting on.

Such a process has no terminal: it is a session of its own, and what it says goes to a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import karl
from karl.control.form import Draft, arguments, environment, parse
from karl.control.place import LOGS, Settings, log_file
from karl.control.processes import run_of
from store.errors import KarlError, UsageError

POLL = 0.2  # seconds between two looks
LAST_WORDS = 30  # lines
LAST_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class Launched:
    """A process on its way to its run. log: what it has said so far; since: when it was started, seconds."""

    process: subprocess.Popen[bytes]
    log: Path
    since: float


class Look(NamedTuple):
    """run: the one that it owns, None: none yet; code: how it ended, None: it has not; said: its last lines."""

    run: str | None
    code: int | None
    said: tuple[str, ...]


def start(
    settings: Settings, words: Sequence[str], *, run: str = "", variables: Mapping[str, str] | None = None
) -> Launched:
    """Start `karl WORDS` here, with this home and in this environment with `variables` in it.

    run: its name, where it is known already.
    Raises: KarlError where no log can be written, or no process started.
    """
    log = log_file(settings, run) if run else settings.home / LOGS / f"starting-{time.time_ns()}.log"
    since = time.time()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as said:
            process = _spawn(command(settings, words), said, environment={**os.environ, **(variables or {})})
            return Launched(process, log, since)
    except OSError as exc:
        raise KarlError(f"{exc.filename or sys.executable}: the run cannot be started: {exc.strerror}") from exc


def launch(settings: Settings, draft: Draft) -> Launched:
    """Start the run that is filled in. Raises: UsageError for a draft that is no run yet; KarlError as `start`."""
    parsed = parse(draft)
    if parsed.config is None:
        raise UsageError("; ".join(f"{name}: {said}" if name else said for name, said in parsed.problems.items()))
    # The demo's run has its own name, which it says when it begins.
    name = "" if draft.demo else draft.name
    return start(settings, arguments(draft, parsed.config), run=name, variables=environment(draft))


def resume(settings: Settings, run: str) -> Launched:
    """Go on with a run that has stopped, failed or lost its process. Raises: as `start`."""
    return start(settings, ["run", "--resume", run], run=run)


def command(settings: Settings, words: Sequence[str]) -> list[str]:
    # As the script `karl` does, leave the working folder out of the import path: it is the user's. A checkout that
    # nothing has installed is found there alone.
    here = Path(karl.__file__).resolve().parents[1] == Path.cwd()
    flags = [] if here else ["-P"]
    return [sys.executable, *flags, "-m", "karl", "--home", str(settings.home), *words]


def look(settings: Settings, launched: Launched) -> Look:
    """Once the run is known, its log has the run's name."""
    code = launched.process.poll()  # before the lock is read: a run that ended in between is found by its lock
    run = run_of(settings, launched.process.pid, since=launched.since)
    log = _named(launched.log, log_file(settings, run)) if run else launched.log
    return Look(run, code, last_words(log))


def wait(
    settings: Settings, launched: Launched, *, cancelled: Callable[[], bool], seen: Callable[[Look], None]
) -> Look:
    """Until it owns its run, has ended, or nobody wants to know; `seen` hears of it meanwhile. For a thread."""
    while True:
        found = look(settings, launched)
        if found.run is not None or found.code is not None or cancelled():
            return found
        seen(found)
        time.sleep(POLL)


def last_words(log: Path, *, lines: int = LAST_WORDS) -> tuple[str, ...]:
    """The last lines of a log that are not empty; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(deque((line.rstrip() for line in text.splitlines() if line.strip()), maxlen=lines))


def _spawn(words: list[str], said: IO[Any], *, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def _named(log: Path, wanted: Path) -> Path:
    """The process goes on writing into the file, whatever it is called. What an earlier start said is kept."""
    if log == wanted or not log.exists():
        return wanted
    try:
        if wanted.exists():
            wanted.replace(wanted.with_suffix(".log.old"))
        log.replace(wanted)
    except OSError as exc:
        raise KarlError(f"{log}: cannot be renamed to {wanted.name}: {exc.strerror}") from exc
    return wanted
