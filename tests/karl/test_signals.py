"""A run that hangs when it is told for the second time to end is left, but not without a word in the store."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from karl.signals import EXIT_CODE
from store.models import Corpus
from store.queries import create_run, run_by_name
from store.session import Store
from store.types import RunState
from tests.karl.control.control_kit import environment

# Owns the run as `karl run` does; its only task keeps the loop busy, as loading a big model does.
HANGS = """
import asyncio, sys, time
from functools import partial
from pathlib import Path
import karl.signals
from karl.runs import note_stopped, own
from karl.signals import stop_on_signals
from store.queries import run_by_name
from store.session import Store

karl.signals.GRACE_SECONDS = 0.1
home = Path(sys.argv[1])
store = Store.open(f"sqlite:///{home / 'karl.db'}")
with store.session() as session:
    run = run_by_name(session, "notes-1")

async def main():
    with stop_on_signals(asyncio.Event(), say=print, leaving=partial(note_stopped, store, run)):
        print("hangs", flush=True)
        while True:
            time.sleep(60)

own(store, run, main, home=home)
"""


def test_a_run_that_hangs_at_the_second_signal_is_noted_as_stopped(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path / 'karl.db'}")
    with store.session() as session:
        corpus = Corpus(name="notes", source="notes")
        session.add(corpus)
        session.flush()
        create_run(session, name="notes-1", corpus_id=corpus.id or 0, settings={"iterations": 1})
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == EXIT_CODE
    with store.session() as session:
        assert run_by_name(session, "notes-1").state is RunState.STOPPED
    store.close()
