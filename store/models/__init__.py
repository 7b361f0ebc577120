"""Tables of the store: columns only. Queries live in `store.queries`, migrations in `store/migrations`."""

from store.models.arena import ArenaAnswer, ArenaBattle, ArenaSystem, ArenaVote
from store.models.columns import now
from store.models.corpus import Chunk, Corpus, Document
from store.models.rollout import Rollout, Segment, Step
from store.models.run import Iteration, Judgement, Run, StageProgress, Task
from store.models.training import Checkpoint, Dataset, DatasetRollout, EvalResult, Metric

__all__ = [
    "ArenaAnswer",
    "ArenaBattle",
    "ArenaSystem",
    "ArenaVote",
    "Checkpoint",
    "Chunk",
    "Corpus",
    "Dataset",
    "DatasetRollout",
    "Document",
    "EvalResult",
    "Iteration",
    "Judgement",
    "Metric",
    "Rollout",
    "Run",
    "Segment",
    "StageProgress",
    "Step",
    "Task",
    "now",
]
