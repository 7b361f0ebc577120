"""The list of rollouts, read from the store a page at a time: frozen values, no rows, no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from karl.control.behaviours import behaviour_classes
from store import queries
from store.queries import RolloutFilter, RolloutLine, RunOverview
from store.queries.rollout_list import MOST, PAGE
from store.session import Session, Store
from store.types import RunState
from tui.filter_words import Known, parse_filter


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is to show. run_id: the desk's, None: the newest; words: the filter as it was typed;
    preset: a filter from another room, in place of the words."""

    run_id: int | None = None
    words: str = ""
    preset: RolloutFilter | None = None


@dataclass(frozen=True, slots=True)
class ListView:
    """The first page. run: what the list is about, None: there is no run. newest: the id of the newest rollout that
    could have been in it; total: rollouts under the filter, MOST + 1 stands for more than MOST."""

    asked: Asked
    run: RunOverview | None
    wanted: RolloutFilter
    known: Known
    lines: Sequence[RolloutLine]
    more: bool
    total: int
    newest: int | None


@dataclass(frozen=True, slots=True)
class PageView:
    """A further page of the same list."""

    wanted: RolloutFilter
    lines: Sequence[RolloutLine]
    more: bool


@dataclass(frozen=True, slots=True)
class NewsView:
    """What a look at the list found: the newest rollout now, and whether the run goes on."""

    newest: int | None
    running: bool


def read_list(store: Store, asked: Asked) -> ListView:
    """Raises: UsageError for words that are no filter; KarlError when the database refuses."""
    with store.session() as session:
        run = queries.run_overview(session, asked.run_id)
        known = read_known(session, run)
        run_id = run.run_id if run else None
        wanted = asked.preset or parse_filter(asked.words, run_id=run_id, known=known)
        lines = queries.rollout_lines(session, wanted, limit=PAGE + 1)
        return ListView(
            asked=asked,
            run=run,
            wanted=wanted,
            known=known,
            lines=lines[:PAGE],
            more=len(lines) > PAGE,
            total=queries.rollout_total(session, wanted),
            newest=queries.newest_rollout_id(session, wanted.run_id),
        )


def read_known(session: Session, run: RunOverview | None) -> Known:
    """What a filter may name."""
    return Known(
        arms=queries.evaluation_arms(session, run.run_id) if run else (),
        runs={overview.name: overview.run_id for overview in queries.run_overviews(session)},
        behaviours=behaviour_classes(),
    )


def read_page(store: Store, wanted: RolloutFilter, *, before: int) -> PageView:
    """The page under the rollout `before`. Raises: KarlError when the database refuses."""
    with store.session() as session:
        lines = queries.rollout_lines(session, wanted, before=before, limit=PAGE + 1)
    return PageView(wanted, lines[:PAGE], len(lines) > PAGE)


def read_news(store: Store, wanted: RolloutFilter) -> NewsView:
    """Raises: KarlError when the database refuses."""
    with store.session() as session:
        run = queries.run_overview(session, wanted.run_id)
        return NewsView(
            newest=queries.newest_rollout_id(session, wanted.run_id),
            running=run is not None and run.state is RunState.RUNNING,
        )


def counted_total(total: int) -> str:
    return f"{total:,}" if total <= MOST else f"more than {MOST:,}"
