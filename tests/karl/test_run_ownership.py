"""Whose run it is: names that stay inside the home, and one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from karl.reporting import SilentReporter
from karl.run_lock import run_lock
from karl.runs import Opened, check_name, execute, open_run
from store import queries
from store.errors import KarlError, UsageError
from store.types import RunState
from tests.karl.kit import environment
from tests.karl.loop_kit import make_context

HOLD = """
import sys, time
from pathlib import Path
from karl.run_lock import run_lock
with run_lock(Path(sys.argv[1]), name="notes-1"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".hidden", "", "naïve", "two words", "a\nb", "x" * 101])
def test_names_that_could_leave_the_home_are_refused(name: str):
    with pytest.raises(UsageError, match="a run's name has letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["notes-1", "A.b_c-2", "_", "v1.2", "x" * 100])
def test_ordinary_names(name: str):
    check_name(name)


def test_a_refused_name_writes_nothing(tmp_path: Path):
    context = make_context(tmp_path)
    with pytest.raises(UsageError, match=r"--name '\.\./\.\./x'"):
        open_run(context.store, context.config, name="../../x")
    with context.store.session() as session:
        assert [run.name for run in queries.runs(session)] == ["notes-1"]


def test_names_from_corpora_are_made_safe(tmp_path: Path):
    context = make_context(tmp_path)
    with context.store.session() as session:
        row = queries.corpus_by_name(session, "notes")
        row.name = "../my notes/2024"
        session.add(row)
    config = context.config.model_copy(update={"corpus": "../my notes/2024", "seed": 9})
    name = open_run(context.store, config, name=None).run.name
    assert name == "-.-my-notes-2024-1"
    check_name(name)


def test_a_second_lock_names_the_owner_and_a_kill_releases_it(tmp_path: Path):
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        said = f"run 'notes-1' is under way in process {owner.pid};"
        with pytest.raises(UsageError, match=said), run_lock(tmp_path, name="notes-1"):
            pytest.fail("two owners")
        with run_lock(tmp_path, name="notes-2"):
            pass
    finally:
        owner.kill()
        owner.communicate()
    with run_lock(tmp_path, name="notes-1"):
        pass


def test_a_home_that_cannot_hold_a_lock_is_told(tmp_path: Path):
    (tmp_path / "locks").write_text("in the way")
    with (
        pytest.raises(KarlError, match=r"notes-1\.lock: the run's lock file cannot be made"),
        run_lock(tmp_path, name="notes-1"),
    ):
        pytest.fail("locked")


def test_a_run_owned_by_another_process_is_left_as_it_is(tmp_path: Path):
    """The second start must not mark the first one's run as failed, nor work on it."""
    context = make_context(tmp_path)
    opened = open_run(context.store, context.config, name=None)
    assert opened == Opened(opened.run, resumed=True)
    with run_lock(context.settings.home, name="notes-1"), pytest.raises(UsageError, match="under way in process"):
        execute(
            context.store,
            opened,
            config=context.config,
            settings=context.settings,
            judge=context.judge,
            reporter=SilentReporter(),
        )
    with context.store.session() as session:
        run = queries.run_by_name(session, "notes-1")
    assert (run.state, run.error) == (RunState.RUNNING, None)
