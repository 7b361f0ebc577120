"""A run that is stopped, killed and starved goes on each time, and ends as if nothing had happened. Real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from store.session import Store
from tests.karl.kit import POLICY, REPOSITORY, SMALL, Ended, command, environment, pairs, small_company

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE = 240.0  # seconds for a process to get where a test wants it, on a busy machine
POLL = 0.02
SAVED_EVERY = 20


@dataclass
class Process:
    """`karl run` as its own process, its home, and what its store says meanwhile."""

    folder: Path
    process: subprocess.Popen[str]

    def wait_for(self, reached: Callable[[Path], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not reached(self.folder / ".karl"):
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < until, "the run never got there"
            time.sleep(POLL)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)


def rows(home: Path, query: str) -> list[tuple]:
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as session:
            return [tuple(row) for row in session.connection().execute(text(query))]
    finally:
        store.close()


def state(home: Path) -> str:
    return rows(home, "SELECT lower(state) FROM run")[0][0]


def rollouts(home: Path) -> dict[str, tuple]:
    """key -> what would change if the rollout were made again."""
    return {key: tuple(rest) for key, *rest in rows(home, "SELECT key, id, created_at, seconds FROM rollout")}


def by_purpose(home: Path) -> dict[str, int]:
    return dict(rows(home, "SELECT lower(purpose), count(*) FROM rollout GROUP BY purpose"))


def in_stage(stage: str) -> Callable[[Path], bool]:
    return lambda home: rows(home, "SELECT lower(stage) FROM iteration") == [(stage,)]


def training_steps(home: Path) -> int:
    return rows(home, "SELECT count(DISTINCT step) FROM metric WHERE series = 'oapl-1' AND step > 0")[0][0]


def new_steps(home: Path, *, behind: int, after: str) -> int:
    """Steps of the training behind this one, with figures made after this moment."""
    query = f"SELECT count(DISTINCT step) FROM metric WHERE series = 'oapl-1' AND step > {behind}"
    return rows(home, f"{query} AND created_at > '{after}'")[0][0]


def metrics(home: Path, *, upto: int) -> dict[tuple[int, str], tuple]:
    """(step, name) -> what would change if the step were made again. Raises: AssertionError for a doubled figure."""
    query = "SELECT step, name, id, value, created_at FROM metric WHERE series = 'oapl-1' AND step > 0 AND step <= "
    found = rows(home, query + str(upto))
    by_place = {(step, name): tuple(rest) for step, name, *rest in found}
    assert len(by_place) == len(found)
    return by_place


def saved_step(home: Path) -> int:
    """Of the newest state that the training can go on from."""
    return max(
        int(folder.name.removeprefix("step-")) for folder in home.glob("checkpoints/*/oapl-1.training/*/step-*[0-9]")
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small steps, and a state every 20: there is a middle of the training to be interrupted in."""
    shipped = (REPOSITORY / "rl_backend" / "recipes" / "tiny.toml").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("recipe") / "steps.toml"
    kept = [line for line in shipped.splitlines() if not line.startswith(("batch_rollouts", "checkpoint_steps"))]
    path.write_text("\n".join([*kept, "batch_rollouts = 2", f"checkpoint_steps = {SAVED_EVERY}\n"]), encoding="utf-8")
    return path


def arguments(folder: Path, recipe: Path) -> list[str]:
    small = pairs({**SMALL, "recipe": recipe})
    return [
        "run", "--corpus", "notes", "--base", str(POLICY), "--questions", str(folder / "questions.jsonl"), *small
    ]  # fmt: skip


def prepare(folder: Path) -> None:
    notes, _ = small_company(folder)
    (folder / "karl.toml").write_text("concurrency = 4\n")  # slow enough to be caught in the middle
    done = start(folder, ["ingest", str(notes), "--name", "notes", "--embedder", "none"]).end()
    assert done.code == 0, done.err


def start(folder: Path, what: list[str], *, largest_file: int | None = None) -> Process:
    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return Process(
        folder,
        subprocess.Popen(
            command(*what),
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,
        ),
    )


@pytest.fixture
def project(tmp_path: Path, recipe: Path) -> Iterator[Callable[..., Process]]:
    """Starts the same `karl run` again and again; ends what a failing test leaves behind."""
    prepare(tmp_path)
    started: list[Process] = []

    def run(**options: int) -> Process:
        started.append(start(tmp_path, arguments(tmp_path, recipe), **options))
        return started[-1]

    yield run
    for left in started:
        if left.process.poll() is None:
            left.process.kill()
            left.process.communicate()


# What a run of these settings makes when nothing disturbs it.
UNDISTURBED = {
    "synthesize": SMALL["generator_runs"],
    "train": SMALL["max_tasks"] * SMALL["group_size"],
    "evaluate": 2 * SMALL["held_out"] * SMALL["eval_samples"],
}


def assert_stopped(ended: Ended, home: Path) -> None:
    assert ended.code == 130, ended.err
    assert "stopping: what is under way is finished and stored" in ended.err
    assert ended.err.strip().endswith("the same command goes on from here")
    assert "Traceback" not in ended.err
    assert state(home) == "stopped"


def test_interrupted_in_every_way_it_goes_on(project: Callable[..., Process], tmp_path: Path):
    home = tmp_path / ".karl"

    solving = project()
    solving.wait_for(in_stage("solve"))
    time.sleep(0.3)
    solving.send(signal.SIGINT)
    assert_stopped(solving.end(), home)
    first = rollouts(home)
    assert 0 < by_purpose(home)["train"] < UNDISTURBED["train"]

    starved = project(largest_file=os.path.getsize(POLICY / "model.safetensors") - 4096).end()
    assert starved.code == 1
    assert "the checkpoint could not be written" in starved.err
    assert "Free some space" in starved.err
    assert "Traceback" not in starved.err
    assert state(home) == "failed"
    assert not list(home.rglob("*.partial"))
    second = rollouts(home)
    assert first.items() <= second.items()

    assert 10 < training_steps(home) <= SAVED_EVERY  # no state could be saved either
    crashed = project()
    crashed.wait_for(lambda home: training_steps(home) > SAVED_EVERY)
    crashed.send(signal.SIGKILL)
    assert crashed.end().code == -signal.SIGKILL
    assert state(home) == "running"
    saved = saved_step(home)
    assert saved >= SAVED_EVERY
    kept = metrics(home, upto=saved)
    assert {step for step, _ in kept} >= set(range(1, saved + 1))

    training = project()
    moment = rows(home, "SELECT max(created_at) FROM metric")[0][0]
    training.wait_for(lambda home: new_steps(home, behind=saved, after=moment) > 0)
    training.send(signal.SIGINT)
    stopped = training.end()
    assert_stopped(stopped, home)
    assert f"oapl-1: going on behind step {saved} of " in stopped.err
    assert metrics(home, upto=saved) == kept  # earlier steps were not made again
    assert saved_step(home) > saved
    assert rows(home, "SELECT name FROM checkpoint WHERE name LIKE '%oapl%'") == []

    impatient = project()
    impatient.wait_for(lambda home: state(home) == "running")
    time.sleep(3.0)  # loading the trainer: a thread that asks nobody whether to stop
    impatient.send(signal.SIGINT)
    time.sleep(0.3)
    impatient.send(signal.SIGINT)
    began = time.monotonic()
    assert impatient.end().code == 130
    assert time.monotonic() - began < 5.0

    finished = project().end()
    assert finished.code == 0, finished.err
    assert state(home) == "done"
    last = rollouts(home)
    assert second.items() <= last.items()  # nothing was made twice
    assert by_purpose(home) == UNDISTURBED
    whole = metrics(home, upto=10**6)
    assert {step for step, _ in whole} == set(range(1, max(step for step, _ in whole) + 1))
    assert "OAPL" in finished.out
