"""Generated companies: facts, the notes that state them, and questions whose answers the facts fix.

A world is drawn from a seed. Every fact is one Markdown note; every question knows the facts that prove its answer, so
the exact truth is at hand for demonstrations and for evaluation.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from karl.tiny import names

# relation -> (sentence, kind of note)
SENTENCES: dict[str, tuple[str, str]] = {
    "leads": ("{subject} leads the {object} team.", "Staff note"),
    "lives": ("{subject} lives in {object}.", "Staff note"),
    "builds": ("The {subject} team builds {object}.", "Team note"),
    "sits": ("The {subject} team sits in {object}.", "Team note"),
    "launched": ("{subject} launched in {object}.", "Product note"),
    "uses": ("{subject} uses {object}.", "Customer note"),
    "based": ("{subject} is based in {object}.", "Customer note"),
    "raised": ("{subject} raised a concern about {object}.", "Customer note"),
    "manages": ("{subject} looks after {object}.", "Account note"),
    # Nothing asks about these: they crowd the results of a careless query.
    "visited": ("{subject} visited {object}.", "Staff note"),
    "hired": ("The {subject} team hired {object}.", "Team note"),
    "shown": ("{subject} was shown in {object}.", "Product note"),
    "praised": ("{subject} praised {object}.", "Customer note"),
    "renewed": ("{subject} renewed in {object}.", "Customer note"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    relation: str
    subject: str
    object: str

    @property
    def sentence(self) -> str:
        return SENTENCES[self.relation][0].format(subject=self.subject, object=self.object)


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of the proof: what is known (`entity`), the relation to look up, and the facts that state it."""

    entity: str
    relation: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    text: str
    answers: tuple[str, ...]
    hops: tuple[Hop, ...]

    @property
    def answer(self) -> str:
        return ", ".join(self.answers)


@dataclass(frozen=True, slots=True)
class WorldSize:
    people: int = 70
    teams: int = 24
    products: int = 24
    customers: int = 56


@dataclass
class World:
    """All facts of one company, indexed both ways."""

    facts: list[Fact] = field(default_factory=list)
    _by_subject: dict[tuple[str, str], list[Fact]] = field(default_factory=lambda: defaultdict(list))
    _by_object: dict[tuple[str, str], list[Fact]] = field(default_factory=lambda: defaultdict(list))

    def add(self, relation: str, subject: str, object_: str) -> None:
        fact = Fact(relation, subject, object_)
        self.facts.append(fact)
        self._by_subject[relation, subject].append(fact)
        self._by_object[relation, object_].append(fact)

    def of_subject(self, relation: str, subject: str) -> list[Fact]:
        return self._by_subject[relation, subject]

    def of_object(self, relation: str, object_: str) -> list[Fact]:
        return self._by_object[relation, object_]

    def related(self, relation: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.relation == relation]


def make_world(seed: int, *, size: WorldSize | None = None, invented: float = 0.0) -> World:
    """Draw a company. `invented` is the share of names made of syllables instead of taken from the pools."""
    size = size or WorldSize()
    rng = random.Random(seed)
    taken: set[str] = set()

    def pick(pool: list[str], count: int) -> list[str]:
        chosen = [names.invented_name(rng) if rng.random() < invented else name for name in rng.sample(pool, count)]
        while len(set(chosen)) < count or taken & set(chosen):
            # An invented name came up twice: every name means one thing.
            seen: set[str] = set(taken)
            for position, name in enumerate(chosen):
                chosen[position] = names.invented_name(rng) if name in seen else name
                seen.add(chosen[position])
        taken.update(chosen)
        return chosen

    full_names = [f"{first} {last}" for first in names.FIRST for last in names.LAST]
    people = pick(full_names, size.people)
    teams, products = pick(names.TEAMS, size.teams), pick(names.PRODUCTS, size.products)
    customers, cities = pick(names.CUSTOMERS, size.customers), pick(names.CITIES, len(names.CITIES))
    world = World()
    for person in people:
        world.add("lives", person, rng.choice(cities))
        world.add("visited", person, rng.choice(cities))
    for team, leader, product in zip(teams, rng.sample(people, size.teams), products, strict=False):
        world.add("leads", leader, team)
        world.add("builds", team, product)
        world.add("sits", team, rng.choice(cities))
        world.add("hired", team, rng.choice(people))
    for product in products:
        world.add("shown", product, rng.choice(cities))
        world.add("launched", product, f"{rng.choice(names.MONTHS)} {rng.choice(names.YEARS)}")
    for customer in customers:
        world.add("uses", customer, rng.choice(products))
        world.add("based", customer, rng.choice(cities))
        world.add("raised", customer, rng.choice(names.CONCERNS))
        world.add("manages", rng.choice(people), customer)
        world.add("praised", customer, rng.choice(products))
        world.add("renewed", customer, f"{rng.choice(names.MONTHS)} {rng.choice(names.YEARS)}")
    rng.shuffle(world.facts)
    return world


def _one_hop(kind: str, relation: str, *, asks: str, template: str) -> Callable[[World], Iterator[Question]]:
    def build(world: World) -> Iterator[Question]:
        for fact in world.related(relation):
            known, wanted = (fact.subject, fact.object) if asks == "object" else (fact.object, fact.subject)
            yield Question(kind, template.format(known), (wanted,), (Hop(known, relation, (fact,)),))

    return build


def _product_team(kind: str, relation: str, *, template: str) -> Callable[[World], Iterator[Question]]:
    """Two hops: product > team > what the team's `relation` says."""

    def build(world: World) -> Iterator[Question]:
        for built in world.related("builds"):
            hop = _team_hop(world, built.subject, relation)
            yield Question(kind, template.format(built.object), _values(hop), (_known(built, built.object), hop))

    return build


def _user_team(kind: str, relation: str, *, template: str) -> Callable[[World], Iterator[Question]]:
    """Three hops: customer > product > team > what the team's `relation` says."""

    def build(world: World) -> Iterator[Question]:
        for used in world.related("uses"):
            (built,) = world.of_object("builds", used.object)
            hop = _team_hop(world, built.subject, relation)
            hops = (_known(used, used.subject), _known(built, built.object), hop)
            yield Question(kind, template.format(used.subject), _values(hop), hops)

    return build


def _known(fact: Fact, entity: str) -> Hop:
    return Hop(entity, fact.relation, (fact,))


def _team_hop(world: World, team: str, relation: str) -> Hop:
    # Leaders are subjects of "leads", offices objects of "sits".
    facts = world.of_object(relation, team) or world.of_subject(relation, team)
    return Hop(team, relation, tuple(facts))


def _values(hop: Hop) -> tuple[str, ...]:
    return tuple(fact.object if fact.subject == hop.entity else fact.subject for fact in hop.facts)


def _manager_home(world: World) -> Iterator[Question]:
    for managed in world.related("manages"):
        for lives in world.of_subject("lives", managed.subject):
            hops = (_known(managed, managed.object), _known(lives, lives.subject))
            text = f"Where does the person who looks after {managed.object} live?"
            yield Question("manager_home", text, (lives.object,), hops)


def _product_launch(world: World) -> Iterator[Question]:
    for used in world.related("uses"):
        for launched in world.of_subject("launched", used.object):
            hops = (_known(used, used.subject), _known(launched, launched.subject))
            text = f"When did the product that {used.subject} uses launch?"
            yield Question("product_launch", text, (launched.object,), hops)


def _product_users(world: World) -> Iterator[Question]:
    for product in sorted({fact.object for fact in world.related("uses")}):
        facts = tuple(world.of_object("uses", product))
        if 2 <= len(facts) <= 3:
            users = tuple(fact.subject for fact in facts)
            yield Question("product_users", f"Which customers use {product}?", users, (Hop(product, "uses", facts),))


KINDS: dict[str, Callable[[World], Iterator[Question]]] = {
    "team_leader": _one_hop("team_leader", "leads", asks="subject", template="Who leads the {} team?"),
    "home": _one_hop("home", "lives", asks="object", template="Where does {} live?"),
    "concern": _one_hop("concern", "raised", asks="object", template="What concern did {} raise?"),
    "product_used": _one_hop("product_used", "uses", asks="object", template="Which product does {} use?"),
    "manager_home": _manager_home,
    "product_launch": _product_launch,
    "product_leader": _product_team("product_leader", "leads", template="Who leads the team that builds {}?"),
    "product_office": _product_team("product_office", "sits", template="Where does the team that builds {} sit?"),
    "user_leader": _user_team(
        "user_leader", "leads", template="Who leads the team that builds the product that {} uses?"
    ),
    "user_office": _user_team(
        "user_office", "sits", template="Where does the team that builds the product that {} uses sit?"
    ),
    "product_users": _product_users,
}


def questions(world: World, *, count: int, seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Question]:
    """Up to `count` different questions, the kinds in turn, so that each has about the same share."""
    rng = random.Random(seed)
    piles = [list(KINDS[kind](world)) for kind in kinds]
    for pile in piles:
        rng.shuffle(pile)
    chosen: list[Question] = []
    while len(chosen) < count and any(piles):
        for pile in piles:
            if pile and len(chosen) < count:
                chosen.append(pile.pop())
    return chosen


def write_notes(world: World, folder: Path) -> int:
    """Write one Markdown note per fact; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, fact in enumerate(world.facts):
        sentence, title = fact.sentence, SENTENCES[fact.relation][1]
        (folder / f"note-{number:04d}.md").write_text(f"---\ntitle: {title}\n---\n\n{sentence}\n", encoding="utf-8")
    return len(world.facts)
