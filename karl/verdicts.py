"""What judges decided about a question, as rows that name the graph that asked them and its functions."""

from __future__ import annotations

from agents.judges import Quality
from graphs.dedup import Decision
from graphs.functions import function_hashes
from graphs.schema import GraphSpec
from store.models import Judgement, Task


def quality_judgement(task: Task, verdict: Quality, graph: GraphSpec) -> Judgement:
    """The quality judge's verdict as a row."""
    return Judgement(
        key=f"{task.key}/quality",
        task_id=task.id,
        kind="quality",
        judge=verdict.judge,
        prompt_sha256=verdict.prompt_sha256,
        labels=["valid" if verdict.valid else "invalid"],
        reason="; ".join(verdict.reasons),
        graph=graph.name,
        graph_sha256=graph.sha256,
        function_sha256=function_hashes(graph),
    )


def duplicate_judgement(task: Task, decision: Decision, graph: GraphSpec) -> Judgement:
    """Why a question was dropped as a repetition: the judge's verdict, or equal words."""
    verdict = decision.verdict
    return Judgement(
        key=f"{task.key}/duplicate",
        task_id=task.id,
        kind="duplicate",
        judge=verdict.judge if verdict else "equal words",
        prompt_sha256=verdict.prompt_sha256 if verdict else "",
        labels=["duplicate"],
        reason=f"{decision.reason}: {decision.of}",
        graph=graph.name,
        graph_sha256=graph.sha256,
        function_sha256=function_hashes(graph),
    )
