"""What commands share: settings, store, searcher, the console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from karl.settings import Settings
    from store.session import Store
    from store.vectors.batching import AsyncSearcher


def settings_of(context: click.Context) -> Settings:
    from karl.settings import load_settings

    return load_settings(home=context.find_root().obj["home"])


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    from store.session import Store

    store = Store.open(settings.store_url)
    try:
        yield store
    finally:
        store.close()


def open_searcher(store: Store, corpus: str, *, settings: Settings) -> AsyncSearcher:
    from store.vectors.batching import AsyncSearcher
    from store.vectors.library import open_index

    return AsyncSearcher(open_index(store, corpus, home=settings.home, servers=settings.servers))


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    from karl.page import roomy

    return roomy(Console(stderr=stderr, highlight=False))


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
