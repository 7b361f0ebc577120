"""Wordings that the regimes share: lists in words, descriptions over one to three hops, the rule of the newest."""

from __future__ import annotations

from collections.abc import Sequence

from evals.fog.company import add_line
from evals.fog.query import Condition, Lookup, Path
from evals.fog.world import Line, World
from evals.items import Nugget

NEWEST = " Where documents disagree, the newest one counts."


def join_and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def asked(world: World, question: str) -> str:
    """With the rule of the newest wherever it may be needed, so that it betrays no single question."""
    return question + NEWEST if world.settings.conflicts else question


def entity(world: World, name: str) -> Nugget:
    return Nugget(text=name, aliases=tuple(filter(None, (world.aliases.get(name),))))


def uses(line: Line, *, hops: int, verb: str = "uses") -> Condition:
    """`uses` for one customer, `use` for several."""
    path: Path = ("uses", "built_by", "led_by")[:hops]
    described = {
        1: line.product,
        2: f"the product that the {line.team} team builds",
        3: f"the product of the team that {line.leader} leads",
    }
    return Condition(path, line[hops - 1], f"{verb} {described[hops]}")


def has(relation: str, value: str, *, verb: str = "is") -> Condition:
    """`verb`: `is` or `are`."""
    many = verb == "are"
    texts = {
        "based": f"{verb} based in {value}",
        "industry": f"{'work' if many else 'works'} in {value}",
        "plan": f"{verb} on the {value} plan",
        "raised": f"raised a concern about {value}",
    }
    return Condition((relation,), value, texts[relation])


def leader(world: World, *, hops: int) -> tuple[str, str, str | Lookup]:
    """A person: (name, description, how to look the person up)."""
    if hops == 1:
        name = world.names.take("people")
        return name, name, name
    line = add_line(world)
    if hops == 2:
        return line.leader, f"the person who leads the {line.team} team", Lookup(line.team, ("led_by",))
    described = f"the person who leads the team that builds {line.product}"
    return line.leader, described, Lookup(line.product, ("built_by", "led_by"))
