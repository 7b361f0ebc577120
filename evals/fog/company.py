"""The people, teams, products and customers that questions share, and notes about them that nothing asks about."""

from __future__ import annotations

from collections.abc import Mapping

from evals.fog.facts import MONTHS
from evals.fog.world import Line, Triple, World

SIDE_RELATIONS = ("visited", "praised", "shown", "hired")
LINE_PER_DOCUMENTS = 60  # one more shared product in so many documents


def add_line(world: World, *, shared: bool = True, launched: str = "") -> Line:
    """A product, its team and its leader, each with a document. `shared`: other customers may use the product."""
    line = Line(world.names.take("products"), world.names.take("teams"), world.names.take("people"))
    product, team, leader = line
    world.state(
        "products",
        f"Product sheet of {product}",
        [("launched", product, launched or _month_and_year(world)), ("built_by", product, team)],
    )
    sits = world.pick(world.vocabulary.values("sits"))
    world.state("teams", f"Team page of {team}", [("led_by", team, leader), ("sits", team, sits)])
    world.state("people", f"Staff page of {leader}", _home(world, leader))
    if shared:
        world.lines.append(line)
    return line


def _home(world: World, person: str) -> list[Triple]:
    lives: Triple = ("lives", person, world.pick(world.vocabulary.values("lives")))
    joined: Triple = ("joined", person, world.pick(world.vocabulary.pools["years"]))
    return [lives] if world.small else [lives, joined]


def _month_and_year(world: World) -> str:
    return f"{world.pick(MONTHS)} {world.pick(world.vocabulary.pools['years'])}"


def some_line(world: World, *, but: str = "") -> Line:
    """One that others share; a new one where there are few."""
    free = [line for line in world.lines if line.product != but]
    if not free or len(world.lines) < 2 + len(world.documents) // LINE_PER_DOCUMENTS:
        return add_line(world)
    return world.rng.choice(free)


def add_customer(world: World, given: Mapping[str, str]) -> str:
    """A customer with these facts, the others drawn: a profile, and an account that may use its other name."""
    customer = world.names.take("customers")
    drawn = {relation: world.pick(world.vocabulary.values(relation)) for relation in ("based", "raised")}
    values = {**drawn, **given}
    values.setdefault("uses", some_line(world).product)
    values.setdefault("managed_by", world.names.take("people"))
    if world.small:
        account = [(r, customer, values[r]) for r in ("uses", "based", "raised", "managed_by")]
        world.state("notes", "", account)
    else:
        _add_records(world, customer, values)
    return customer


def _add_records(world: World, customer: str, values: dict[str, str]) -> None:
    for relation in ("industry", "plan"):
        values.setdefault(relation, world.pick(world.vocabulary.values(relation)))
    values["founded"] = str(world.rng.randint(1890, 2010))
    profile = [(relation, customer, values[relation]) for relation in ("based", "industry", "founded")]
    if world.chance(world.settings.aliases):
        world.aliases[customer] = world.names.alias(customer)
        profile.append(("alias", customer, world.aliases[customer]))
    world.state("customers", f"Customer profile of {customer}", profile)
    alias = world.aliases.get(customer, "")
    account = [(relation, customer, values[relation]) for relation in ("uses", "plan", "raised", "managed_by")]
    world.state("accounts", f"Account record of {alias or customer}", account, alias=alias)


def add_side_note(world: World) -> None:
    """A note that nothing asks about: it crowds the results of a careless query."""
    line = world.rng.choice(world.lines) if world.lines else None
    relation = world.pick(SIDE_RELATIONS if line else SIDE_RELATIONS[:1])
    city = world.pick(world.vocabulary.values("visited"))
    triples: dict[str, Triple] = {"visited": ("visited", world.names.take("people"), city)}
    if line:
        triples["praised"] = ("praised", world.names.take("customers"), line.product)
        triples["shown"] = ("shown", line.product, city)
        triples["hired"] = ("hired", line.team, world.names.take("people"))
    world.state("notes", "Note", [triples[relation]])
