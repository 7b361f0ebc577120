"""Make a fog: plant material for questions until the size is reached, then prove every question anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evals.fog.company import add_side_note
from evals.fog.facts import Document, Fact
from evals.fog.proof import Rejected, prove
from evals.fog.query import Draft
from evals.fog.regimes import (
    entity_lists,
    entity_search,
    meeting_notes,
    procedures,
    report_synthesis,
    small,
    tabular_arithmetic,
)
from evals.fog.settings import REGIMES, FogSettings, Regime
from evals.fog.solver import Solver
from evals.fog.vocabulary import FULL, Vocabulary
from evals.fog.world import World
from evals.items import EvalItem
from store.errors import UsageError

Planter = Callable[[World], Draft]
PLANTERS: Mapping[Regime, Planter] = {
    "entity_search": entity_search.plant,
    "report_synthesis": report_synthesis.plant,
    "tabular_arithmetic": tabular_arithmetic.plant,
    "entity_lists": entity_lists.plant,
    "procedures": procedures.plant,
    "meeting_notes": meeting_notes.plant,
}
SMALL_PLANTERS: Mapping[Regime, Planter] = {
    **PLANTERS,
    "entity_search": small.plant_search,
    "tabular_arithmetic": small.plant_arithmetic,
    "procedures": small.plant_steps,
    "meeting_notes": small.plant_concerns,
}


@dataclass(frozen=True)
class Fog:
    """`rejected`: why planted questions were given up, for those who change the generator."""

    settings: FogSettings
    documents: tuple[Document, ...]
    facts: tuple[Fact, ...]
    items: tuple[EvalItem, ...]
    rejected: tuple[str, ...] = ()
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    """Key of an item -> what it asks, for those who measure the generator."""

    @property
    def counts(self) -> dict[Regime, int]:
        """Questions of every regime that was asked for, 0 included."""
        found = Counter(item.kind for item in self.items)
        return {regime: found[regime] for regime in self.settings.regimes}


def make_fog(settings: FogSettings, vocabulary: Vocabulary | None = None) -> Fog:
    """`vocabulary`: the words of vocabulary = small, which the embedded policy's package holds; full has its own.

    Raises: UsageError for a small vocabulary without words.
    """
    if vocabulary is None and settings.vocabulary == "small":
        raise UsageError("FogBench: vocabulary=small needs its words: karl.tiny.fog.small_vocabulary() gives them")
    world = World(settings, vocabulary or FULL)
    drafts = _plant(world)
    while not world.full_up:
        add_side_note(world)
    world.rng.shuffle(world.documents)
    return _proven(world, drafts)


def _plant(world: World) -> list[Draft]:
    """Rounds of one question a regime: first what is asked, then every regime's material until nothing fits."""
    planters = SMALL_PLANTERS if world.small else PLANTERS
    drafts: list[Draft] = []
    for _ in range(world.settings.questions):
        made = _round(world, [planters[regime] for regime in world.settings.regimes])
        if not made:
            break
        drafts += made
    while made := _round(world, [planters[regime] for regime in REGIMES]):
        drafts += made
    return drafts


def _round(world: World, planters: list[Planter]) -> list[Draft]:
    drafts: list[Draft] = []
    for planter in planters:
        mark = world.mark()
        draft = planter(world)
        if len(world.documents) > world.settings.size:
            world.roll_back(mark)
        else:
            drafts.append(draft)
    return drafts


def _proven(world: World, drafts: list[Draft]) -> Fog:
    settings, solver = world.settings, Solver(world.facts)
    items: dict[Regime, list[EvalItem]] = {regime: [] for regime in settings.regimes}
    kept: dict[str, Draft] = {}
    rejected: list[str] = []
    for draft in drafts:
        of_regime = items.get(draft.regime)
        if of_regime is None or len(of_regime) == settings.questions:
            continue
        try:
            item = _item(draft, solver, key=f"fog-{settings.seed}-{draft.regime}-{len(of_regime):03d}")
        except Rejected as exc:
            rejected.append(f"{draft.question} {exc}")
            continue
        of_regime.append(item)
        kept[item.key] = draft
    every = tuple(item for of_regime in items.values() for item in of_regime)
    return Fog(settings, tuple(world.documents), tuple(world.facts), every, tuple(rejected), kept)


def _item(draft: Draft, solver: Solver, *, key: str) -> EvalItem:
    proof, gold = prove(draft, solver)
    return EvalItem(
        key=key,
        question=draft.question,
        reference=draft.reference,
        nuggets=draft.nuggets,
        references=(draft.reference,),
        gold=gold,
        kind=draft.regime,
        proof=proof,
    )
