"""What the workshop shows of a text as it stands: its marks, its diagram, how it differs from the built-in one."""

from __future__ import annotations

from dataclasses import dataclass

from karl.control.workshop.diagrams import Diagram, drafted_graph, drawn
from karl.control.workshop.drafts import Draft
from karl.control.workshop.marks import Mark, check
from karl.control.workshop.pieces import Kind
from karl.settings import Settings
from store.errors import UsageError


@dataclass(frozen=True, slots=True)
class Looked:
    """diagram: None for a prompt and for a graph that can't be read. difference: a unified diff to the built-in one;
    where there is nothing to show, `same` says why.
    """

    marks: tuple[Mark, ...]
    diagram: Diagram | None
    difference: str
    same: str

    @property
    def errors(self) -> int:
        return sum(mark.error for mark in self.marks)

    def at(self, line: int) -> str:
        """What is wrong in this line of the text, "" for nothing."""
        return "; ".join(mark.message for mark in self.marks if mark.line == line and not mark.elsewhere)


def look(draft: Draft, settings: Settings) -> Looked:
    """Nothing raises but what is no one's fault: a text that can't be read is told by its marks."""
    marks = check(draft, settings)
    try:
        if draft.kind is Kind.GRAPH:
            return _graph(draft, settings, marks)
        told, same = _prompt_difference(draft)
    except UsageError:
        return Looked(marks, None, "", "the text is broken: mend what the findings say first")
    return Looked(marks, None, told, same)


def _graph(draft: Draft, settings: Settings, marks: tuple[Mark, ...]) -> Looked:
    """Compared as they take effect: what a graph extends and its comments make no difference."""
    from karl.catalog import BUILT_IN, GRAPHS, find_graph
    from karl.effective import as_yaml, difference

    spec = drafted_graph(draft, settings)
    if not (GRAPHS / f"{draft.name}.yaml").is_file():
        return Looked(marks, drawn(spec), "", "there is no built-in graph of this name")
    shipped = f"{draft.name}{BUILT_IN}"
    told = difference(as_yaml(find_graph(shipped, settings=settings)), as_yaml(spec), names=(shipped, str(draft.path)))
    return Looked(marks, drawn(spec), told, "" if told else "takes effect exactly as the built-in graph does")


def _prompt_difference(draft: Draft) -> tuple[str, str]:
    from karl.catalog import BUILT_IN, PROMPTS
    from karl.effective import difference
    from prompts.yaml_text import read_text

    shipped = PROMPTS / draft.variant / f"{draft.name}.md"
    if not shipped.is_file():
        return "", "there is no built-in prompt of this name"
    told = difference(read_text(shipped), draft.text, names=(f"{draft.name}{BUILT_IN}", str(draft.path)))
    return told, "" if told else "says exactly what the built-in prompt says"
