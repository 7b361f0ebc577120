"""Start or resume a run: find the row, open corpora, judge and policies' settings, hand everything to the loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.errors import RolloutError
from agents.judges import Judge
from karl.collect import Stopped
from karl.context import Context, id_of
from karl.loop import run_loop
from karl.progress_record import RecordingReporter
from karl.reporting import Reporter
from karl.run_config import RunConfig, make_config
from karl.run_lock import run_lock
from karl.settings import Settings
from karl.signals import stop_on_signals
from store import queries
from store.errors import KarlError, UsageError
from store.models import Corpus, Run
from store.session import Session, Store
from store.types import RunState
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

# A run's name is a folder under home/checkpoints: it must not lead out of there, nor be hidden.
RUN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
Flow = Callable[[Context], Awaitable[None]]
FOREIGN = re.compile(r"^\.|[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Opened:
    """A run's row, and whether it goes on from an earlier start."""

    run: Run
    resumed: bool


def open_run(store: Store, config: RunConfig, *, name: str | None) -> Opened:
    """The unfinished run of the same configuration, or a new one.

    Raises: UsageError when the name is taken or cannot name a folder.
    """
    if name is not None:
        check_name(name)
    with store.session() as session:
        corpus = queries.corpus_by_name(session, config.corpus)
        assert corpus.id is not None
        earlier = queries.runs(session, corpus_id=corpus.id)
        for run in earlier:
            if (
                (name is None or run.name == name)
                and run.settings == config.stored()
                and run.state is not RunState.DONE
            ):
                return Opened(run, resumed=True)
        if name is not None and any(run.name == name for run in queries.runs(session)):
            raise UsageError(_taken(session, name, config))
        chosen = name or _free_name(session, config.corpus)
        return Opened(
            queries.create_run(session, name=chosen, corpus_id=corpus.id, settings=config.stored()), resumed=False
        )


def unfinished_run(store: Store, name: str) -> tuple[Opened, RunConfig]:
    """A run as it was stored, to go on with: nothing of it needs to be given again.

    Raises: UsageError for an unknown run, one that is done, or one that is not of `karl run` or `karl demo`.
    """
    with store.session() as session:
        run = queries.run_by_name(session, name)
    if run.state is RunState.DONE:
        raise UsageError(f"run {name!r} is done; `karl show {name}` shows it")
    try:
        return Opened(run, resumed=True), make_config(run.settings)
    except UsageError as exc:
        raise UsageError(f"run {name!r} has settings that are not of `karl run`: {exc}") from exc


def _taken(session: Session, name: str, config: RunConfig) -> str:
    run = queries.run_by_name(session, name)
    if run.settings == config.stored():
        return f"run {name!r} is done; `karl show {name}` shows it; give another --name to run it again"
    wanted, held = config.stored(), run.settings
    changed = ", ".join(
        f"{key}: {held.get(key)!r} then, {wanted[key]!r} now" for key in wanted if held.get(key) != wanted[key]
    )
    return f"run {name!r} has other settings ({changed}); give the same ones to go on, or another --name"


def check_name(name: str) -> None:
    """Raises: UsageError unless `name` can be a run's."""
    if RUN_NAME.fullmatch(name) is None:
        raise UsageError(
            f"--name {name!r}: a run's name has letters (a to z), digits, dots, dashes and underscores, "
            "begins with no dot, and is at most 100 characters long"
        )


def _free_name(session: Session, corpus: str) -> str:
    taken = {run.name for run in queries.runs(session)}
    stem = FOREIGN.sub("-", corpus)[:80]
    return next(name for number in range(1, 10**6) if (name := f"{stem}-{number}") not in taken)


def execute(
    store: Store,
    opened: Opened,
    *,
    config: RunConfig,
    settings: Settings,
    judge: Judge,
    reporter: Reporter,
    flow: Flow = run_loop,
) -> bool:
    """Run the loop, or another flow over its arrows, to its end; False when Ctrl-C stopped it. The run's state is
    stored either way.

    Raises: UsageError while another process owns the run; KarlError, also where a judge failed outside of a rollout.
    """

    def main() -> Coroutine[None, None, None]:
        return _main(store, opened.run, config=config, settings=settings, judge=judge, reporter=reporter, flow=flow)

    return own(store, opened.run, main, home=settings.home)


def own(store: Store, run: Run, main: Callable[[], Coroutine[None, None, None]], *, home: Path) -> bool:
    """Own the run while `main` goes on, and note how it ended. Raises and returns as `execute`."""
    # Outside of what notes failures: a run that another process owns has not failed.
    with run_lock(home, name=run.name):
        _set_state(store, id_of(run), RunState.RUNNING)
        return _owned(store, run, main())


def _owned(store: Store, run: Run, main: Coroutine[None, None, None]) -> bool:
    run_id = id_of(run)
    try:
        asyncio.run(main)
    except (Stopped, KeyboardInterrupt, asyncio.CancelledError):
        _set_state(store, run_id, RunState.STOPPED)
        return False
    except RolloutError as exc:
        error = KarlError(f"{exc}; nothing stored is lost: mend that, and the same command goes on")
        _note_failure(store, run_id, error)
        raise error from exc
    except BaseException as exc:
        _note_failure(store, run_id, exc)
        raise
    _set_state(store, run_id, RunState.DONE)
    return True


def note_stopped(store: Store, run: Run) -> None:
    """Of a run that ends before its loop has: nobody is there to raise to."""
    with suppress(KarlError):
        _set_state(store, id_of(run), RunState.STOPPED)


def _note_failure(store: Store, run_id: int, exc: BaseException) -> None:
    # A full disk fails the run and then this note as well: the first error is the one to tell.
    with suppress(KarlError):
        text = str(exc) if isinstance(exc, KarlError) else f"{type(exc).__name__}: {exc}"
        _set_state(store, run_id, RunState.FAILED, error=text)


async def _main(
    store: Store,
    run: Run,
    *,
    config: RunConfig,
    settings: Settings,
    judge: Judge,
    reporter: Reporter,
    flow: Flow,
) -> None:
    stop = asyncio.Event()
    with stop_on_signals(stop, say=reporter.say, leaving=partial(note_stopped, store, run)):
        context = open_context(store, run, config=config, settings=settings, judge=judge, reporter=reporter, stop=stop)
        try:
            await flow(context)
        finally:
            context.close()


def open_context(
    store: Store,
    run: Run,
    *,
    config: RunConfig,
    settings: Settings,
    judge: Judge,
    reporter: Reporter,
    stop: asyncio.Event,
) -> Context:
    """With the indexes of the corpora open; one that is missing is built first. The caller closes it."""
    with store.session() as session:
        corpus = queries.corpus_by_name(session, config.corpus)
        asked = queries.corpus_by_name(session, config.question_corpus or config.corpus)
    with ExitStack() as opened:
        searchers = {
            row.name: opened.enter_context(_searcher(store, row, settings=settings))
            for row in {corpus.name: corpus, asked.name: asked}.values()
        }
        opened.pop_all()
    return Context(
        store=store,
        settings=settings,
        config=config,
        run=run,
        corpus=corpus,
        searcher=searchers[corpus.name],
        question_corpus=asked,
        question_searcher=searchers[asked.name],
        judge=judge,
        reporter=RecordingReporter(store, id_of(run), reporter),
        stop=stop,
    )


def _searcher(store: Store, corpus: Corpus, *, settings: Settings) -> AsyncSearcher:
    return AsyncSearcher(open_index(store, corpus.name, home=settings.home, servers=settings.servers))


def _set_state(store: Store, run_id: int, state: RunState, *, error: str | None = None) -> None:
    with store.session() as session:
        queries.set_run_state(session, run_id, state=state, error=error)
