"""A company under construction: names, facts and the documents that state them, up to the size that was asked for."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from evals.fog.facts import Document, Fact, spoken
from evals.fog.settings import FogSettings
from evals.fog.vocabulary import Names, Vocabulary

FIRST_DAY, DAYS = date(2024, 1, 8), 330  # when current documents are dated
UNDATED = date(2024, 1, 1)  # of the small vocabulary's notes, which show no date
Triple = tuple[str, str, str]


class Mark(NamedTuple):
    """How much there was."""

    facts: int
    documents: int
    lines: int


class Line(NamedTuple):
    """A product, the team that builds it, who leads the team."""

    product: str
    team: str
    leader: str


class World:
    """Everything is drawn from one random source in one order: the same settings make the same company."""

    def __init__(self, settings: FogSettings, vocabulary: Vocabulary) -> None:
        self.settings, self.vocabulary = settings, vocabulary
        # A string seeds by its digest, which no process changes.
        self.rng = random.Random(f"fog/{settings.seed}")
        self.names = Names(vocabulary, self.rng)
        self.facts: list[Fact] = []
        self.documents: list[Document] = []
        self.lines: list[Line] = []
        self.aliases: dict[str, str] = {}
        self._keys: set[str] = set()

    @property
    def small(self) -> bool:
        return self.settings.vocabulary == "small"

    @property
    def full_up(self) -> bool:
        return len(self.documents) >= self.settings.size

    def mark(self) -> Mark:
        return Mark(len(self.facts), len(self.documents), len(self.lines))

    def roll_back(self, mark: Mark) -> None:
        """Forget what was written since; its names stay taken, of which there are any number."""
        self._keys -= {document.key for document in self.documents[mark.documents :]}
        del self.facts[mark.facts :]
        del self.documents[mark.documents :]
        del self.lines[mark.lines :]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, pool: Sequence[str], *, but: Iterable[str] = ()) -> str:
        left_out = set(but)
        return self.rng.choice([value for value in pool if value not in left_out])

    def day(self) -> date:
        return UNDATED if self.small else FIRST_DAY + timedelta(days=self.rng.randrange(DAYS))

    def before(self, day: date) -> date:
        return day - timedelta(days=self.rng.randint(60, 900))

    def called(self, customer: str) -> str:
        """What a question calls it: by its other name where it has one."""
        return self.aliases.get(customer, customer)

    def sentence(self, triple: Triple, *, surface: str = "") -> str:
        relation, subject, object_ = triple
        return self.rng.choice(self.vocabulary.sentences[relation]).format(s=surface or subject, o=object_)

    def key(self, folder: str) -> str:
        """Random numbers: neighbours in a folder say nothing about one another."""
        limit = 10 * self.settings.size
        while True:
            key = f"{folder}/{self.rng.randrange(limit):0{len(str(limit))}d}.md"
            if key not in self._keys:
                self._keys.add(key)
                return key

    def state(
        self, folder: str, title: str, triples: Sequence[Triple], *, day: date | None = None, alias: str = ""
    ) -> None:
        """One document that states the facts; in the small vocabulary one note for each of them.

        `alias`: what the document calls the subject of all its facts.
        """
        if not self.small:
            body = " ".join(self.sentence(triple, surface=alias) for triple in triples)
            self.write(folder, title, body, triples, day=day or self.day(), alias_used=bool(alias))
            return
        for triple in triples:
            body = self.sentence(triple)
            self.write("notes", self.vocabulary.titles.get(triple[0], "Note"), body, [triple], day=UNDATED)

    def write(
        self,
        folder: str,
        title: str,
        body: str,
        triples: Iterable[Triple],
        *,
        day: date,
        alias_used: bool = False,
    ) -> None:
        """A document with this body, and the facts that it states."""
        key = self.key(folder)
        dated = body if self.small else f"Date: {spoken(day)}\n\n{body}"
        self.documents.append(Document(key, title, dated))
        self.facts += [Fact(*triple, key, day, alias_used) for triple in triples]

    def overrule(self, triple: Triple) -> None:
        """An older document says `triple`, which a current one contradicts."""
        # From the end: what is overruled was planted just before.
        current = next(fact for fact in reversed(self.facts) if (fact.relation, fact.subject) == triple[:2])
        self.state("archive", "Note from the archive", [triple], day=self.before(current.date))
