"""Scripted, deliberately imperfect demonstrators: what the base policy is cloned from.

They read the same text that the policy reads and answer with the text of one turn. Their noise (wrong keyword, stopping
after the first hop, quoting the wrong note) leaves room for reinforcement learning to improve on them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from karl.tiny.world import Fact, Hop, Question

KEYWORDS = {
    "leads": "leads",
    "lives": "lives",
    "builds": "builds",
    "sits": "sits",
    "launched": "launched",
    "uses": "uses",
    "based": "based",
    "raised": "concern",
    "manages": "looks after",
}
# Queries that miss: a keyword of another relation that the same entity has.
MISLEADING = {
    "leads": ("sits", "builds", "hired"),
    "lives": ("leads", "looks after", "visited"),
    "builds": ("uses", "launched", "shown"),
    "launched": ("uses", "builds", "praised"),
    "uses": ("based", "concern", "praised"),
    "raised": ("based", "uses", "renewed"),
    "manages": ("uses", "based", "renewed"),
    "sits": ("leads", "builds", "hired"),
    "based": ("uses",),
}
_NOTE = re.compile(r"\[(\d+)\] ([^\n\[<]+)")


@dataclass(frozen=True, slots=True)
class Noise:
    """Probabilities of each kind of mistake."""

    misleading_query: float = 0.25
    bare_query: float = 0.45
    stop_early: float = 0.55
    wrong_note: float = 0.15  # after a search that missed
    misquote: float = 0.3  # any note shown instead of the one that was found
    drop_fact: float = 0.15  # from a summary
    wrong_answer: float = 0.10  # of a generated question
    malformed: float = 0.04


def shown_notes(text: str) -> dict[str, int]:
    """Sentences that the conversation shows as `[n] sentence`, with their numbers, in order."""
    return {match[2].strip(): int(match[1]) for match in _NOTE.finditer(text)}


def cite(sentence: str, number: int) -> str:
    return f"[{number}] {sentence}"


def value_of(fact: Fact, entity: str) -> str:
    return fact.object if fact.subject == entity else fact.subject


def query_for(hop: Hop, *, noise: Noise, rng: random.Random) -> str:
    draw = rng.random()
    if draw < noise.bare_query:
        return hop.entity
    if draw < noise.bare_query + noise.misleading_query:
        return f"{hop.entity} {rng.choice(MISLEADING[hop.relation])}"
    return f"{hop.entity} {KEYWORDS[hop.relation]}"


def search(query: str) -> str:
    return f"<search>{query}</search>"


def answer(text: str) -> str:
    return f"<answer>{text}</answer>"


@dataclass
class SolverDemonstrator:
    """Solves one question, hop by hop; `act` reads the visible conversation and returns the next turn."""

    question: Question
    rng: random.Random
    noise: Noise = field(default_factory=Noise)
    patience: int = 3
    _hop: int = 0
    _tries: int = 0

    def act(self, text: str) -> str:
        notes = shown_notes(text)
        quotes: list[str] = []
        while self._hop < len(self.question.hops):
            hop = self.question.hops[self._hop]
            found = [fact for fact in hop.facts if fact.sentence in notes]
            if not found:
                return self._look_up(hop, notes, quotes)
            if len(found) < len(hop.facts) and self._tries < 2 and self.rng.random() < 0.5:
                return self._look_up(hop, notes, quotes)
            earlier = list(quotes)
            quotes += [cite(fact.sentence, notes[fact.sentence]) for fact in found]
            self._hop, self._tries = self._hop + 1, 0
            values = [value_of(fact, hop.entity) for fact in found]
            if self._hop == len(self.question.hops) or self.rng.random() < self.noise.stop_early:
                if self.rng.random() < self.noise.misquote:
                    return self._guess(notes, earlier)
                return " ".join([*quotes, answer(", ".join(values))])
        raise AssertionError("every question has a last hop")

    def _look_up(self, hop: Hop, notes: dict[str, int], quotes: list[str]) -> str:
        self._tries += 1
        misread = bool(notes) and self.rng.random() < self.noise.wrong_note
        if self._tries > self.patience or (misread and self._tries > 1):
            return self._guess(notes, quotes)
        return " ".join([*quotes, search(query_for(hop, noise=self.noise, rng=self.rng))])

    def _guess(self, notes: dict[str, int], quotes: list[str]) -> str:
        if not notes:
            return answer("unknown")
        sentence = self.rng.choice(list(notes))
        last_word = sentence.rstrip(".").split()[-1]
        return " ".join([*quotes, cite(sentence, notes[sentence]), answer(last_word)])

    def summarise(self, text: str) -> str:
        """What a compression keeps: the facts of the proof that were seen, some of them forgotten."""
        notes = shown_notes(text)
        seen = [fact for hop in self.question.hops for fact in hop.facts if fact.sentence in notes]
        kept = [fact for fact in seen if self.rng.random() >= self.noise.drop_fact]
        text = " ".join(cite(fact.sentence, notes[fact.sentence]) for fact in kept)
        return f"<summary>{text or 'nothing'}</summary>"


def starting_questions(asked: Sequence[Question]) -> dict[str, list[Question]]:
    """Name -> the questions whose proof starts at it."""
    starts: dict[str, list[Question]] = defaultdict(list)
    for question in asked:
        starts[question.hops[0].entity].append(question)
    return starts


@dataclass
class GeneratorDemonstrator:
    """Starts at a seed note, looks up what a question about it needs, and writes question and answer."""

    question: Question
    rng: random.Random
    noise: Noise = field(default_factory=Noise)
    patience: int = 2
    _hop: int = 0
    _tries: int = 0

    def act(self, text: str) -> str:
        notes = shown_notes(text)
        quotes: list[str] = []
        for hop in self.question.hops[self._hop :]:
            found = [fact for fact in hop.facts if fact.sentence in notes]
            if len(found) < len(hop.facts) and self._tries < self.patience:
                self._tries += 1
                return " ".join([*quotes, search(query_for(hop, noise=self._careful(), rng=self.rng))])
            quotes += [cite(fact.sentence, notes[fact.sentence]) for fact in found]
            self._hop, self._tries = self._hop + 1, 0
        return " ".join([*quotes, self._candidate(notes)])

    def _careful(self) -> Noise:
        return Noise(misleading_query=self.noise.misleading_query / 3, bare_query=self.noise.bare_query / 3)

    def _candidate(self, notes: dict[str, int]) -> str:
        text = self.question.answer
        if notes and self.rng.random() < self.noise.wrong_answer:
            text = self.rng.choice(list(notes)).rstrip(".").split()[-1]
        if self.rng.random() < self.noise.malformed:
            return f"<question>{self.question.text}</question>"
        return f"<question>{self.question.text}</question>{answer(text)}"


def aggregate(answers: Sequence[str]) -> str:
    """The most frequent answer, the first one on a tie."""
    given = [text.strip() for text in answers] or ["unknown"]
    return answer(max(dict.fromkeys(given), key=given.count))
