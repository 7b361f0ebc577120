"""What a filled-in run comes to before it starts: what is wrong with it, its graphs, its estimate, its command.

Reads files and the store, starts nothing and loads no model; slow enough for a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evals.prices import prices_in
from karl.control.estimate import Estimate, earlier, estimate, rollouts_of
from karl.control.form import Draft, parse, settings_for, shown_command
from karl.control.in_effect import StageGraph, graphs_in_effect
from karl.control.problems import problems_of
from karl.run_config import RunConfig
from karl.settings import Settings
from store import queries
from store.errors import KarlError, UsageError
from store.session import Session, Store
from store.types import RunState


@dataclass(frozen=True, slots=True)
class Preview:
    """problems: setting -> message, "" for what no single one is to blame for; command "": there are no settings yet;
    goes_on: the run of the same settings that is not done, which starting would go on with."""

    problems: dict[str, str] = field(default_factory=dict)
    command: str = ""
    graphs: tuple[StageGraph, ...] = ()
    estimate: Estimate | None = None
    goes_on: str | None = None


def preview(store: Store, settings: Settings, draft: Draft) -> Preview:
    """Raises: KarlError when the database refuses."""
    parsed = parse(draft)
    if parsed.config is None:
        return Preview(dict(parsed.problems))
    config, command = parsed.config, shown_command(draft, parsed.config, settings)
    try:
        settings = settings_for(draft, settings)
    except UsageError as exc:
        return Preview({"engine": str(exc)}, command)
    if problems := problems_of(draft, config, store=store, settings=settings):
        return Preview(problems, command)
    try:
        graphs = graphs_in_effect(config, settings=settings)
        found = _estimate(draft, config, graphs, store=store, settings=settings)
    except KarlError as exc:
        return Preview({"": str(exc)}, command)
    with store.session() as session:
        goes_on = _unfinished(session, config, name=draft.name)
    return Preview({}, command, graphs, found, goes_on)


def _estimate(
    draft: Draft, config: RunConfig, graphs: tuple[StageGraph, ...], *, store: Store, settings: Settings
) -> Estimate:
    """Raises: UsageError for prices that cannot be read."""
    from karl.policies import profile_of

    model = profile_of(config.base, settings=settings).name
    with store.session() as session:
        like = earlier(session, config, model=model)
    stages = [one.stage for one in graphs]
    rollouts = rollouts_of(config, stages=stages, asked=_asked(draft, config), epochs=_epochs(config))
    return estimate(rollouts, like, model=model, prices=prices_in(Path.cwd()))


def _asked(draft: Draft, config: RunConfig) -> int | None:
    """Questions of the file, at most; None: the run writes its own."""
    from karl.held_out import read_questions

    if draft.demo:
        return config.held_out  # the demo writes more than any run holds out
    return None if config.questions is None else len(read_questions(Path(config.questions)))


def _epochs(config: RunConfig) -> int:
    """After each of which the validation questions are tried."""
    from rl_backend.config import load_recipe

    if config.train_steps is not None:
        return config.train_steps  # an epoch has one step at least
    return load_recipe(config.recipe, algorithm=config.algorithm, seed=config.seed).epochs


def _unfinished(session: Session, config: RunConfig, *, name: str) -> str | None:
    stored = config.stored()
    for run in queries.runs(session):
        if run.settings == stored and run.state is not RunState.DONE and name in ("", run.name):
            return run.name
    return None
