"""Which checkpoint was trained on which dataset, and which dataset was sampled by which checkpoint."""

from __future__ import annotations

from typing import Any

from store import queries
from store.models import Checkpoint, Dataset
from store.session import Store


def lineage(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Rows of datasets and checkpoints, oldest first, each with the names of what it came from. JSON-ready."""
    with store.session() as session:
        checkpoints, datasets = queries.checkpoints(session), queries.datasets(session)
        runs = {run.id: run.name for run in queries.runs(session)}
    names = {row.id: row.name for row in checkpoints}
    sets = {row.id: row.name for row in datasets}
    return {
        "datasets": [_dataset(row, runs[row.run_id]) for row in datasets],
        "checkpoints": [_checkpoint(row, names.get(row.parent_id), sets.get(row.dataset_id)) for row in checkpoints],
    }


def _dataset(row: Dataset, run: str) -> dict[str, Any]:
    return {
        "name": row.name,
        "run": run,
        "iteration": row.iteration,
        "policy_version": row.policy_version,
        "groups": row.group_count,
        "rollouts": row.rollout_count,
        "segments": row.segment_count,
        "trained_tokens": row.trained_token_count,
        "sha256": row.sha256,
    }


def _checkpoint(row: Checkpoint, parent: str | None, dataset: str | None) -> dict[str, Any]:
    return {
        "name": row.name,
        "algorithm": str(row.algorithm),
        "policy_version": row.policy_version,
        "dataset": dataset,
        "parent": parent,
        "path": row.path,
        "sha256": row.weights_sha256,
    }
