"""What is wrong with a text as it stands in the editor, each with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karl.control.workshop.drafts import Draft
from karl.control.workshop.pieces import Kind
from karl.settings import Settings

if TYPE_CHECKING:
    from prompts.lint import Finding


@dataclass(frozen=True, slots=True)
class Mark:
    """line, column: from 1. elsewhere: the other file that the line is in, "" for the text itself."""

    line: int
    column: int
    error: bool
    message: str
    elsewhere: str


def check(draft: Draft, settings: Settings) -> tuple[Mark, ...]:
    """As `karl graph validate` and `karl prompt lint` find it, errors first."""
    from karl.validation import validate_graph
    from prompts.lint import lint_prompt
    from prompts.yaml_text import unsaved

    with unsaved(draft.path, draft.text):
        if draft.kind is Kind.GRAPH:
            found = validate_graph(draft.path, settings=settings)
        else:
            found = lint_prompt(draft.path, variant=bool(draft.variant))
    own = draft.path.resolve()
    marks = [_mark(finding, here=finding.path.resolve() == own) for finding in found]
    return tuple(sorted(marks, key=lambda mark: (not mark.error, mark.elsewhere, mark.line, mark.column)))


def _mark(finding: Finding, *, here: bool) -> Mark:
    elsewhere = "" if here else str(finding.path)
    return Mark(finding.line, finding.column, finding.level == "error", finding.message, elsewhere)
