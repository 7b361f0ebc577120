"""The hash of an evaluation, worked out once more from what its document says was asked, of whom, and who judged."""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from typing import Any

from evals.report.document import EvaluationDocument, GraphEntry, SystemEntry

_SECOND = re.compile(r"~[0-9a-f]{8}\Z")  # of an arm whose system's name was that of an earlier version


class Identity(StrEnum):
    """`STATED`: the document is of before graphs named everything that is hashed, and has such a graph."""

    RECOMPUTED = "recomputed"
    STATED = "stated"
    WRONG = "wrong"


def identity_of(document: EvaluationDocument) -> Identity:
    graphs = [graph for one in document.systems for graph in one.entry.graphs.values()]
    if not all(map(_consistent, graphs)):
        return Identity.WRONG
    if identity_sha256(document) == document.sha256:
        return Identity.RECOMPUTED
    return Identity.STATED if any(not graph.hashes for graph in graphs) else Identity.WRONG


def identity_sha256(document: EvaluationDocument) -> str:
    """As `karl eval` makes it. Where a graph has no `hashes`: as if it ran no other graphs and no functions."""
    settings = document.settings
    setup = {
        "tasks": {
            task.name: {
                "items": task.items_sha256,
                "corpus": task.corpus.sha256,
                "embedder": task.corpus.embedder,
            }
            for task in document.tasks
        },
        "samples": settings.samples,
        "temperature": settings.temperature,
        "seed": settings.seed,
    }
    arms = {_SECOND.sub("", one.entry.name): _arm(one.entry) for one in document.systems}
    judge = settings.judge.model_dump()
    return _sha256({"setup": setup, "arms": arms, "judge": judge, "threshold": settings.threshold})


def _arm(entry: SystemEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": "" if entry.kind == "checkpoint" else entry.model,
        "sha256": entry.sha256,
        "url": entry.url or (entry.given.partition("#")[0].rstrip("/") if entry.kind == "endpoint" else ""),
        "graphs": {task: _graph(graph) for task, graph in entry.graphs.items()},
    }


def _consistent(graph: GraphEntry) -> bool:
    """What is shown of a graph is among what is hashed."""
    return not graph.hashes or (
        graph.hashes[0] == graph.sha256 and set(graph.prompt_sha256.values()) <= set(graph.hashes)
    )


def _graph(graph: GraphEntry) -> list[str]:
    return list(graph.hashes) or [graph.sha256, *(sha256 for _, sha256 in sorted(graph.prompt_sha256.items()))]


def _sha256(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
