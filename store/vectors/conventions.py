"""What embedding models want before a query and before a passage: a small table, a model's own prompts, settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from store.search_servers import EmbeddingConventions

INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
REPRESENT = "Represent this sentence for searching relevant passages: "


class Prefixes(NamedTuple):
    query: str = ""
    passage: str = ""


# The first pattern that is found in a model's name counts; sources: the models' cards on Hugging Face.
KNOWN: tuple[tuple[str, Prefixes], ...] = (
    (r"qwen3-embedding", Prefixes("Instruct: {instruction}\nQuery:")),
    (r"gte-qwen", Prefixes("Instruct: {instruction}\nQuery: ")),
    (r"e5-.*instruct", Prefixes("Instruct: {instruction}\nQuery: ")),
    (r"(^|-)e5-", Prefixes("query: ", "passage: ")),
    (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
    (r"arctic-embed-.*v2", Prefixes("query: ")),
    (r"arctic-embed", Prefixes(REPRESENT)),
    (r"bge-(small|base|large)-en", Prefixes(REPRESENT)),
    (r"(^|-)gte-|minilm|mpnet|bge-m3", Prefixes()),
)


def prefixes_of(name: str, conventions: EmbeddingConventions) -> Prefixes:
    """name: of a model, or its folder. Settings come first, then the table, then what the folder itself declares."""
    known = _known(name) or _declared(Path(name)) or Prefixes()
    query = known.query if conventions.query_prefix is None else conventions.query_prefix
    passage = known.passage if conventions.passage_prefix is None else conventions.passage_prefix
    return Prefixes(query.replace("{instruction}", conventions.instruction or INSTRUCTION), passage)


def _known(name: str) -> Prefixes | None:
    last = name.rstrip("/").rpartition("/")[2].lower()
    return next((prefixes for pattern, prefixes in KNOWN if re.search(pattern, last)), None)


def _declared(folder: Path) -> Prefixes | None:
    """Of a folder that sentence-transformers wrote."""
    try:
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8"))["prompts"]
    except (OSError, ValueError, KeyError):
        return None
    return Prefixes(prompts.get("query") or "", prompts.get("document") or prompts.get("passage") or "")
