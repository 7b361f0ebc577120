"""The words of a fog: pools of names and the sentences that state a relation."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.fog import words


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`sentences`: relation -> its wordings, with {s} and {o}. `titles`: relation -> title of a note of one fact."""

    pools: Mapping[str, tuple[str, ...]]
    sentences: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)

    def values(self, relation: str) -> tuple[str, ...]:
        """What a relation can say where many subjects share a value."""
        return self.pools[VALUE_POOLS[relation]]


# relation -> pool of its objects
VALUE_POOLS = {
    "based": "cities",
    "sits": "cities",
    "lives": "cities",
    "visited": "cities",
    "shown": "cities",
    "raised": "concerns",
    "industry": "industries",
    "plan": "plans",
}

FULL_SENTENCES: dict[str, tuple[str, ...]] = {
    "alias": ("{s} also trades as {o}.", "{o} is another name of {s}."),
    "based": ("{s} is based in {o}.", "The head office of {s} is in {o}."),
    "industry": ("{s} works in {o}.", "The business of {s} is {o}."),
    "founded": ("{s} was founded in {o}.",),
    "uses": ("{s} uses {o}.", "{o} is the product that {s} uses."),
    "plan": ("{s} is on the {o} plan.", "The contract of {s} is on the {o} plan."),
    "raised": ("{s} raised a concern about {o}.",),
    "managed_by": ("{o} looks after {s}.", "The account of {s} is with {o}."),
    "launched": ("{s} launched in {o}.", "The launch of {s} was in {o}."),
    "built_by": ("The {o} team builds {s}.", "{s} is built by the {o} team."),
    "led_by": ("{o} leads the {s} team.", "The {s} team is led by {o}."),
    "sits": ("The {s} team sits in {o}.", "The office of the {s} team is in {o}."),
    "lives": ("{s} lives in {o}.",),
    "joined": ("{s} joined the company in {o}.",),
    "visited": ("{s} visited {o}.",),
    "praised": ("{s} praised {o}.",),
    "shown": ("{s} was shown in {o}.",),
    "hired": ("The {s} team hired {o}.",),
}

FULL = Vocabulary(
    pools={
        "first": words.FIRST,
        "last": words.LAST,
        "teams": words.TEAMS,
        "products": words.PRODUCTS,
        "customers": words.CUSTOMERS,
        "suffixes": words.SUFFIXES,
        "projects": words.PROJECTS,
        "cities": words.CITIES,
        "concerns": words.CONCERNS,
        "industries": words.INDUSTRIES,
        "plans": words.PLANS,
        "years": words.YEARS,
    },
    sentences=FULL_SENTENCES,
)


class Names:
    """Gives every thing a name of its own: from the pools in random order, then made of syllables."""

    def __init__(self, vocabulary: Vocabulary, rng: random.Random) -> None:
        self._rng, self._vocabulary = rng, vocabulary
        self._piles = {kind: self._pile(kind) for kind in ("people", "teams", "products", "customers", "projects")}
        # What many things share is no thing's name.
        self._taken = {word for pool in set(VALUE_POOLS.values()) for word in vocabulary.pools.get(pool, ())}

    def _pile(self, kind: str) -> list[str]:
        pools = self._vocabulary.pools
        if kind == "people":
            pile = [f"{first} {last}" for first in pools["first"] for last in pools["last"]]
        else:
            pile = list(pools.get(kind, ()))
        self._rng.shuffle(pile)
        return pile

    def take(self, kind: str) -> str:
        """Never the same name twice, whatever it names."""
        pile = self._piles[kind]
        while True:
            stem = pile.pop() if pile else self._invented(kind)
            name = f"{stem} {self._rng.choice(self._suffixes)}" if kind == "customers" and self._suffixes else stem
            if self.claim(name):
                return name

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return self._vocabulary.pools.get("suffixes", ())

    def _invented(self, kind: str) -> str:
        one = words.invented_name(self._rng)
        return f"{one} {words.invented_name(self._rng)}" if kind == "people" else one

    def claim(self, name: str) -> bool:
        """False where the name is taken."""
        if name in self._taken:
            return False
        self._taken.add(name)
        return True

    def alias(self, customer: str) -> str:
        """`Vantor Logistics` -> `Vanlog`, or an invented name where two customers would share it."""
        stem, _, suffix = customer.partition(" ")
        short = f"{stem[:3]}{suffix[:3]}".capitalize()
        while not self.claim(short):
            short = words.invented_name(self._rng)
        return short
