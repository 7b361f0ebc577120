"""What made the difference: retrieval with one thing taken away or done otherwise, all else as shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evals.retrieval import KS, RetrievalQuestion, page_found
from evals.statistics import interval
from store.corpus_settings import CorpusSettings, FusionWeights
from store.errors import UsageError
from store.queries import corpus_by_name
from store.readers.pdf import page_text
from store.session import Store
from store.types import Hit
from store.vectors.base import IndexEntry
from store.vectors.chunk_texts import ChunkTexts, StoredTexts
from store.vectors.dense import Dense
from store.vectors.embedders import Embedder, make_embedder
from store.vectors.passages import embedded_passages, passages
from store.vectors.postings import Postings
from store.vectors.ranking import Ranking, blend, fuse
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot
from store.vectors.stored_entries import index_entries

DEPTH = 100


class Arm(NamedTuple):
    """entry: what is indexed of a chunk; words: what BM25 sees of it, pieces: what is embedded, a document each.

    costly: all of it is embedded anew.
    """

    name: str
    entry: Callable[[IndexEntry], IndexEntry] = lambda entry: entry
    words: Callable[[IndexEntry], list[str]] = passages
    pieces: Callable[[IndexEntry], list[str]] = embedded_passages
    costly: bool = False


def without_title(entry: IndexEntry) -> IndexEntry:
    return entry._replace(title="")


def without_headings(entry: IndexEntry) -> IndexEntry:
    return entry._replace(metadata={**entry.metadata, "headings": ""})


def whole(entry: IndexEntry) -> list[str]:
    lead = (entry.title, str(entry.metadata.get("headings", "")))
    return ["\n".join(part for part in (*lead, entry.text) if part)]


def one_passage(entry: IndexEntry) -> list[str]:
    return passages(entry)[:1]


def plain_pages(folder: Path) -> Callable[[IndexEntry], IndexEntry]:
    """PDFium's own text of the page: no columns, headings marked by nothing, headers and footers in place."""
    from pypdfium2 import PdfDocument

    opened: dict[str, PdfDocument] = {}

    def plain(entry: IndexEntry) -> IndexEntry:
        path, page = str(entry.metadata["path"]), int(entry.metadata.get("page", 0))
        if not path.lower().endswith(".pdf") or not page:
            return entry
        pdf = opened.get(path) or opened.setdefault(path, PdfDocument(folder / path))
        return entry._replace(text=page_text(pdf, number=page)[0])

    return plain


def arms(folder: Path, *, costly: bool) -> list[Arm]:
    """Those that embed little anew, and with `costly` all."""
    made = [
        Arm("as shipped"),
        Arm("BM25 over whole chunks", words=whole),
        Arm("BM25 over the opening too", words=embedded_passages),
        Arm("no vector of the opening", pieces=passages),
        Arm("no headings of the outline", entry=without_headings),
        Arm("the first passage only", pieces=one_passage),
        Arm("PDFium's own text", entry=plain_pages(folder), costly=True),
        Arm("no title", entry=without_title, costly=True),
    ]
    return [arm for arm in made if costly or not arm.costly]


def ablation(
    store: Store,
    corpus: str,
    *,
    questions: Sequence[RetrievalQuestion],
    folder: Path,
    home: Path,
    costly: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Arm -> ranking -> recall@k of evidence pages. folder: where the corpus' PDFs lie; progress: in arms.

    Raises: UsageError for an unknown corpus, or one without an embedder.
    """
    with store.session() as session:
        row = corpus_by_name(session, corpus)
    settings = CorpusSettings.model_validate(row.settings)
    embedder = make_embedder(settings.embedder, home=home)
    if embedder is None:
        raise UsageError(f"corpus {corpus!r} has no embedder: there is little to take away")
    entries, texts = list(index_entries(store, row.id or 0)), StoredTexts(store, corpus_id=row.id or 0)
    asked = [question.question for question in questions]
    found: dict[str, Any] = {}
    tried = arms(folder, costly=costly)
    for number, arm in enumerate(tried, start=1):
        snapshot = indexed([arm.entry(entry) for entry in entries], arm, embedder=embedder)
        words = snapshot.rank_words(asked, k=DEPTH)
        vectors = snapshot.rank_vectors(embedder.embed_queries(asked), k=DEPTH)
        ways = _ways(words, vectors, settings.fusion, all_ways=arm.name == "as shipped")
        found[arm.name] = {name: _recalls(questions, ranked, texts) for name, ranked in ways.items()}
        progress(number, len(tried))
    return found


def indexed(entries: Sequence[IndexEntry], arm: Arm, *, embedder: Embedder) -> Snapshot:
    """As `Segment.build` does, but with other passages."""
    parts = [arm.pieces(entry) for entry in entries]
    owners = np.repeat(np.arange(len(entries), dtype=np.int32), [len(part) for part in parts])
    rows = embedder.embed_passages([text for part in parts for text in part])
    ids_N = np.array([entry.chunk_id for entry in entries], dtype=np.int64)
    segment = Segment.of(ids_N, Postings.build(map(arm.words, entries)), Dense.build(rows, owners_V=owners))
    return Snapshot([segment])


def _ways(
    words: Sequence[Ranking], vectors: Sequence[Ranking], fusion: FusionWeights, *, all_ways: bool
) -> Mapping[str, list[Ranking]]:
    pairs = list(zip(words, vectors, strict=True))

    def blended(dense: float) -> list[Ranking]:
        return [blend([(fusion.bm25, one), (dense, two)], k=max(KS), depth=DEPTH) for one, two in pairs]

    ways = {"bm25": list(words), "dense": list(vectors), f"scores 1:{fusion.dense:g}": blended(fusion.dense)}
    if all_ways:
        ways |= {f"scores 1:{weight}": blended(weight) for weight in (1, 2, 3, 6)}
        for weight in (1, 2):
            ways[f"ranks 1:{weight}"] = [
                fuse([(1.0, one), (float(weight), two)], k=max(KS), constant=fusion.constant) for one, two in pairs
            ]
    return ways


def _recalls(
    questions: Sequence[RetrievalQuestion], ranked: Sequence[Ranking], texts: ChunkTexts
) -> dict[str, dict[str, float]]:
    hits = [_hits(ranking, texts) for ranking in ranked]
    pairs = list(zip(questions, hits, strict=True))
    return {f"recall@{k}": interval([page_found(question, one[:k]) for question, one in pairs]).as_dict() for k in KS}


def _hits(ranking: Ranking, texts: ChunkTexts) -> list[Hit]:
    ids = ranking.ids[: max(KS)].tolist()
    held = texts.get(ids)
    return [held[chunk_id].hit(chunk_id, 0.0) for chunk_id in ids]
