"""Exhaustive entity lists: all customers with a property, each one a nugget."""

from __future__ import annotations

from evals.fog.company import add_customer, add_line, some_line
from evals.fog.query import Condition, Draft, Query
from evals.fog.regimes.phrases import asked, entity, has, join_and, uses
from evals.fog.world import Line, World


def plant(world: World) -> Draft:
    line = add_line(world, shared=False)  # nobody else may use the product
    plan = "" if world.small else world.pick(world.vocabulary.values("plan"))
    given = {"uses": line.product} | ({"plan": plan} if plan else {})
    members = [add_customer(world, given) for _ in range(world.settings.list_length)]
    near = [_near_miss(world, line, plan=plan) for _ in range(world.settings.distractors)]
    for member in members:
        if world.chance(world.settings.conflicts):
            world.overrule(("uses", member, some_line(world, but=line.product).product))
    conditions = _conditions(world, line, plan=plan)
    described = join_and([condition.text for condition in conditions])
    question = f"Which customers {described}?" if world.small else f"List all customers that {described}."
    return Draft(
        regime="entity_lists",
        question=asked(world, question),
        query=Query(conditions),
        rows=dict.fromkeys(members, ()),
        reference=", ".join(members),
        nuggets=tuple(entity(world, member) for member in members),
        things="customers",
        near=tuple(near),
    )


def _conditions(world: World, line: Line, *, plan: str) -> tuple[Condition, ...]:
    used = uses(line, hops=world.settings.hops, verb="use")
    return (has("plan", plan, verb="are"), used) if plan else (used,)


def _near_miss(world: World, line: Line, *, plan: str) -> str:
    """Uses the product on another plan; in the small vocabulary it praised the product and uses another.

    An archived note may say that it was on the plan once.
    """
    if not plan:
        customer = add_customer(world, {"uses": some_line(world, but=line.product).product})
        world.state("notes", "", [("praised", customer, line.product)])
        return customer
    others = world.pick(world.vocabulary.values("plan"), but=[plan])
    customer = add_customer(world, {"uses": line.product, "plan": others})
    if world.chance(world.settings.conflicts):
        world.overrule(("plan", customer, plan))
    return customer
