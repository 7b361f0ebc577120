"""A home with the corpus `notes`, questions about it, and systems that are asked them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from store import queries
from store.models import Rollout
from store.queries.common import table_of
from store.session import Store
from tests.karl.kit import ingested_home
from tests.karl.loop_kit import LEADERS, write_leaders

ASKED = ("--questions", "questions.jsonl", "--corpus", "notes", "--samples", 2)
MODULE = """
import re, types
CALLS = []

def leader(question):
    CALLS.append(question)
    number = re.search(r"product(\\d+)", question)[1]
    return f"person{number}"

async def half(question):
    return {"answer": leader(question) if "product1?" not in question else "nobody",
            "citations": [] if "product1?" in question else ["product0.md"],
            "usage": {"input_tokens": 10, "output_tokens": 2}}

def breaks(question):
    if "product1?" in question:
        raise ValueError("no idea")
    return leader(question)

def wrong(question):
    return 7

NUMBER = 7
"""


def write_questions(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines or default_lines()), encoding="utf-8")
    return path


def default_lines() -> list[dict[str, Any]]:
    """Of the first three products, each with the note that it stands in."""
    return [
        {
            "key": product,
            "question": f"who leads {product}?",
            "answer": person,
            "gold": [f"{product}.md"],
            "split": split,
        }
        for (product, person), split in zip([*LEADERS.items()][:3], "aab", strict=True)
    ]


def make_home(folder: Path) -> Path:
    """Of a store with the corpus `notes`; questions.jsonl and the module `mine` stand beside it."""
    write_questions(folder / "questions.jsonl")
    (folder / "mine.py").write_text(MODULE, encoding="utf-8")
    return ingested_home(write_leaders(folder / "notes"), home=folder / "home")


def rollouts(home: Path) -> list[Rollout]:
    """All rows, in the order of ids."""
    from sqlalchemy import select

    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as session:
            return list(session.execute(select(Rollout).order_by(table_of(Rollout).c.id)).scalars())
    finally:
        store.close()


def stored_documents(home: Path, run: str) -> list[dict[str, Any]]:
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as session:
            run_id = queries.run_by_name(session, run).id or 0
            return [row.figures for row in queries.eval_results(session, run_id, split="document")]
    finally:
        store.close()
