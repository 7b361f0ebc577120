"""A small corpus in a store, and graphs over it that a script plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.policy import Policy
from karl import Graph, load_graph
from store.session import Store
from tests.harness_kit import text_policy
from tests.karl.kit import ingested_home

NOTES = {
    "people/mira.md": "# Mira\n\nMira leads falcon.",
    "teams/falcon.md": "# Falcon\n\nFalcon works in Oslo.",
    "teams/orion.md": "# Orion\n\nOrion works in Lima.",
}
QUESTION = {"question": "where does mira work?"}
# Two searches, then an answer that cites the second passage shown.
TURNS = ("<search>mira</search>", "<search>falcon oslo</search>", "[2] falcon is there <answer>Oslo</answer>")
# The byte tokenizer's conversations are long: the tiny variant would compress them.
ROOMY = {
    "plugins": [
        {"kind": "step_budget", "steps": 6},
        {"kind": "compression", "trigger_tokens": 10_000, "summary_tokens": 64},
    ]
}


def make_corpus(folder: Path) -> Path:
    """The home folder of a store with the corpus `notes`."""
    for name, text in NOTES.items():
        path = folder / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return ingested_home(folder / "notes", home=folder / "home")


def load(home: Path, policy: Policy | None = None, *, graph: str | Path = "solver", **options: Any) -> Graph:
    """The graph over the corpus, played by `policy`; default: TURNS, once."""
    changes = ROOMY if graph == "solver" else None
    given = {"corpus": "notes", "home": home, "policy": policy or text_policy(*TURNS), "overrides": changes}
    return load_graph(graph, **(given | options))


def stored_rollouts(home: Path) -> list[str]:
    """Keys of all rollouts in the store."""
    from store import queries

    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as session:
            return sorted(queries.rollout_keys(session, None))
    finally:
        store.close()
