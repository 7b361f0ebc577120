"""What a form for a run can offer: corpora, checkpoints, recipes, kinds of tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from karl.control.form import texts_of
from karl.control.in_effect import task_names
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import KarlError
from store.models import Run
from store.session import Store

CHECKPOINTS = 30


class Offer(NamedTuple):
    """text: what is filled in for it."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Offers:
    """By setting. broken: why the graphs could not be read, so that no kinds of tasks are known."""

    by_setting: dict[str, tuple[Offer, ...]] = field(default_factory=dict)
    broken: str = ""


def offers(store: Store, settings: Settings) -> Offers:
    """Raises: KarlError when the database refuses."""
    with store.session() as session:
        corpora = tuple(Offer(row.name, row.name) for row in queries.corpora(session))
        lines = queries.checkpoint_lines(session, limit=CHECKPOINTS)
    trained = [line for line in lines if line.path != str(POLICY_FOLDER)]  # that one is the default
    base = tuple(Offer(f"{line.name} (version {line.policy_version})", line.path) for line in trained)
    recipes = tuple(Offer(name, name) for name in recipe_names())
    try:
        tasks, broken = tuple(Offer(name, name) for name in task_names(settings)), ""
    except KarlError as exc:
        tasks, broken = (), str(exc)
    known = {"corpus": corpora, "question_corpus": corpora, "base": _unique(base), "tasks": tasks}
    return Offers(known | {"recipe": recipes, "sft_recipe": recipes}, broken)


def recipe_names() -> tuple[str, ...]:
    """Those that come with the package."""
    from rl_backend.recipe import RECIPES

    return tuple(sorted(file.stem for file in RECIPES.glob("*.toml")))


def texts_of_run(store: Store, run_id: int) -> dict[str, str]:
    """What a run was started with, to start another one like it. Raises: KarlError for a run that is gone."""
    with store.session() as session:
        run = session.get(Run, run_id)
    if run is None:
        raise KarlError("the run is gone from the store")
    return texts_of(run.settings)


def _unique(offered: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Runs that begin with one policy have a checkpoint each that is this one folder."""
    return tuple({offer.text: offer for offer in reversed(offered)}.values())[::-1]
