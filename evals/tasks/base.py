"""A task: its declaration and the two functions that turn its data into items and into documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem
from evals.tasks.reading import Reading
from evals.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Task:
    """`items`: the questions of the reading's split; `documents`: chunks of its corpus.

    Both raise UsageError naming file, line and key. `corpus_folder`: where `karl ingest` reads the documents itself
    (PDFs, a page a chunk), the folder of theirs in the data; the task then has no `documents`.
    """

    spec: TaskSpec
    items: Callable[[Reading], Iterable[EvalItem]]
    documents: Callable[[Reading], Iterable[CorpusDocument]] | None = None
    corpus_folder: str = ""

    def __post_init__(self) -> None:
        if (self.documents is None) != bool(self.corpus_folder):
            raise ValueError(f"{self.spec.name}: either documents or corpus_folder")
