"""What is asked otherwise in the embedded policy's language, which has no tables, technical documents or minutes.

Its notes carry numbers (years, how many customers), chains to follow in order, and concerns to gather instead.
"""

from __future__ import annotations

from decimal import Decimal

from evals.fog.company import add_customer, add_line, some_line
from evals.fog.facts import MONTHS
from evals.fog.query import Condition, Draft, Path, Query
from evals.fog.regimes import entity_search
from evals.fog.regimes.phrases import uses
from evals.fog.world import World
from evals.items import Nugget


def plant_search(world: World) -> Draft:
    """Half of the searches in the policy's own words: it knows chains of constraints, but no lists of them."""
    return entity_search.plant(world) if world.chance(0.5) else _chain(world)


def _chain(world: World) -> Draft:
    line = add_line(world)
    start, described = line.team, f"the {line.team} team"
    if world.settings.hops == 2:
        start, described = line.product, f"the team that builds {line.product}"
    if world.settings.hops == 3:
        start = add_customer(world, {"uses": line.product})
        described = f"the team that builds the product that {start} uses"
    for _ in range(world.settings.distractors):
        world.state("notes", "", [("hired", line.team, world.names.take("people"))])
    path = ("uses", "built_by", "led_by")[-world.settings.hops :]
    return Draft(
        regime="entity_search",
        question=f"Who leads {described}?",
        query=Query((Condition((), start, f"is {start}"),), (path,)),
        rows={start: (line.leader,)},
        reference=line.leader,
        nuggets=(Nugget(text=line.leader),),
        things={1: "teams", 2: "products", 3: "customers"}[world.settings.hops],
    )


def plant_arithmetic(world: World) -> Draft:
    """Named things are counted; years between two events need what stands in several notes."""
    return _count(world) if world.settings.hops == 1 else _years(world)


def _count(world: World) -> Draft:
    line = add_line(world, shared=False)
    count = world.rng.randint(2, world.settings.list_length)
    users = [add_customer(world, {"uses": line.product}) for _ in range(count)]
    _praise(world, line.product)
    return Draft(
        regime="tabular_arithmetic",
        question=f"How many customers use {line.product}?",
        query=Query((uses(line, hops=1, verb="use"),), (), "count"),
        rows=dict.fromkeys(users, ()),
        reference=str(count),
        nuggets=(Nugget(text=str(count), aliases=(f"{count} customers",)),),
        things="customers",
        number=Decimal(count),
    )


def _years(world: World) -> Draft:
    years = sorted(world.rng.sample(world.vocabulary.pools["years"], 2), key=int)
    launched, renewed = (f"{world.pick(MONTHS)} {year}" for year in years)
    line = add_line(world, launched=launched)
    customer, called, condition = _customer(world, line.product)
    world.state("notes", "", [("renewed", customer, renewed)])
    passed = int(years[1]) - int(years[0])
    unit = "year" if passed == 1 else "years"
    return Draft(
        regime="tabular_arithmetic",
        question=f"By how many years is the year in which {called} renewed after the year in which its product "
        "launched?",
        query=Query((condition,), (("renewed",), ("uses", "launched")), "difference"),
        rows={customer: (renewed, launched)},
        reference=str(passed),
        nuggets=(Nugget(text=str(passed), aliases=(f"{passed} {unit}",)),),
        things="customers",
        number=Decimal(passed),
    )


def _customer(world: World, product: str) -> tuple[str, str, Condition]:
    """By its name; at three hops by who looks after it."""
    if world.settings.hops < 3:
        customer = add_customer(world, {"uses": product})
        return customer, customer, Condition((), customer, f"is {customer}")
    manager = world.names.take("people")
    customer = add_customer(world, {"uses": product, "managed_by": manager})
    text = f"the customer that {manager} looks after"
    return customer, text, Condition(("managed_by",), manager, f"is {text}")


def _praise(world: World, product: str) -> list[str]:
    """Customers that praised the product and use another: near misses of its users."""
    near: list[str] = []
    for _ in range(world.settings.distractors):
        near.append(add_customer(world, {"uses": some_line(world, but=product).product}))
        world.state("notes", "", [("praised", near[-1], product)])
    return near


def plant_steps(world: World) -> Draft:
    """The way from a concern to who answers for it: product, team, leader, in this order."""
    line = add_line(world)
    steps: tuple[Path, ...] = (("built_by",), ("built_by", "led_by"))
    if world.settings.hops == 1:
        asked = f"Name in order the team that builds {line.product} and the person who leads that team."
        condition, start = Condition((), line.product, f"is {line.product}"), line.product
        values: tuple[str, ...] = line[1:]
    else:
        start, called, condition = _customer(world, line.product)
        asked = (
            f"Name in order the product that {called} uses, the team that builds it and the person who leads that team."
        )
        values, steps = tuple(line), (("uses",), *(("uses", *path) for path in steps))
    _praise(world, line.product)
    return Draft(
        regime="procedures",
        question=asked,
        query=Query((condition,), steps),
        rows={start: values},
        reference=", ".join(values),
        nuggets=tuple(Nugget(text=value) for value in values),
        things="products" if world.settings.hops == 1 else "customers",
    )


def plant_concerns(world: World) -> Draft:
    """All concerns of the users of one product."""
    line = add_line(world, shared=False)
    concerns = world.rng.sample(world.vocabulary.values("raised"), world.settings.list_length)
    users = [add_customer(world, {"uses": line.product, "raised": concern}) for concern in concerns]
    near = _praise(world, line.product)
    condition = uses(line, hops=world.settings.hops, verb="use")
    return Draft(
        regime="meeting_notes",
        question=f"What concerns did the customers that {condition.text} raise?",
        query=Query((condition,), (("raised",),)),
        rows={user: (concern,) for user, concern in zip(users, concerns, strict=True)},
        reference=", ".join(concerns),
        nuggets=tuple(Nugget(text=concern) for concern in concerns),
        things="customers",
        near=tuple(near),
    )
