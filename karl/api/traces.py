"""A stored rollout read back: `load_trace(trace_id)` is its `Answer`, steps and tokens included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from karl.api.results import Answer, cited_chunks, make_answer
from karl.api.sources import stored_citations
from karl.settings import Settings, load_settings
from prompts.output import FinalAnswer, OutputSpec
from prompts.parsers import parse
from store import queries
from store.attempt_keys import attempt_place
from store.errors import UsageError
from store.session import Store
from store.types import RolloutRecord


def load_trace(trace_id: str, *, home: Path | str | None = None, settings: Settings | None = None) -> Answer:
    """By `Answer.trace_id`, which is the key of any rollout, a run's too. Its attempts come along.

    Proposals are not stored here but as tasks of their run.
    Raises: UsageError for an unknown id, or a store that is not there.
    """
    chosen = settings or load_settings(home=home)
    store = Store.open(chosen.store_url)
    try:
        with store.session() as session:
            record = _whole(session, trace_id)
        chunks = stored_citations(store, cited_chunks(record))
    finally:
        store.close()
    return make_answer(record, chunks=chunks)


def _whole(session: Any, key: str) -> RolloutRecord:
    found = queries.rollout_id_by_key(session, key)
    if found is None:
        raise UsageError(f"no rollout {key!r} in this store; `Answer.trace_id` and `karl ask --json` name them")
    record = queries.trace_record(queries.load_rollout(session, found))
    below = sorted(queries.rollout_keys(session, None, prefix=f"{key}/"), key=attempt_place)
    # One level: what an attempt combined in its turn is found from the attempt.
    inner = [name for name in below if "/" not in name.removeprefix(f"{key}/")]
    explanation = _last_words(record) if record.explanation is None else record.explanation
    return replace(record, explanation=explanation, attempts=[_whole(session, name) for name in inner])


def _last_words(record: RolloutRecord) -> str:
    """The explanation of a row from before it was kept: what the last turn said before its answer tag."""
    if not (record.answer and record.steps):
        return ""
    parsed = parse(record.steps[-1].text, OutputSpec(parser="tags", actions=("answer",)))
    return parsed.explanation if isinstance(parsed, FinalAnswer) else ""
