"""Reads a fog's written files as a person would: sentences by regular expressions, questions by their wording.

It shares nothing with the generator: no fact base, no templates, no solver.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path

NAME = r"(?P<{}>[A-Z]\w+(?: [A-Z]\w+)?)"
S, V = NAME.format("s"), NAME.format("o")
SENTENCES: list[tuple[str, str]] = [
    ("alias", f"{S} also trades as {V}"),
    ("alias", f"{V} is another name of {S}"),
    ("based", f"{S} is based in {V}"),
    ("based", f"The head office of {S} is in {V}"),
    ("industry", f"{S} works in (?P<o>[a-z ]+)"),
    ("industry", f"The business of {S} is (?P<o>[a-z ]+)"),
    ("uses", f"{S} uses {V}"),
    ("uses", f"{V} is the product that {S} uses"),
    ("plan", f"{S} is on the {V} plan"),
    ("plan", f"The contract of {S} is on the {V} plan"),
    ("raised", f"{S} raised a concern about (?P<o>[a-z]+)"),
    ("manager", f"{V} looks after {S}"),
    ("manager", f"The account of {S} is with {V}"),
    ("launched", rf"{S} launched in (?P<o>\w+ \d+)"),
    ("launched", rf"The launch of {S} was in (?P<o>\w+ \d+)"),
    ("team", f"The {V} team builds {S}"),
    ("team", f"{S} is built by the {V} team"),
    ("leader", f"{V} leads the {S} team"),
    ("leader", f"The {S} team is led by {V}"),
    ("office", f"The {S} team sits in {V}"),
    ("office", f"The office of the {S} team is in {V}"),
    ("home", f"{S} lives in {V}"),
    ("renewed", rf"{S} renewed in (?P<o>\w+ \d+)"),
]
# What a condition of a question says: pattern -> relations from the customer to the value.
CONDITIONS: list[tuple[str, tuple[str, ...]]] = [
    (rf"(?:is|are) based in {V}", ("based",)),
    (r"works? in (?P<o>[a-z]+ [a-z]+)(?=,| and |\?|\.)", ("industry",)),
    (rf"(?:is|are) on the {V} plan", ("plan",)),
    (r"raised a concern about (?P<o>[a-z]+)", ("raised",)),
    (rf"use[sd]? the product that the {V} team builds", ("uses", "team")),
    (rf"use[sd]? the product of the team that {V} leads", ("uses", "team", "leader")),
    (rf"use[sd]? {V}(?=,| and |\?|\.| raise)", ("uses",)),
]


@dataclass
class Reading:
    """(relation, subject) -> statements as (day, value); newest last once sorted."""

    said: dict[tuple[str, str], list[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(list))
    full_name: dict[str, str] = field(default_factory=dict)
    steps: dict[str, list[tuple[datetime, list[str], str]]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, list[tuple[datetime, dict[tuple[str, int], Fraction]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    actions: dict[str, list[tuple[datetime, str, str, str]]] = field(default_factory=lambda: defaultdict(list))

    def get(self, relation: str, subject: str) -> str:
        """The newest statement, whatever name the subject is called by; "" where there is none."""
        statements = self.said.get((relation, self.full_name.get(subject, subject)), [])
        newest = max((day for day, _ in statements), default=None)
        values = {value for day, value in statements if day == newest}
        assert len(values) <= 1, f"{relation} of {subject}: {values}"
        return next(iter(values), "")

    def follow(self, subject: str, relations: tuple[str, ...]) -> str:
        for relation in relations:
            subject = self.get(relation, subject)
        return subject

    def subjects(self, relation: str) -> list[str]:
        return [subject for held, subject in self.said if held == relation]


def read(folder: Path) -> Reading:
    reading = Reading()
    texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    statements: list[tuple[str, str, str, datetime]] = []
    for text in texts.values():
        body = text.split("---\n", 2)[2].strip()
        dated = re.match(r"Date: (\d+ \w+ \d+)\n\n", body)
        day = datetime.strptime(dated[1], "%d %B %Y") if dated else datetime(2000, 1, 1)  # noqa: DTZ007, DTZ001
        body = body[dated.end() :] if dated else body
        special = next((r for start, r in READERS.items() if body.startswith(start)), None)
        if special:
            special(reading, body, day)
        else:
            statements += [(*found, day) for found in map(_statement, re.split(r"(?<=\.) ", body)) if found]
    reading.full_name = {value: subject for relation, subject, value, _ in statements if relation == "alias"}
    for relation, subject, value, day in statements:
        reading.said[relation, reading.full_name.get(subject, subject)].append((day, value))
    return reading


def _statement(sentence: str) -> tuple[str, str, str] | None:
    for relation, pattern in SENTENCES:
        found = re.fullmatch(pattern + r"\.", sentence)
        if found:
            return relation, found["s"], found["o"]
    return None


def _procedure(reading: Reading, body: str, day: datetime) -> None:
    name = re.match(r"How to (.+)\.\n", body)
    assert name
    first = re.search(r"Before you begin, (.+): that", body)
    steps = [step[0].lower() + step[1:] for step in re.findall(r"^\d+\. (.+)\.$", body, re.MULTILINE)]
    reading.steps[name[1]].append((day, steps, first[1] if first else ""))


def _filing(reading: Reading, body: str, day: datetime) -> None:
    company = re.match(r"# Annual report \d+ of (.+)\n", body)
    assert company
    cells: dict[tuple[str, int], Fraction] = {}
    for scale, table in re.findall(r"in (thousand|million)s of \w+\.\n\n```\n(.*?)\n```", body, re.DOTALL):
        header, *rows = table.splitlines()
        years = [int(year) for year in header.split()]
        for row in rows:
            label, *values = re.split(r" {2,}", row.strip())
            for year, value in zip(years, values, strict=True):
                factor = 1000 if scale == "thousand" else 1_000_000
                cells[label, year] = Fraction(value.replace(",", "")) * factor
    reading.tables[company[1]].append((day, cells))


def _meeting(reading: Reading, body: str, day: datetime) -> None:
    project = re.match(r"Meeting of project (\w+) on", body)
    assert project
    for person, task, due in re.findall(r"^(\w+ \w+) will (.+) by (\d+ \w+ \d+)\.$", body, re.MULTILINE):
        reading.actions[task].append((day, person, due, project[1]))


READERS: dict[str, Callable[[Reading, str, datetime], None]] = {
    "How to ": _procedure,
    "# Annual report": _filing,
    "Meeting of project": _meeting,
}


def conditions(question: str) -> list[tuple[tuple[str, ...], str]]:
    """(relations, value) of every condition that the question states."""
    found: list[tuple[tuple[str, ...], str]] = []
    for pattern, relations in CONDITIONS:
        match = re.search(pattern, question)
        if match and not any(known[0] == "uses" for known, _ in found if relations[0] == "uses"):
            found.append((relations, match["o"]))
    return found


def missed(reading: Reading, question: str) -> dict[str, list[str]]:
    """Customer -> first relations of the conditions that it fails."""
    asked = conditions(question)
    return {
        customer: [relations[0] for relations, value in asked if reading.follow(customer, relations) != value]
        for customer in dict.fromkeys(reading.subjects("uses"))
    }


def matching(reading: Reading, question: str) -> set[str]:
    return {customer for customer, failed in missed(reading, question).items() if not failed}


def _inverse(reading: Reading, relation: str, value: str) -> str:
    found = [s for s in dict.fromkeys(reading.subjects(relation)) if reading.get(relation, s) == value]
    assert len(found) == 1, f"{relation} = {value}: {found}"
    return found[0]


def managed(reading: Reading, text: str) -> str:
    """The customer that a question describes by who looks after it, or names."""
    if found := re.search(rf"looked after by the leader of the {V} team", text):
        return _inverse(reading, "manager", reading.get("leader", found["o"]))
    if found := re.search(rf"looked after by {V}|the customer that {NAME.format('p')} looks after", text):
        return _inverse(reading, "manager", found["o"] or found["p"])
    return reading.full_name.get(text, text)


def product(reading: Reading, described: str) -> str:
    if found := re.fullmatch(r"the product that (.+) uses|the product used by (.+)", described):
        return reading.get("uses", managed(reading, found[1] or found[2]))
    return described


def person(reading: Reading, described: str) -> str:
    if found := re.fullmatch(rf"the person who leads the team that builds {V}", described):
        return reading.follow(found["o"], ("team", "leader"))
    if found := re.fullmatch(rf"the person who leads the {V} team", described):
        return reading.get("leader", found["o"])
    return described


def report(reading: Reading, question: str) -> list[str]:
    """Launch, team, leader, office, the leader's home."""
    described = re.match(r"Write a short report on (.+?): ", question)
    assert described
    found = product(reading, described[1])
    paths = [("launched",), ("team",), ("team", "leader"), ("team", "office"), ("team", "leader", "home")]
    return [reading.follow(found, path) for path in paths]


def steps(reading: Reading, question: str) -> list[str]:
    name = re.match(r"What are all the steps, in order, to (.+?)\?", question)
    assert name
    return _all_steps(reading, name[1])


def _all_steps(reading: Reading, name: str) -> list[str]:
    _, own, first = max(reading.steps[name], key=lambda version: version[0])
    return (_all_steps(reading, first) if first else []) + own


def actions(reading: Reading, question: str) -> set[str]:
    asked = re.match(r"Which actions did (.+) take on in the meetings of project (\w+),", question)
    assert asked
    who = person(reading, asked[1])
    newest = {task: max(said, key=lambda one: one[0]) for task, said in reading.actions.items()}
    return {f"{task} by {due}" for task, (_, owner, due, at) in newest.items() if (owner, at) == (who, asked[2])}


def arithmetic(reading: Reading, question: str) -> Fraction:
    """In euros or dollars, or as a percentage."""
    described = re.search(r'" of (.+?) (?:(?:rise|fall) from|for) ', question)
    assert described
    filings = sorted(reading.tables[managed(reading, described[1])], key=lambda filing: filing[0])
    cells = {cell: value for _, table in filings for cell, value in table.items()}  # the newest filing wins
    labels, years = re.findall(r'"(.+?)"', question), [int(year) for year in re.findall(r"\b20\d\d\b", question)]
    if "percentage" in question:
        return 100 * cells[labels[0], years[0]] / cells[labels[1], years[0]]
    if "add up" in question:
        return sum((cells[label, years[0]] for label in labels), Fraction(0))
    return abs(cells[labels[0], years[0]] - cells[labels[0], years[1]])
