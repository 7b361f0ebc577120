"""What `karl doctor` finds: what is missing first, with the mend under it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from karl.control.checkup import Finding

SIGNS = {"ok": "✓", "optional": "·", "missing": "✗"}
WAIT = "checking packages, disk and endpoints ..."


class HealthPanel(VerticalScroll):
    """Scrolls where not all of it fits."""

    def compose(self) -> ComposeResult:
        yield Static(WAIT, markup=False)

    def on_mount(self) -> None:
        self.border_title = "health: not checked yet"

    def show(self, findings: Sequence[Finding]) -> None:
        missing = sum(finding.level == "missing" for finding in findings)
        self.border_title = f"health: {missing} missing" if missing else "health: all that is needed is there"
        self.query_one(Static).update(Text("\n").join(map(_lines, findings)))

    def fail(self, error: str) -> None:
        """What kept it from being checked."""
        self.border_title = "health: could not be checked"
        self.query_one(Static).update(Text(error))


def _lines(finding: Finding) -> Text:
    told = Text(f"{SIGNS[finding.level]} {finding.name}: {finding.found}")
    if finding.level == "missing":
        told.stylize("bold")
    if finding.mend:
        told.append(f"\n    {finding.mend}", style="not bold")
    return told
