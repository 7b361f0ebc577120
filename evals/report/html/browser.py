"""The failure browser's questions: what is shown of each, and the marks by which the page's filters find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evals.report.document import Generation, Question
from evals.report.joined import Joined
from evals.report.sections.comparisons import mean_score
from evals.report.text import percent
from evals.report.traces import Trace

RIGHT, PARTLY, WRONG, NONE = "right", "partly", "wrong", "none"
SAID = {RIGHT: "right", PARTLY: "right at times", WRONG: "wrong", NONE: "no score"}


class Answered(NamedTuple):
    """A generation with its trace, where one is embedded."""

    made: Generation
    trace: Trace | None


@dataclass(frozen=True, slots=True)
class Share:
    """What one system made of a question. `state`: right, partly, wrong, or none without a score."""

    label: str
    state: str
    mean: str
    generations: tuple[Answered, ...]

    @property
    def said(self) -> str:
        return SAID[self.state]

    @property
    def statuses(self) -> set[str]:
        """As the filter knows them: those of the rollouts, and what the judge failed on."""
        found = {one.made.status for one in self.generations}
        unjudged = any(one.made.status == "finished" and one.made.score is None for one in self.generations)
        return {*found, *(["unjudged"] if unjudged else [])}


@dataclass(frozen=True, slots=True)
class Entry:
    """`shares` in the order of the columns; a system that was not asked has none."""

    number: int
    question: Question
    shares: tuple[Share, ...]
    states: str
    statuses: str


def entries(joined: Joined, traces: Mapping[str, Trace]) -> list[Entry]:
    labels = [column.label for column in joined.columns]
    thresholds = {column.label: column.document.settings.threshold for column in joined.columns}
    found: list[Entry] = []
    for number, row in enumerate(joined.rows):
        shares = [
            _share(label, row.answers[label], thresholds[label], traces) for label in labels if label in row.answers
        ]
        states = {share.label: share.state for share in shares}
        statuses = {share.label: sorted(share.statuses) for share in shares}
        found.append(
            Entry(
                number=number,
                question=row.question,
                shares=tuple(shares),
                # By place, so that no label is compared in the page.
                states=" ".join(states.get(label, NONE) for label in labels),
                statuses=" ".join(",".join(statuses.get(label, [])) or NONE for label in labels),
            )
        )
    return found


def _share(label: str, generations: Sequence[Generation], threshold: float, traces: Mapping[str, Trace]) -> Share:
    return Share(
        label=label,
        state=state_of(generations, threshold),
        mean=percent(mean_score(generations)),
        generations=tuple(Answered(one, traces.get(one.rollout)) for one in generations),
    )


def state_of(generations: Sequence[Generation], threshold: float) -> str:
    right = [one.score >= threshold for one in generations if one.score is not None]
    if not right:
        return NONE
    return RIGHT if all(right) else PARTLY if any(right) else WRONG
