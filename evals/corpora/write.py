"""Write a task's corpus as `karl ingest` reads it: one JSONL file, a given chunk a line, none of them cut again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from evals.corpora.keys import document_of
from evals.loaders.pages import PdfFolder
from evals.tasks import task
from evals.tasks.base import Task
from evals.tasks.load import Shortfall, open_reading
from evals.tasks.reading import ALL, LeftOut, Reading
from evals.tasks.spec import TaskSpec
from store.chunking.tokens import ApproximateTokens, Tokens
from store.errors import UsageError
from store.readers.base import clean

CORPUS_FILE = "corpus.jsonl"
PROGRESS = 10_000  # chunks


@dataclass(frozen=True, slots=True)
class TaskCorpus:
    """What `karl ingest` is given. Of PDFs every page counts as a chunk; the ingestion leaves out blank ones.

    chunking: the policy that leaves the file's chunks whole; None for documents that are cut when they are ingested.
    exact: False where documents were cut without the published tokenizer.
    """

    spec: TaskSpec
    path: Path
    name: str
    documents: int
    chunks: int
    chunking: str | None = None
    exact: bool = True
    shortfalls: tuple[Shortfall, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def command(self) -> str:
        """With the packaged embedder; the published one is `spec.embedder`."""
        policy = ["--chunking", self.chunking] if self.chunking else []
        return shlex.join(["karl", "ingest", str(self.path), "--name", self.name, *policy])


def write_corpus(
    name: str,
    folder: str | Path,
    out: str | Path,
    *,
    split: str | None = None,
    tokens: Tokens | None = None,
    progress: Callable[[int], None] | None = None,
) -> TaskCorpus:
    """The corpus of one split; PDFs are read where they lie, and nothing is written.

    Raises: UsageError for missing files, rows in another form, two chunks of one id, or nothing to write.
    """
    wanted = task(name)
    reading = replace(open_reading(wanted.spec, folder, split=split), tokens=tokens or ApproximateTokens())
    label = corpus_name(wanted.spec, reading.split)
    if wanted.documents is None:
        return _as_it_lies(wanted, reading, label)
    target = Path(out).expanduser()
    target.mkdir(parents=True, exist_ok=True)
    counts = _write(wanted, reading, target / CORPUS_FILE, progress=progress)
    return TaskCorpus(
        spec=wanted.spec,
        path=target / CORPUS_FILE,
        name=label,
        chunking="given",
        documents=counts.documents,
        chunks=counts.chunks,
        exact=reading.tokens.exact or wanted.spec.chunking.by != "first_tokens",
        shortfalls=_shortfalls(wanted.spec, reading.split, counts.chunks),
        left_out=tuple(reading.left_out),
    )


def corpus_name(spec: TaskSpec, split: str) -> str:
    """Under which name the printed command ingests the corpus of a split."""
    return spec.name if split in _shared(spec) else f"{spec.name}_{split}"


def _shared(spec: TaskSpec) -> set[str]:
    """Splits over the task's one corpus, and the one that is evaluated, go by the task's name."""
    return {spec.evaluated_split} | {part.name for part in spec.splits if part.chunks is None}


def _as_it_lies(wanted: Task, reading: Reading, label: str) -> TaskCorpus:
    path = reading.folder / wanted.corpus_folder
    if not path.is_dir():
        sources = "; ".join(source.where for source in wanted.spec.by_hand)
        raise UsageError(f"{path}: no such folder; it holds the documents ({sources})")
    with PdfFolder(path) as folder:
        counts = folder.page_counts()
    return TaskCorpus(
        spec=wanted.spec,
        path=path,
        name=label,
        documents=len(counts),
        chunks=sum(counts.values()),
        shortfalls=_shortfalls(wanted.spec, reading.split, sum(counts.values())),
    )


@dataclass(slots=True)
class _Counts:
    documents: int = 0
    chunks: int = 0


def _write(wanted: Task, reading: Reading, path: Path, *, progress: Callable[[int], None] | None) -> _Counts:
    """Beside the file, then over it: a stopped run leaves no half of a corpus under its name."""
    counts, seen, last = _Counts(), set[str](), ""
    part = path.with_name(f".{path.name}.part")
    assert wanted.documents is not None
    with part.open("w", encoding="utf-8") as file:
        for document in wanted.documents(reading):
            text = clean(document.text)
            if not text:
                reading.leave_out(document.id, "it has no text")
                continue
            if document.id in seen:
                raise UsageError(f"{reading.folder}: two chunks have the id {document.id!r}")
            seen.add(document.id)
            # Chunks of one document follow each other.
            counts.documents += document_of(document.id) != last
            last = document_of(document.id)
            counts.chunks += 1
            values = {"id": document.id, "title": document.title, "text": text}
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
            if progress and counts.chunks % PROGRESS == 0:
                progress(counts.chunks)
    if not counts.chunks:
        part.unlink()
        raise UsageError(f"{reading.folder}: no document of {wanted.spec.title} has any text")
    part.replace(path)
    return counts


def _shortfalls(spec: TaskSpec, split: str, chunks: int) -> tuple[Shortfall, ...]:
    part = spec.split(split)
    of_all = sum(other.chunks or 0 for other in spec.splits) if split == ALL else 0
    expected = (part.chunks if part else None) or of_all or spec.expected.chunks
    return () if chunks == expected else (Shortfall("chunks", expected, chunks),)
