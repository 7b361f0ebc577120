"""What the workbench asks before it writes or forgets a text: a folder, somebody else's changes, unsaved ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from karl.control.workshop import ChangedOnDisk, Draft, FolderOffer, make_folder, offer, save
from store.errors import KarlError
from tui.screens.choice import ChoiceScreen

if TYPE_CHECKING:
    from tui.screens.workbench import WorkbenchScreen


async def keep(bench: WorkbenchScreen) -> bool:
    """Save the draft as it stands; False: it was not. Called from a worker, because it may ask."""
    try:
        if not await _has_folder(bench):
            return False
        draft = bench.draft
        saved = await _saved(bench, draft)
    except KarlError as exc:
        bench.tell(f"not saved: {exc}", failed=True)
        return False
    if saved is None:
        return False
    # What was typed meanwhile stays unsaved.
    bench.take(replace(bench.draft, began=saved.text, base=saved.base))
    bench.tell(f"{saved.path}: saved")
    return True


async def may_leave(bench: WorkbenchScreen) -> bool:
    if not bench.draft.changed:
        return True
    choices = {"s": "Save", "d": "Throw away"}
    chosen = await _asked(bench, f"{bench.draft.path}: not saved yet", choices, stay="Stay")
    return chosen == "d" or (chosen == "s" and await keep(bench))


async def _has_folder(bench: WorkbenchScreen) -> bool:
    made = await asyncio.to_thread(offer, bench.draft, bench.desk.settings)
    if made is None:
        return True
    if await _asked(bench, _about(made), {"m": f"Make {made.folder}/"}, stay="Not now") != "m":
        return False
    bench.desk.settings = await asyncio.to_thread(make_folder, made, bench.desk.settings)
    return True


def _about(made: FolderOffer) -> str:
    head = f"You have no folder for {made.kind}s of your own yet: built-in files are never changed."
    if made.writes_settings:
        return f"{head} A folder {made.folder}/ can be made here, with a karl.toml that says\n\n    {made.line}"
    return (
        f"{head} A folder {made.folder}/ can be made here; it counts at once in this window. For every other command, "
        f"put this line at the top of your karl.toml, above its tables:\n\n    {made.line}"
    )


async def _saved(bench: WorkbenchScreen, draft: Draft) -> Draft | None:
    """None: it was not, as the user chose."""
    try:
        return await asyncio.to_thread(save, draft)
    except ChangedOnDisk as exc:
        question, found = f"{exc}. Your text is here, theirs is on the disk.", exc.text
    choices = {"o": "Write mine over it"} | ({"t": "Take theirs, lose mine"} if found is not None else {})
    chosen = await _asked(bench, question, choices, stay="Stay")
    if chosen == "o":
        return await asyncio.to_thread(save, draft, over=True)
    if chosen == "t":
        await bench.reopened()
    return None


async def _asked(bench: WorkbenchScreen, question: str, choices: dict[str, str], *, stay: str) -> str:
    return await bench.app.push_screen_wait(ChoiceScreen(question, choices, stay=stay))
