"""Cross-document reports: several facts about a product, from several documents, each a nugget."""

from __future__ import annotations

from evals.fog.company import add_customer, add_line
from evals.fog.query import Condition, Draft, Path, Query
from evals.fog.regimes.phrases import asked, join_and
from evals.fog.world import Line, World
from evals.items import Nugget

# path from the product -> (what the question asks for, the fact in a sentence)
FACETS: dict[Path, tuple[str, str]] = {
    ("launched",): ("when it launched", "{product} launched in {value}"),
    ("built_by",): ("which team builds it", "The {value} team builds {product}"),
    ("built_by", "led_by"): ("who leads that team", "{value} leads the {team} team"),
    ("built_by", "sits"): ("where that team sits", "The {team} team sits in {value}"),
    ("built_by", "led_by", "lives"): ("where its leader lives", "{leader} lives in {value}"),
}
SMALL_FACETS: tuple[Path, ...] = (("launched",), ("built_by", "led_by"), ("built_by", "sits"))
# relation -> whose it is, as a position in the line
SUBJECTS = {"launched": 0, "built_by": 0, "led_by": 1, "sits": 1, "lives": 2}


def plant(world: World) -> Draft:
    line = add_line(world)
    described, condition, prefix = _subject(world, line)
    paths = SMALL_FACETS if world.small else tuple(FACETS)
    values = [_planted(world, line, path) for path in paths]
    for path, value in zip(paths, values, strict=True):
        _contradict(world, line, path, value)
    _crowd(world, line)
    nuggets = tuple(_nugget(world, line, path, value) for path, value in zip(paths, values, strict=True))
    return Draft(
        regime="report_synthesis",
        question=asked(world, _question(world, described)),
        query=Query((condition,), tuple(prefix + path for path in paths)),
        rows={_start(condition, world): tuple(values)},
        reference=_reference(world, [nugget.text for nugget in nuggets]),
        nuggets=nuggets,
        things="products" if world.settings.hops == 1 else "customers",
    )


def _subject(world: World, line: Line) -> tuple[str, Condition, Path]:
    """How the product is described, what that asks of the facts, and the path from there to the product."""
    if world.settings.hops == 1:
        return line.product, Condition((), line.product, f"is {line.product}"), ()
    manager = world.names.take("people")
    customer = add_customer(world, {"uses": line.product, "managed_by": manager})
    if world.settings.hops == 2:
        called = world.called(customer)
        return f"the product that {called} uses", Condition((), customer, f"is {called}"), ("uses",)
    described = f"the product used by the customer that {manager} looks after"
    return described, Condition(("managed_by",), manager, f"is looked after by {manager}"), ("uses",)


def _start(condition: Condition, world: World) -> str:
    """The thing that the condition describes."""
    if not condition.path:
        return str(condition.value)
    return next(f.subject for f in reversed(world.facts) if (f.relation, f.object) == ("managed_by", condition.value))


def _planted(world: World, line: Line, path: Path) -> str:
    """The value that the line's own documents state."""
    subject = line[SUBJECTS[path[-1]]]
    return next(f.object for f in reversed(world.facts) if (f.relation, f.subject) == (path[-1], subject))


def _contradict(world: World, line: Line, path: Path, value: str) -> None:
    """An older document says otherwise, for places and leaders."""
    relation, subject = path[-1], line[SUBJECTS[path[-1]]]
    if relation in ("launched", "built_by") or not world.chance(world.settings.conflicts):
        return
    places = world.vocabulary.values("sits")
    other = world.names.take("people") if relation == "led_by" else world.pick(places, but=[value])
    world.overrule((relation, subject, other))


def _crowd(world: World, line: Line) -> None:
    """Notes about the same things that answer nothing of the question."""
    for number in range(world.settings.distractors):
        city = world.pick(world.vocabulary.values("visited"))
        triples = (
            ("shown", line.product, city),
            ("visited", line.leader, city),
            ("hired", line.team, world.names.take("people")),
        )
        world.state("notes", "Note", [triples[number % len(triples)]])


def _nugget(world: World, line: Line, path: Path, value: str) -> Nugget:
    if world.small:
        return Nugget(text=value)
    text = FACETS[path][1].format(product=line.product, team=line.team, leader=line.leader, value=value)
    return Nugget(text=text, aliases=(value,))


def _reference(world: World, texts: list[str]) -> str:
    """A sentence a line; in the small vocabulary the values alone."""
    return ", ".join(texts) if world.small else "\n".join(f"{text}." for text in texts)


def _question(world: World, described: str) -> str:
    if world.small:
        return f"When did {described} launch, who leads the team that builds it and where does that team sit?"
    return f"Write a short report on {described}: {join_and([asks for asks, _ in FACETS.values()])}."
