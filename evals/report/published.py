"""Table 4 of the KARL paper, as published: its systems, its data, its judge. In percent, as it stands there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evals.tasks import KARLBENCH, TASKS

CITATION = "KARL: Knowledge Agents via Reinforcement Learning, Databricks, arXiv 2603.05218, Table 4"
URL = "https://arxiv.org/abs/2603.05218"
# In the table's own order of columns.
COLUMNS = ("browsecomp_plus", "trec_biogen", "freshstack", "financebench", "qampari", "pmbench")
TRAINED = tuple(name for name in COLUMNS if TASKS[name].spec.trained)
HELD_OUT = tuple(name for name in COLUMNS if not TASKS[name].spec.trained)
assert set(COLUMNS) == set(KARLBENCH)


class Published(NamedTuple):
    """One row. `scores`: task -> percent; None: not in the table."""

    model: str
    scores: Mapping[str, float]
    trained: float | None
    held_out: float | None
    total: float | None


def _row(
    model: str,
    scores: tuple[float, ...],
    trained: float | None = None,
    held_out: float | None = None,
    total: float | None = None,
) -> Published:
    # A row of fewer scores is one that was measured on the first tasks alone.
    return Published(model, dict(zip(COLUMNS, scores, strict=False)), trained, held_out, total)


TABLE_4 = (
    _row("GLM 4.5 Air (base)", (44.7, 66.0, 52.9, 72.7, 45.9, 33.4), 55.4, 51.2, 52.6),
    _row("KARL", (58.5, 80.2, 55.2, 76.0, 47.8, 35.7), 69.4, 53.7, 58.9),
    _row("KARL, N = 3", (62.2, 83.7, 57.7, 80.8, 55.1, 44.8), 73.0, 59.6, 64.1),
    _row("KARL, N = 10", (67.5, 86.7, 58.6, 84.5, 59.7, 47.8), 77.1, 62.7, 67.5),
    _row("KARL, N = 20", (69.5, 86.7, 58.1, 84.2, 60.8, 49.0), 78.1, 63.0, 68.1),
    _row("KARL-TREC", (42.2, 85.0, 56.7, 68.3, 50.8, 37.5), 63.6, 53.3, 56.8),
    _row("KARL-BCP", (59.6, 68.0, 51.6, 77.0, 44.1, 32.4), 62.3, 51.3, 55.5),
    _row("KARL-BCP with VGS, N = 17", (70.4,)),
    _row("GPT 5", (68.3, 68.2, 55.6, 86.7, 44.4, 37.5), total=60.1),
    _row("GPT 5.2", (47.8, 62.0, 47.9, 80.3, 41.1, 37.9), total=52.8),
    _row("Claude 4.5 Sonnet", (54.6, 75.2, 55.0, 79.3, 54.8, 32.6), total=58.6),
    _row("Claude 4.6 Sonnet", (57.9, 77.7, 62.6, 81.3, 50.2, 43.8), total=62.3),
    _row("Claude 4.6 Opus", (75.9, 79.9, 61.4, 83.0, 58.6, 46.1), total=67.5),
)
