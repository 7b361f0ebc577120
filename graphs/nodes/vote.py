"""Choose among the answers of several attempts, by votes or by weight (KARL, section 6)."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.equivalence import AnswerClusters
from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.nodes.weights import weigh
from graphs.schema import VoteNode
from graphs.schema.selection import VOTES
from graphs.state import GraphState, Rollout
from graphs.tally import Choice, tally
from prompts.output import FinalAnswer
from store.errors import UsageError
from store.types import AlternativeRecord, RolloutRecord, StepKind


def vote_node(harness: Harness, node: VoteNode) -> Node:
    """One of the attempts' answers; its confidence is the share that it won. Raises: UsageError without a judge."""
    if node.equivalence == "judge" and harness.judge is None:
        raise UsageError(
            f"graph '{harness.spec.name}' compares answers by a judge and was given none; "
            "configure a judge, or set 'equivalence: match' in its vote node"
        )
    clusters = AnswerClusters(harness.judge if node.equivalence == "judge" else None)

    async def vote(state: GraphState) -> Update:
        rollout = state.rollout
        if rollout is None or not rollout.answers:
            raise ValueError(f"the vote node of '{harness.spec.name}' has no answers; put a parallel node before it")
        strategy = node.strategy or VOTES.get(state.outcome)
        if strategy is None:
            raise ValueError(f"the vote node of '{harness.spec.name}' follows '{state.outcome}'; give it a 'strategy'")
        attempts_N = [attempt for attempt in rollout.attempts if attempt.answer]
        weights = await weigh(harness, node, attempts_N)
        texts_N = [answer.text for answer in rollout.answers]
        sorted_N = await clusters.sort(texts_N, question=rollout.inputs.question)
        choice = tally(sorted_N, weights.weights_N, strategy=strategy)
        _settle(rollout, attempts_N[choice.answer], rollout.answers[choice.answer], choice)
        _record(rollout, sorted_N, choice, strategy if strategy == "majority" else f"{strategy} by {weights.name}")
        return {"outcome": "ok"}

    return vote


def _settle(rollout: Rollout, attempt: RolloutRecord, answer: FinalAnswer, choice: Choice) -> None:
    """The answer becomes the rollout's own, with the attempt's citations under the numbers that it knew them by."""
    rollout.book.number([chunk for step in attempt.steps for chunk in step.hits])
    cited = rollout.book.number(attempt.citations)
    rollout.answer = FinalAnswer(answer.text, answer.explanation, choice.confidence, tuple(cited))
    rollout.trainable = False  # chosen, not sampled: there are no tokens to train on


def _record(rollout: Rollout, clusters: Sequence[Sequence[int]], choice: Choice, how: str) -> None:
    """One step for the trace: the answers with what each of them won."""
    answers = rollout.answers
    names = [answers[members[0]].text for members in clusters]
    alternatives = [
        AlternativeRecord(name, score, index == choice.cluster)
        for index, (name, score) in enumerate(zip(names, choice.scores, strict=True))
    ]
    lines = [
        f"{score:.2f} {name} ({len(members)} of {len(answers)})"
        for name, score, members in sorted(
            zip(names, choice.scores, clusters, strict=True), key=lambda line: (-line[1], line[2][0])
        )
    ]
    head = f"{how}: {len(answers)} of {len(rollout.attempts)} attempts answered"
    rollout.record(StepKind.ANSWER, "\n".join([head, *lines]), value=choice.confidence, alternatives=alternatives)
