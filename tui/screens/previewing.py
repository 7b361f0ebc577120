"""The workbench's preview of a prompt: what its variables stand for, and what the policy would read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from karl.control.workshop import Kind, Variable, preview, typed, variables_of
from store.errors import KarlError
from tui.screens.values import ValuesScreen
from tui.widgets.prompt_preview import PromptPreview

if TYPE_CHECKING:
    from tui.reading.graphs import Material
    from tui.screens.workbench import WorkbenchScreen


async def show_preview(bench: WorkbenchScreen, given: Mapping[str, str]) -> None:
    """given: what the user typed, by the variable's name. Nothing for a graph."""
    draft, material = bench.draft, bench.material
    if draft.kind is Kind.GRAPH or material is None:
        return
    panel = bench.query_one(PromptPreview)
    try:
        values = await _values(bench, material, given)
        rendered = await asyncio.to_thread(preview, draft, values, policy=material.policy)
    except KarlError as exc:
        panel.refuse(str(exc))
    else:
        panel.show(rendered, values)


async def ask_values(bench: WorkbenchScreen, given: Mapping[str, str]) -> dict[str, str]:
    """What the user typed anew. Called from a worker, because it asks. Raises: KarlError for a broken prompt."""
    if bench.material is None:
        return {}
    values = await _values(bench, bench.material, given)
    return await bench.app.push_screen_wait(ValuesScreen(values)) or {}


async def _values(bench: WorkbenchScreen, material: Material, given: Mapping[str, str]) -> list[Variable]:
    found = await asyncio.to_thread(variables_of, bench.draft, material.facts, bench.desk.settings)
    return [typed(variable, given[variable.name]) if variable.name in given else variable for variable in found]
