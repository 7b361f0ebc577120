"""An unsaved text put into effect for one question: in a scratch folder that stands in for the one it belongs to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from karl.control.workshop.diagrams import Diagram, drafted_graph, drawn
from karl.control.workshop.drafts import Draft, folders_of
from karl.control.workshop.pieces import Kind
from karl.settings import Settings
from store.errors import UsageError
from store.types import Role

if TYPE_CHECKING:
    from graphs.schema import GraphSpec

SCRATCH = "karl-draft-"
ANSWERING = (Role.SOLVER, Role.AGGREGATOR)


@dataclass(frozen=True, slots=True)
class Trial:
    """The graph that a question can be put to."""

    graph: str
    diagram: Diagram


def trial_of(draft: Draft, settings: Settings) -> Trial:
    """The drafted graph; of a prompt, a graph that reads it.

    Raises: UsageError for a broken one, and for one that answers no questions: generators, judges, whole rounds.
    """
    spec = drafted_graph(draft, settings) if draft.kind is Kind.GRAPH else _reader(draft, settings)
    if spec.role not in ANSWERING:
        role = "it has no role" if spec.role is None else f"its role is {spec.role}"
        raise UsageError(f"the graph '{spec.name}' answers no questions: {role}")
    return Trial(spec.name, drawn(spec))


class Scratch:
    """Settings under which a draft is what its name finds, everything else being as it is. Close it."""

    def __init__(self, draft: Draft, settings: Settings) -> None:
        """Raises: OSError when nothing can be written to the temporary folder."""
        below = draft.path.parent.parent if draft.variant else draft.path.parent
        self._held = TemporaryDirectory(prefix=SCRATCH)
        stand_in = Path(self._held.name).resolve() / "stand-in"
        _link_all(below, stand_in)
        if draft.variant:
            (stand_in / draft.variant).unlink(missing_ok=True)
            _link_all(below / draft.variant, stand_in / draft.variant)
        if draft.kind is Kind.GRAPH:
            _link_modules(below.resolve().parent, stand_in.parent)
        self._place = stand_in / draft.variant / draft.path.name
        self._place.unlink(missing_ok=True)
        self.settings = _instead(draft, settings, below=below, stand_in=stand_in)
        self.put(draft.text)

    def put(self, text: str) -> None:
        """From now on the draft says this."""
        self._place.write_text(text, encoding="utf-8")

    def close(self) -> None:
        self._held.cleanup()


def _instead(draft: Draft, settings: Settings, *, below: Path, stand_in: Path) -> Settings:
    """In the same place of the path: a graph that extends its own name looks behind its own folder."""
    folders = folders_of(draft.kind, settings)
    path = [stand_in if folder.resolve() == below.resolve() else folder for folder in folders]
    return settings.model_copy(update={f"{draft.kind}_path": path if stand_in in path else [stand_in, *path]})


def _link_all(folder: Path, into: Path) -> None:
    into.mkdir(parents=True)
    for item in folder.iterdir() if folder.is_dir() else ():
        (into / item.name).symlink_to(item.resolve())


def _link_modules(folder: Path, into: Path) -> None:
    """Functions may come from the folder above the graphs, too."""
    for item in folder.iterdir():
        if item.suffix == ".py" or (item / "__init__.py").is_file():
            (into / item.name).symlink_to(item)


def _reader(draft: Draft, settings: Settings) -> GraphSpec:
    """A graph whose prompts include the drafted one: of the same name, else the first that takes questions."""
    from graphs.library import Library
    from karl.catalog import graph_entries

    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path)
    found: dict[str, GraphSpec] = {}
    for entry in graph_entries(settings):
        with suppress(UsageError):
            loaded = library.get(entry.name, variant=draft.variant)
            if draft.name in loaded.prompts and loaded.spec.role in ANSWERING:
                found[entry.name] = loaded.spec
    if not found:
        raise UsageError(f"no graph that answers questions reads the prompt '{draft.name}'")
    return found.get(draft.name) or found.get("solver") or next(iter(found.values()))
