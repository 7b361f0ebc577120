"""What the launch room shows: what can be picked, what a run like another has filled in, what the draft comes to."""

from __future__ import annotations

from dataclasses import dataclass

from karl.control.form import Draft
from karl.control.offers import Offers, offers, texts_of_run
from karl.control.place import Settings
from karl.control.preview import Preview, preview
from store import queries
from store.session import Store
from tui.desk import Wish


@dataclass(frozen=True, slots=True)
class LaunchView:
    """offers None: they were not read. filled: texts to fill in, of a wish; like: the run that they are of.

    Then the preview is not of them: it follows when they are filled in. gone: why the wish came to nothing.
    """

    draft: Draft
    preview: Preview
    offers: Offers | None = None
    filled: dict[str, str] | None = None
    like: str = ""
    gone: str = ""


def read_launch(store: Store, settings: Settings, draft: Draft, *, wish: Wish | None, afresh: bool) -> LaunchView:
    """Raises: KarlError when the database refuses."""
    offered = offers(store, settings) if afresh else None
    if wish is None:
        return LaunchView(draft, preview(store, settings, draft), offered)
    if wish.like is None:
        return LaunchView(draft, Preview(), offered, {"corpus": wish.corpus})
    with store.session() as session:
        run = queries.run_overview(session, wish.like)
    if run is None or run.run_id != wish.like:
        return LaunchView(draft, preview(store, settings, draft), offered, gone="that run is gone from the store")
    return LaunchView(draft, Preview(), offered, texts_of_run(store, wish.like), run.name)
