"""`karl.evaluate`: what `karl eval` does, from Python; functions may be handed in as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evals.report.document import EvaluationDocument
from karl.api.opening import settings_of
from karl.evaluations.config import make_eval_config
from karl.evaluations.evaluate import carry_out, prepare, with_judge
from karl.reporting import Reporter, SilentReporter
from karl.settings import Settings
from store.session import Store


def evaluate(
    *systems: str | Callable[..., Any],
    home: Path | str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    judge: str | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> EvaluationDocument:
    """The document of an evaluation; what is stored of it is not done again.

    systems: as on the command line, or functions of a question, plain or async, that return a text, or an object with
    `answer`, `citations`, `usage`. options: `suite` or `questions` with `corpus`, `data`, `samples`, `limit` and
    whatever else `karl.evaluations.config.EvalConfig` declares.
    judge: `rule`, or `http(s)://.../v1#model`; None: the settings' own.
    Raises: UsageError for whatever is wrong before anything runs; KarlError where a system or the judge fails on
    everything; KeyboardInterrupt when Ctrl-C stopped it: the same call goes on.
    """
    config, chosen = make_eval_config(**options), with_judge(settings_of(settings, home), judge)
    told = reporter or SilentReporter()
    store = Store.open(chosen.store_url)
    try:
        evaluation = prepare(systems, config, store, settings=chosen, reporter=told)
        document = _aside(lambda: carry_out(evaluation, reporter=told))
    finally:
        store.close()
    if document is None:
        raise KeyboardInterrupt
    return document


def _aside(work: Callable[[], EvaluationDocument | None]) -> EvaluationDocument | None:
    """In a thread where the caller's own event loop is running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
