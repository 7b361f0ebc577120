"""What every loader opens first: the settings, the store, and which checkpoint is meant."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agents.policy import Policy
from agents.tools import Searcher
from karl.settings import Settings, load_settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.session import Store


def newest_folder(store: Store, corpus: str | None) -> Path:
    """The newest policy trained on this corpus, else on any, else the embedded one. Raises: UsageError."""
    with store.session() as session:
        found = None
        if corpus is not None:
            found = queries.newest_checkpoint(session, corpus_id=queries.corpus_by_name(session, corpus).id)
        found = found or queries.newest_checkpoint(session)
    return Path(found.path) if found is not None else POLICY_FOLDER


def settings_of(given: Settings | Mapping[str, Any] | None, home: Path | str | None) -> Settings:
    """Those given, or `karl.toml` with keys laid over it. Raises: UsageError."""
    if not isinstance(given, Settings):
        return load_settings(**{**(given or {}), **({"home": home} if home is not None else {})})
    return given if home is None else given.model_copy(update={"home": Path(home).expanduser().resolve()})


def open_store(
    settings: Settings, corpus: str | Searcher | None, *, needed: bool | None, opened: ExitStack
) -> Store | None:
    """None where nothing asks for one: a searcher of the caller's alone should not create a database."""
    if needed and not isinstance(corpus, str):
        # Its chunk ids would point at other chunks of the store.
        raise UsageError("store=True needs a corpus of the store: ingest one, or leave store out")
    exists = bool(settings.database_url) or (settings.home / "karl.db").is_file()
    if not (isinstance(corpus, str) or exists):
        return None
    store = Store.open(settings.store_url)
    opened.callback(store.close)
    return store


def policy_folder(policy: Path | str | Policy | None, store: Store | None, corpus: str | Searcher | None) -> Path:
    """The checkpoint meant, or the newest. Raises: UsageError for one that is not there."""
    folder = Path(policy).expanduser() if isinstance(policy, Path | str) else _newest(store, corpus)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such model folder; give the folder of a Hugging Face checkpoint")
    return folder


def _newest(store: Store | None, corpus: str | Searcher | None) -> Path:
    return newest_folder(store, corpus if isinstance(corpus, str) else None) if store else POLICY_FOLDER
