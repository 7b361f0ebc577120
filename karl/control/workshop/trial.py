"""An unsaved text put into effect for one question: in a scratch folder that stands in for the one it belongs to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from karl.catalog import find_graph, graph_entries
from karl.control.workshop.diagrams import Diagram, drawn
from karl.control.workshop.drafts import Draft, folders_of
from karl.control.workshop.pieces import Kind
from karl.settings import Settings
from prompts.yaml_text import unsaved
from store.errors import UsageError
from store.types import Role

SCRATCH = "karl-draft-"


@dataclass(frozen=True, slots=True)
class Trial:
    """The graph that a question can be put to. needs_question: a generator asks by itself."""

    graph: str
    diagram: Diagram
    needs_question: bool


def trial_of(draft: Draft, settings: Settings) -> Trial:
    """The drafted graph; of a prompt, a graph that reads it.

    Raises: UsageError for a broken one, and where no question can be put: graphs of judges and of whole rounds.
    """
    with unsaved(draft.path, draft.text):
        if draft.kind is Kind.GRAPH:
            spec = find_graph(str(draft.path), settings=settings)
        else:
            spec = find_graph(_reader(draft, settings), settings=settings)
    if spec.role is None:
        raise UsageError(f"the graph '{spec.name}' has no role: it decides and makes no rollouts, so nothing to ask it")
    return Trial(spec.name, drawn(spec), needs_question=spec.role is not Role.GENERATOR)


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


def _reader(draft: Draft, settings: Settings) -> str:
    """A graph whose prompts include the drafted one: of the same name, else the first that takes questions."""
    from graphs.library import Library

    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path)
    names: list[str] = []
    for entry in graph_entries(settings):
        with suppress(UsageError):
            loaded = library.get(entry.name, variant=draft.variant)
            if draft.name in loaded.prompts and loaded.spec.role is not None:
                names.append(entry.name)
    if not names:
        raise UsageError(f"no graph reads the prompt '{draft.name}': nothing can be asked with it")
    return draft.name if draft.name in names else min(names, key=lambda name: (name != "solver", names.index(name)))
