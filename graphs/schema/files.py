"""Graph files: found by name, laid over the graphs that they extend and under their overrides, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphs.schema.graph import GraphSpec
from graphs.schema.graph_file import HEAD, GraphFile, check_name, open_file, parse_file
from graphs.schema.layers import Layer, lay
from prompts.closed_yaml import YamlDocument, closest
from store.errors import UsageError

BUILT_IN = Path(__file__).resolve().parent.parent


def load_spec(
    name: str,
    *,
    variant: str = "",
    tasks: Sequence[str] = (),
    path: Sequence[Path] = (),
    changes: Mapping[str, Any] | Layer | None = None,
) -> GraphSpec:
    """The graph `name`; a file in a folder of `path` shadows the built-in one.

    Laid over one another, the last on top: the extended graphs, the file, its overrides for `tasks` in order, its
    overrides for the policy's `variant` (what a policy can bear has the last word), and `changes` (as a `Layer`, its
    complaints name the place in its own document).
    Raises: UsageError naming file, line, column, key, what was expected and the closest valid name.
    """
    file = find_file(name, path)
    return read_spec(file, variant=variant, tasks=tasks, path=path, changes=changes)


def graph_files(path: Sequence[Path] = ()) -> dict[str, Path]:
    """Name -> file of every graph that can be loaded by name."""
    folders = [BUILT_IN, *reversed(path)]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def find_file(name: str, path: Sequence[Path] = ()) -> Path:
    """Raises: UsageError for an unknown name, with the closest."""
    files = graph_files(path)
    if name in files:
        return files[name]
    looked = ", ".join(map(str, [*path, BUILT_IN]))
    raise UsageError(
        f"no graph named '{name}' in {looked}; there are: {', '.join(sorted(files))}{closest(name, files)}"
    )


def read_spec(
    file: Path,
    *,
    variant: str = "",
    tasks: Sequence[str] = (),
    path: Sequence[Path] = (),
    changes: Mapping[str, Any] | Layer | None = None,
) -> GraphSpec:
    """One file, checked with each of its overrides. Graphs beside it can be extended by name. Raises: UsageError."""
    beside = [] if _index(file, [*path, BUILT_IN]) is not None else [file.parent]
    check_name(file)
    opened = open_file(file)
    if opened.head.name not in (None, file.stem):
        message = f"'{opened.head.name}', but the file is {file.name}; call it '{file.stem}', or leave 'name' out"
        raise opened.document.error(("name",), message)
    return _resolve(opened, file, variant=variant, tasks=tasks, path=[*beside, *path], changes=changes)


def parse_spec(
    text: str, *, source: str, variant: str = "", tasks: Sequence[str] = (), path: Sequence[Path] = ()
) -> GraphSpec:
    """The text of a graph file. Raises: UsageError."""
    return _resolve(parse_file(text, source), Path(source), variant=variant, tasks=tasks, path=path, changes=None)


def merge(base: Any, changes: Any) -> Any:
    """`changes` laid over `base` as overrides are, without a record of where each key stood."""
    nowhere = YamlDocument("changes", {}, {})
    return lay([Layer(base, nowhere), Layer(changes, nowhere)]).data


def _resolve(
    top: GraphFile,
    file: Path,
    *,
    variant: str,
    tasks: Sequence[str],
    path: Sequence[Path],
    changes: Mapping[str, Any] | Layer | None,
) -> GraphSpec:
    files = _chain(top, file, path)
    name = top.head.name or file.stem
    occasions = dict.fromkeys(name for opened in files for name in opened.head.overrides)
    # Whatever is asked for: a mistake in any override shows at once, not on the day when it is used.
    plain, *_ = [_spec(name, _layers(files, [occasion]), occasions) for occasion in ("", *occasions)]
    asked = [occasion for occasion in (*tasks, variant) if occasion in occasions]
    if not (asked or changes):
        return plain
    return _spec(name, [*_layers(files, asked), *_given(name, changes)], occasions)


def _given(name: str, changes: Mapping[str, Any] | Layer | None) -> list[Layer]:
    if isinstance(changes, Layer):  # it knows where it stands
        return [changes]
    return [Layer(changes, YamlDocument(f"changes to '{name}'", changes, {}))] if changes else []


def _chain(top: GraphFile, file: Path, path: Sequence[Path]) -> list[GraphFile]:
    """The file and what it extends, the farthest first. Raises: UsageError for a circle."""
    chain, places = [top], [file]
    while (base := chain[0].head.extends) is not None:
        document = chain[0].document
        try:
            place = _extended(base, places[0], path)
        except UsageError as exc:
            raise document.error(("extends",), str(exc)) from exc
        if place.resolve() in [known.resolve() for known in places]:
            circle = " > ".join(found.stem for found in [*reversed(places), place])
            raise document.error(("extends",), f"a graph can't extend itself: {circle}")
        places.insert(0, place)
        chain.insert(0, open_file(place))
    return chain


def _extended(name: str, file: Path, path: Sequence[Path]) -> Path:
    """A file that extends its own name lies over the one that it shadows."""
    if name != file.stem or file.parent.resolve() == BUILT_IN:
        return find_file(name, path)
    own = _index(file, path)
    return find_file(name, path if own is None else path[own + 1 :])


def _index(file: Path, folders: Sequence[Path]) -> int | None:
    """Which of the folders the file lies in, however they are spelled."""
    where = file.parent.resolve()
    return next((number for number, folder in enumerate(folders) if folder.resolve() == where), None)


def _layers(files: Sequence[GraphFile], occasions: Sequence[str]) -> list[Layer]:
    """Each file with its overrides, the extended ones first: what stands in a nearer file has the last word."""
    layers: list[Layer] = []
    for number, (document, head) in enumerate(files):
        dropped = {name for later in files[number + 1 :] for name, data in later.head.overrides.items() if data is None}
        layers.append(Layer({key: value for key, value in document.data.items() if key not in HEAD}, document))
        for name in occasions:
            data = head.overrides.get(name)
            if data is not None and name not in dropped:
                layers.append(Layer(data, document, ("overrides", name)))
    return layers


def _spec(name: str, layers: Sequence[Layer], occasions: Iterable[str]) -> GraphSpec:
    from graphs.checks import check_spec

    document = replace(lay(layers), occasions=tuple(occasions))
    # The name is the file's own: an extended graph keeps its name to itself.
    spec = document.validate(GraphSpec, data={**document.data, "name": name}).placed(document)
    check_spec(spec)
    return spec
