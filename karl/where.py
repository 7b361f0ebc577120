"""A filter that nothing can meet, told from one that nothing meets."""

from __future__ import annotations

from store import queries
from store.errors import UsageError
from store.search_filter import OF_CHUNKS, Where
from store.session import Store


def refuse_unknown(store: Store, corpus: str, where: Where) -> None:
    """Asked only where nothing was found: names of properties are read from all documents.

    Raises: UsageError for a property that nothing in the corpus has, with those there are.
    """
    with store.session() as session:
        corpus_id = queries.corpus_by_name(session, corpus).id or 0
        known = {"path", *OF_CHUNKS, *queries.document_properties(session, corpus_id)}
    unknown = sorted(where.keys() - known)
    if unknown:
        raise UsageError(
            f"where: nothing in corpus {corpus!r} has a property {unknown[0]!r}; there are: {', '.join(sorted(known))}"
        )
