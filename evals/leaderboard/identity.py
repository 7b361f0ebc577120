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
    """`STATED`: the document does not name everything that is hashed, as of a graph that runs others or functions."""

    RECOMPUTED = "recomputed"
    STATED = "stated"
    WRONG = "wrong"


def identity_of(document: EvaluationDocument) -> Identity:
    if identity_sha256(document) == document.sha256:
        return Identity.RECOMPUTED
    graphs = any(one.entry.graphs for one in document.systems)
    return Identity.STATED if graphs else Identity.WRONG


def identity_sha256(document: EvaluationDocument) -> str:
    """As `karl eval` makes it, for systems whose graphs run no other graphs and no functions."""
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
        "url": entry.given.partition("#")[0].rstrip("/") if entry.kind == "endpoint" else "",
        "graphs": {task: _graph(graph) for task, graph in entry.graphs.items()},
    }


def _graph(graph: GraphEntry) -> list[str]:
    return [graph.sha256, *(sha256 for _, sha256 in sorted(graph.prompt_sha256.items()))]


def _sha256(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
