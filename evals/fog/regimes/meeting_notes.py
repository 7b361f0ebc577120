"""Fact lists over internal meeting notes: all actions that one person took on for one project, and when each is due."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from evals.fog.facts import spoken
from evals.fog.query import Condition, Draft, Query
from evals.fog.regimes.phrases import asked, leader
from evals.fog.world import World
from evals.items import Nugget

VERBS = ("send", "check", "draft", "order", "review", "rework", "collect", "translate", "archive", "approve")
THINGS = (
    "audit report",
    "travel plan",
    "price list",
    "test protocol",
    "floor plan",
    "staff rota",
    "signed contract",
    "risk register",
    "press release",
    "training slides",
    "cost estimate",
    "supplier survey",
)
REMARKS = (
    "The minutes of the last meeting were accepted.",
    "The room was too warm, as some remarked.",
    "The plan for the quarter was shown again and nobody objected.",
    "The budget was not discussed.",
    "Questions about holidays go to the staff office.",
)


@dataclass
class Action:
    """`{person} will {task} by {due}.`"""

    person: str
    task: str
    due: str

    @property
    def sentence(self) -> str:
        return f"{self.person} will {self.task} by {self.due}."


@dataclass
class Meeting:
    project: str
    day: date
    actions: list[Action] = field(default_factory=list)


def plant(world: World) -> Draft:
    person, described, lookup = leader(world, hops=world.settings.hops)
    project, other_project = world.names.take("projects"), world.names.take("projects")
    meetings = _meetings(world, project)
    actions = [_place(world, meetings, person) for _ in range(world.settings.list_length)]
    near = [_near_miss(world, meetings, other_project, person, number) for number in range(world.settings.distractors)]
    for meeting in meetings:
        _write(world, meeting)
    texts = [f"{action.task} by {action.due}" for action in actions]
    question = f"Which actions did {described} take on in the meetings of project {project}, and when is each due?"
    return Draft(
        regime="meeting_notes",
        question=asked(world, question),
        query=Query(
            (
                Condition(("owner",), lookup, f"was taken on by {described}"),
                Condition(("project",), project, f"belongs to project {project}"),
            ),
            (("due",),),
        ),
        rows={action.task: (action.due,) for action in actions},
        reference="; ".join(texts),
        nuggets=tuple(Nugget(text=text) for text in texts),
        things="actions",
        near=tuple(near),
    )


def _meetings(world: World, project: str) -> list[Meeting]:
    """In order of time; the first is the one whose statements later ones overrule."""
    count = max(2, (world.settings.list_length + 1) // 2)
    start = world.day()
    return [Meeting(project, start + timedelta(days=14 * number)) for number in range(count)]


def _task(world: World) -> str:
    while True:
        made = f"{world.pick(VERBS)} the {world.pick(THINGS)} for the {world.names.take('customers')} account"
        if world.names.claim(made):
            return made


def _due(world: World, *, but: str = "") -> str:
    return world.pick([spoken(date(2025, 2, 1) + timedelta(days=days)) for days in range(0, 300, 3)], but=[but])


def _place(world: World, meetings: list[Meeting], person: str) -> Action:
    """One action of the answer; where notes conflict, the first meeting set another day."""
    action = Action(person, _task(world), _due(world))
    if world.chance(world.settings.conflicts):
        meetings[0].actions.append(Action(person, action.task, _due(world, but=action.due)))
        world.rng.choice(meetings[1:]).actions.append(action)
    else:
        world.rng.choice(meetings).actions.append(action)
    return action


def _near_miss(world: World, meetings: list[Meeting], other_project: str, person: str, number: int) -> str:
    """Someone else's action of the project, or the person's in another project."""
    if number % 2:
        day = meetings[-1].day + timedelta(days=3 + number)
        action = Action(person, _task(world), _due(world))
        _write(world, Meeting(other_project, day, [action]))
        return action.task
    action = Action(world.names.take("people"), _task(world), _due(world))
    world.rng.choice(meetings[1:]).actions.append(action)
    if world.chance(world.settings.conflicts):
        meetings[0].actions.append(Action(person, action.task, action.due))
    return action.task


def _write(world: World, meeting: Meeting) -> None:
    world.rng.shuffle(meeting.actions)
    lines = [f"Meeting of project {meeting.project} on {spoken(meeting.day)}.", world.pick(REMARKS)]
    lines += [action.sentence for action in meeting.actions]
    lines.append(world.pick(REMARKS, but=[lines[1]]))
    triples = [
        triple
        for action in meeting.actions
        for triple in (
            ("owner", action.task, action.person),
            ("project", action.task, meeting.project),
            ("due", action.task, action.due),
        )
    ]
    title = f"Minutes of project {meeting.project}"
    world.write("meetings", title, "\n\n".join(lines), triples, day=meeting.day)
