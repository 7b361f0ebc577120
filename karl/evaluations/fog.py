"""FogBench made where no data is given: the same knobs make the same company, which is ingested once a home."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from evals.fog.make import Fog, make_fog
from evals.fog.settings import FogSettings, fog_settings
from evals.fog.writing import write_documents, write_items, write_settings
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.evaluations.config import EvalConfig
from karl.evaluations.systems import System
from karl.reporting import Reporter
from karl.settings import Settings
from karl.tiny.fog import small_vocabulary
from store import queries
from store.session import Store

TINY = "tiny"  # prompt variant of the embedded policy


class FogCorpus(NamedTuple):
    folder: Path
    corpus: str
    notes: list[str]


def make_fog_corpus(
    config: EvalConfig, systems: Sequence[System], store: Store, *, settings: Settings, reporter: Reporter
) -> FogCorpus:
    """Raises: UsageError for a knob that FogBench does not have."""
    knobs = _settings(config, systems)
    digest = hashlib.sha256(knobs.model_dump_json().encode()).hexdigest()[:8]
    name = f"fogbench-{digest}"
    folder = settings.home / "evaluations" / name
    fog = make_fog(knobs, small_vocabulary() if knobs.vocabulary == "small" else None)
    if not _ingested(store, name, documents=len(fog.documents)):
        write_documents(fog, folder / "documents")
        write_items(fog, folder / "items.jsonl")
        write_settings(fog, folder / "settings.json")
        # With the embedded policy's words names are all that notes differ in: BM25 alone finds them.
        embedder = "none" if knobs.vocabulary == "small" else None
        ingest_corpus(
            store,
            folder / "documents",
            name=name,
            settings=settings,
            choices=CorpusChoices(embedder=embedder),
            reporter=reporter,
        )
    return FogCorpus(folder, name, list(_notes(fog)))


def _notes(fog: Fog) -> Iterator[str]:
    knobs = fog.settings.model_dump(exclude_defaults=True, exclude={"seed"})
    told = [f"{key} {'+'.join(value) if isinstance(value, tuple) else value}" for key, value in knobs.items()]
    yield ", ".join([f"generated with seed {fog.settings.seed}", *told])
    short = [f"{regime} {count}" for regime, count in fog.counts.items() if count < fog.settings.questions]
    if short:
        asked, size = fog.settings.questions, fog.settings.size
        yield f"fewer than {asked} questions of {', '.join(short)}: {size} documents hold no more"


def _settings(config: EvalConfig, systems: Sequence[System]) -> FogSettings:
    """In the embedded policy's own words where one of the systems knows no others, unless the user says otherwise."""
    tiny = any(system.profile is not None and system.profile.prompt_variant == TINY for system in systems)
    given = {"seed": config.seed, **({"vocabulary": "small"} if tiny else {}), **config.fog}
    if isinstance(given.get("regimes"), str):
        given["regimes"] = given["regimes"].split(",")
    return fog_settings(given)


def _ingested(store: Store, name: str, *, documents: int) -> bool:
    with store.session() as session:
        row = next((row for row in queries.corpora(session) if row.name == name), None)
        return row is not None and queries.corpus_counts(session, row.id or 0).documents == documents
