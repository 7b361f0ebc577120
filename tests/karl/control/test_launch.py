"""Runs that outlive whoever started them: processes of `karl` itself."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from karl.control.form import Draft
from karl.control.launch import Launched, Look, command, last_words, launch, look, resume, start, wait
from karl.control.place import log_file
from karl.control.processes import standing, stop
from karl.settings import Settings
from store import queries
from store.errors import KarlError, UsageError
from store.session import Store
from store.types import RunState
from tests.karl.control.control_kit import REPOSITORY, add_corpus

SMALL = {
    **{"iterations": "1", "generator_runs": "8", "max_tasks": "4", "group_size": "2", "held_out": "2"},
    **{"eval_samples": "1", "eval_temperatures": "none", "sft_control": "false"},
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Settings(home=tmp_path / ".karl")


def seen(settings: Settings, launched: Launched) -> Look:
    return wait(settings, launched, cancelled=lambda: False, seen=lambda _: None)


def test_a_process_that_dies_before_its_run_leaves_its_last_words(settings: Settings):
    launched = launch(settings, Draft({"corpus": "nothing"}))
    found = seen(settings, launched)
    assert (found.run, found.code) == (None, 2)
    assert found.said[-1].startswith("karl: no corpus 'nothing'; there are: none")
    assert launched.log.parent == settings.home / "logs"


def test_a_run_that_is_done_is_not_resumed(settings: Settings):
    store = Store.open(settings.store_url)
    with store.session() as session:
        run = queries.create_run(session, name="notes-1", corpus_id=add_corpus(session), settings={"corpus": "notes"})
        queries.set_run_state(session, run.id or 0, state=RunState.DONE)
    store.close()
    found = seen(settings, resume(settings, "notes-1"))
    assert (found.run, found.code) == (None, 2)
    assert found.said[-1] == "karl: run 'notes-1' is done; `karl show notes-1` shows it"
    assert last_words(log_file(settings, "notes-1")) == found.said


@pytest.mark.slow
def test_the_demo_is_launched_stopped_and_resumed(settings: Settings):
    """It names its run itself, and goes on by the settings that are stored."""
    (Path.cwd() / "karl.toml").write_text("concurrency = 2\n")
    launched = launch(settings, Draft(SMALL | {"max_tasks": "400"}, demo=True))
    assert os.getsid(launched.process.pid) == launched.process.pid != os.getsid(0)
    begun = seen(settings, launched)
    assert begun.run == "demo-train-0-1", begun.said
    assert standing(settings, "demo-train-0-1", RunState.RUNNING) == "running"
    assert not launched.log.exists()  # it has the run's name now
    stop(settings, "demo-train-0-1", at_once=True)
    assert launched.process.wait() == 130
    assert any("run demo-train-0-1: starts" in line for line in last_words(log_file(settings, "demo-train-0-1")))
    again = resume(settings, "demo-train-0-1")
    assert seen(settings, again).run == "demo-train-0-1"
    assert any("run demo-train-0-1: goes on" in line for line in last_words(log_file(settings, "demo-train-0-1")))
    stop(settings, "demo-train-0-1", at_once=True)
    assert again.process.wait() == 130
    assert look(settings, again).run == "demo-train-0-1"  # dead, and still known by its lock


def test_the_command_has_the_home_and_leaves_the_working_folder_out(settings: Settings):
    given = command(settings, ["run", "--corpus", "my notes"])
    assert shlex.join(given[1:]) == f"-P -m karl --home {settings.home} run --corpus 'my notes'"


def test_what_is_not_a_run_is_not_started(settings: Settings):
    with pytest.raises(UsageError, match="iterations: Input should be greater"):
        launch(settings, Draft({"corpus": "notes", "iterations": "0"}))
    assert not settings.home.exists()


def test_a_home_that_cannot_hold_a_log_is_told(settings: Settings):
    settings.home.mkdir()
    (settings.home / "logs").write_text("in the way")
    with pytest.raises(KarlError, match=r"logs: the run cannot be started: File exists"):
        start(settings, ["runs"])


def test_an_earlier_log_of_the_run_is_kept(settings: Settings):
    """Of two starts of the demo the second one goes on with the first one's run, whose log it finds."""
    launched = start(settings, ["--version"])
    launched.process.wait()
    log_file(settings, "demo-1").write_text("before\n")
    lock = settings.home / "locks" / "demo-1.lock"
    lock.parent.mkdir()
    lock.write_text(f"{launched.process.pid}\n")
    found = look(settings, launched)
    assert (found.run, found.code) == ("demo-1", 0)
    assert "version" in found.said[-1]
    assert log_file(settings, "demo-1").with_suffix(".log.old").read_text() == "before\n"


def test_last_words_are_the_last(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {n}\n" for n in range(10_000)))
    assert last_words(log, lines=2) == ("line 9998", "line 9999")
    assert last_words(tmp_path / "none") == ()
