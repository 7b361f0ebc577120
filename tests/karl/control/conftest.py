"""The same store in a real SQLite file as the store's own tests use."""

from tests.store.conftest import store

__all__ = ["store"]
