"""Constraint-driven entity search: several constraints, one customer; near misses share all of them but one."""

from __future__ import annotations

from collections.abc import Mapping

from evals.fog.company import add_customer, some_line
from evals.fog.query import Condition, Draft, Query
from evals.fog.regimes.phrases import asked, entity, has, join_and, uses
from evals.fog.world import Line, World

# An older note that says otherwise overrules nothing of these: who raised one concern may have raised another before.
EVENTS = ("raised",)


def plant(world: World) -> Draft:
    line = some_line(world)
    values = _values(world, line)
    target = add_customer(world, values)
    near = [_near_miss(world, values, number) for number in range(world.settings.distractors)]
    if world.chance(world.settings.conflicts):
        relation = world.pick(list(values), but=EVENTS)
        world.overrule((relation, target, _other(world, relation, values)))
    conditions = _conditions(world, values, line)
    question = f"Which customer {join_and([condition.text for condition in conditions])}?"
    return Draft(
        regime="entity_search",
        question=asked(world, question),
        query=Query(conditions),
        rows={target: ()},
        reference=target,
        nuggets=(entity(world, target),),
        things="customers",
        near=tuple(near),
    )


def _values(world: World, line: Line) -> dict[str, str]:
    """The product always, so that hops have something to describe; the others at random."""
    others = ["based", "raised"] if world.small else ["based", "raised", "industry", "plan"]
    drawn = world.rng.sample(others, world.settings.constraints - 1)
    return {"uses": line.product} | {relation: world.pick(world.vocabulary.values(relation)) for relation in drawn}


def _near_miss(world: World, values: Mapping[str, str], number: int) -> str:
    """A customer that fails one constraint, each constraint in turn; an archived note may say that it once met it,
    where what it says can end.
    """
    missed = list(values)[number % len(values)]
    customer = add_customer(world, {**values, missed: _other(world, missed, values)})
    if world.chance(world.settings.conflicts) and missed not in EVENTS:
        world.overrule((missed, customer, values[missed]))
    return customer


def _other(world: World, relation: str, values: Mapping[str, str]) -> str:
    if relation == "uses":
        return some_line(world, but=values["uses"]).product
    return world.pick(world.vocabulary.values(relation), but=[values[relation]])


def _conditions(world: World, values: Mapping[str, str], line: Line) -> tuple[Condition, ...]:
    made = [has(relation, value) for relation, value in values.items() if relation != "uses"]
    # The longest comes last: the sentence stays readable.
    return (*made, uses(line, hops=world.settings.hops))
