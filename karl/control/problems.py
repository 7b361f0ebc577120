"""What is wrong with a run before it starts, by setting: what `karl run` would refuse, endpoints left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from karl.control.form import Draft
from karl.run_config import RunConfig
from karl.settings import Settings
from store import queries
from store.errors import KarlError, UsageError
from store.session import Session, Store


def problems_of(draft: Draft, config: RunConfig, *, store: Store, settings: Settings) -> dict[str, str]:
    """Setting -> message; "" for what no single one is to blame for; empty: it can start."""
    with store.session() as session:
        found = dict(_stored_problems(session, draft, config))
    for name, check in _checks(draft, config, settings):
        try:
            check()
        except KarlError as exc:
            found.setdefault(name, str(exc))
    # Graphs are read for a policy: without one, what they say is about nothing.
    if "base" not in found and (graphs := _graph_problem(config, settings)):
        found.setdefault("tasks" if graphs.startswith("no task") else "", graphs)
    return found


def _stored_problems(session: Session, draft: Draft, config: RunConfig) -> Iterator[tuple[str, str]]:
    from karl.runs import check_name

    wanted = [] if draft.demo else [("corpus", config.corpus), ("question_corpus", config.question_corpus)]
    for name, corpus in wanted:
        try:
            if corpus is not None:
                queries.corpus_by_name(session, corpus)
        except UsageError as exc:
            yield name, str(exc)
    if not draft.name or draft.demo:
        return
    try:
        check_name(draft.name)
    except UsageError as exc:
        yield "name", str(exc)
        return
    held = next((run for run in queries.runs(session) if run.name == draft.name), None)
    if held is not None and held.settings != config.stored():
        yield "name", f"there is a run {draft.name!r} with other settings; give another name"


def _checks(draft: Draft, config: RunConfig, settings: Settings) -> Iterator[tuple[str, Callable[[], object]]]:
    from karl.held_out import read_questions
    from karl.policies import profile_of
    from karl.preflight import check_iterations
    from rl_backend.checkpoint import check_model_folder
    from rl_backend.config import load_recipe

    def base() -> None:
        check_model_folder(config.base)
        profile_of(config.base, settings=settings)

    yield "base", base
    yield "iterations", lambda: check_iterations(config, settings=settings)
    yield "recipe", lambda: load_recipe(config.recipe, algorithm=config.algorithm, seed=config.seed)
    if config.sft_control:
        yield "sft_recipe", lambda: load_recipe(config.sft_recipe, algorithm="sft", seed=config.seed)
    if config.questions is not None and not draft.demo:
        path: Path = config.questions
        yield "questions", lambda: read_questions(path)


def _graph_problem(config: RunConfig, settings: Settings) -> str:
    from karl.preflight import check_graphs

    try:
        check_graphs(config, settings=settings)
    except UsageError as exc:
        return str(exc)
    return ""
