"""Who is where in the cache: each row one conversation, the ones that are computed in front, idle ones behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.engines.base import Generation
from agents.engines.local.jobs import Job, Outcome
from agents.engines.local.kv_cache import SlotCache


@dataclass(eq=False)  # rows are looked up by identity
class Row:
    """A conversation's place in the cache. `cached` are the ids whose keys and values are stored."""

    session: str
    cached: list[int] = field(default_factory=list)
    job: Job | None = None
    used: int = 0
    released: bool = False


class Rows:
    """As many as the cache has. `active`: how many of them are computed; `clock`: decoding steps so far."""

    def __init__(self, cache: SlotCache) -> None:
        self._cache = cache
        self._rows: list[Row | None] = [None] * cache.rows
        self._by_session: dict[str, Row] = {}
        self.active = 0
        self.clock = 0

    @property
    def free(self) -> int:
        return len(self._rows) - self.active

    @property
    def held(self) -> int:
        """Rows that hold a conversation, computed or idle."""
        return sum(row is not None for row in self._rows)

    def computed(self, first: int = 0) -> list[tuple[Row, Job]]:
        """The active rows from `first` on, with their jobs."""
        return [(row, row.job) for row in self._rows[first : self.active] if row is not None and row.job is not None]

    def admit(self, waiting: Sequence[Job]) -> list[Job]:
        """Give rows to the first of `waiting`, behind the active ones, fewest new tokens first; returns the others."""
        left = list(waiting[self.free :])
        for job in sorted(waiting[: self.free], key=self._new_tokens):
            row = self._by_session.get(job.request.session) if job.request.session else None
            if not self.free or (row is not None and row.job is not None):
                left.append(job)
            elif not job.future.cancelled():
                self._activate(job, row)
        return left

    def retire(self, first: int) -> list[Outcome]:
        """Free the rows from `first` on whose jobs are done or given up; returns what was done."""
        done: list[Outcome] = []
        for index in range(self.active - 1, first - 1, -1):
            row = self._rows[index]
            assert row is not None and row.job is not None
            job, reason = row.job, row.job.finish_reason
            if reason is not None:
                done.append((job, Generation(job.token_ids, job.logprobs, reason)))
            if reason is not None or job.future.cancelled():
                self._rest(index, row)
        return done

    def forget(self, session: str) -> None:
        row = self._by_session.pop(session, None)
        if row is None:
            return
        row.released = True
        if row.job is None:
            self._rows[self._rows.index(row)] = None

    def clear(self) -> list[Job]:
        """Forget everything; returns the jobs under way."""
        jobs = [row.job for row in self._rows if row is not None and row.job is not None]
        self._rows = [None] * len(self._rows)
        self.active = 0
        self._by_session.clear()
        return jobs

    def _new_tokens(self, job: Job) -> int:
        """How many of the prompt's have to be computed, but for what another session may lend."""
        row = self._by_session.get(job.request.session) if job.request.session else None
        prompt = job.request.prompt_ids
        return len(prompt) - (_common_prefix(row.cached, prompt) if row is not None else 0)

    def _activate(self, job: Job, row: Row | None) -> None:
        index = self._rows.index(row) if row is not None else self._free_index()
        if row is None:
            row = Row(job.request.session)
            self._rows[index] = row
            if row.session:
                self._by_session[row.session] = row
        self._move(index, self.active)
        self.active += 1
        row.job, row.used = job, self.clock
        row.cached = row.cached[: _common_prefix(row.cached, job.request.prompt_ids)]
        self._fork(row, job)

    def _rest(self, index: int, row: Row) -> None:
        """The row stays for the next turn of its conversation, unless there will be none."""
        row.job, row.used = None, self.clock
        self.active -= 1
        self._move(index, self.active)
        if row.released or not row.session:
            self._rows[self.active] = None

    def _fork(self, row: Row, job: Job) -> None:
        """Copy what another session holds of the same prompt, where that is more than the row's own."""
        source = self._by_session.get(job.request.fork_of) if job.request.fork_of else None
        shared = _common_prefix(source.cached, job.request.prompt_ids) if source else 0
        if source and shared > len(row.cached):
            self._cache.copy(self._rows.index(source), self._rows.index(row), length=shared)
            row.cached = source.cached[:shared]

    def _free_index(self) -> int:
        """A row behind the active ones that holds nobody, or the longest unused conversation (recomputed later)."""
        behind = range(self.active, len(self._rows))
        index = next((i for i in behind if self._rows[i] is None), -1)
        if index < 0:
            index = min(behind, key=lambda i: self._rows[i].used)  # type: ignore[union-attr]
            evicted = self._rows[index]
            assert evicted is not None
            self._by_session.pop(evicted.session, None)
            self._rows[index] = None
        return index

    def _move(self, source: int, target: int) -> None:
        if source == target:
            return
        length = max((len(row.cached) for row in (self._rows[source], self._rows[target]) if row), default=0)
        if length:
            self._cache.swap(source, target, length=length)
        self._rows[source], self._rows[target] = self._rows[target], self._rows[source]


def _common_prefix(cached: list[int], prompt: Sequence[int]) -> int:
    """How many cached ids the prompt begins with; at least the prompt's last token is computed anew."""
    limit = min(len(cached), len(prompt) - 1)
    if cached[:limit] == list(prompt[:limit]):
        return limit
    return next(i for i in range(limit) if cached[i] != prompt[i])
