"""What a run is and how it stands, in a few lines."""

from __future__ import annotations

from rich.text import Text

from store.types import RunState
from tui.reading.run import RunView
from tui.reading.times import seconds_since
from tui.text import duration, local_time

WHY = {
    "paused": "it holds its memory; p wakes it",
    "lost": "its process has died; c goes on with it",
    "stopped": "c goes on with it",
}


def headline(view: RunView) -> Text:
    """State, iteration and stage; corpus and times; what it failed of."""
    assert view.run is not None
    run, text = view.run, Text()
    text.append(f"{run.name}: {view.standing}{_place(view)}", "bold")
    if why := WHY.get(view.standing, ""):
        text.append(f"\n{why}")
    text.append(f"\n{run.corpus}, started {local_time(run.created_at)}{_heard(view)}")
    if run.error:
        text.append(f"\n{run.error}", "bold")
    return text


def _place(view: RunView) -> str:
    if view.run is not None and view.run.evaluation:
        return ", an evaluation"
    iterations = view.detail.iterations if view.detail is not None else []
    if not iterations or view.run is None:
        return ""
    newest, planned = iterations[-1], view.run.planned
    of = f" of {planned}" if planned is not None else ""
    told = f", iteration {newest.number}{of}"
    # Of a run that is done, its newest iteration is.
    if view.run.state is RunState.DONE:
        return told
    return f"{told}, {'done' if newest.done else newest.stage}"


def _heard(view: RunView) -> str:
    assert view.run is not None
    if view.run.state is not RunState.RUNNING:
        return f", ended {local_time(view.run.updated_at)}"
    return f", last heard of {duration(seconds_since(view.heard))} ago" if view.heard is not None else ""
