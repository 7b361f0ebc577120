"""FogBench: a generated company that exercises all six regimes; every question comes with a proof of its answer."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from evals.corpora.document import CorpusDocument
from evals.fog.settings import REGIMES
from evals.items import EvalItem
from evals.loaders.files import existing_folder, find_file
from evals.loaders.notes import read_notes
from evals.tasks.base import Task
from evals.tasks.reading import ALL, Reading
from evals.tasks.spec import Expected, HandSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking
from store.errors import UsageError
from store.jsonfile import json_lines

# Counts are of `karl fogbench make` with its default knobs; another seed or size is another fog, and no mistake.
SPEC = TaskSpec(
    name="fogbench",
    title="FogBench",
    regime="all six, in generated companies",
    by_hand=(HandSource(where="`karl fogbench make --out DATA`", files=("items.jsonl", "documents/**")),),
    licence="ours, generated: Apache-2.0",
    chunking=task_chunking("freshstack"),
    metric=Metric.NUGGETS,
    splits=tuple(Split(name=regime, questions=10) for regime in REGIMES),
    evaluated=ALL,
    expected=Expected(questions=60, chunks=600, nuggets=4.0),
)


def items(reading: Reading) -> Iterator[EvalItem]:
    """Lines as `karl fogbench make` writes them; a question's regime is its split."""
    path = find_file(reading.folder, ("items.jsonl",), what="questions of FogBench")
    for number, line in json_lines(path.read_text(encoding="utf-8")):
        try:
            item = EvalItem.model_validate_json(line)
        except ValidationError as exc:
            error = exc.errors()[0]
            key = ".".join(map(str, error["loc"])) or "line"
            raise UsageError(f"{path}:{number}: {key}: {error['msg']}; make it with `karl fogbench make`") from exc
        if item.kind not in REGIMES:
            raise UsageError(f"{path}:{number}: kind: no regime {item.kind!r}; there are: {', '.join(REGIMES)}")
        if reading.wants(item.kind):
            yield item.model_copy(update={"split": item.kind})


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    """A document is a chunk."""
    for note in read_notes(existing_folder(reading.folder / "documents")):
        if note.error:
            reading.leave_out(note.path, note.error)
        else:
            yield CorpusDocument(note.path, note.text, note.title)


TASK = Task(SPEC, items, documents)
