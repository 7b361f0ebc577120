"""The files of a fresh project folder. What they say is taken from the code and the built-in files, so it can't age."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from karl.project.graph_copies import graph_copies
from karl.project.prompt_copies import prompt_copies
from karl.project.settings_file import settings_toml
from karl.settings import SETTINGS_FILE
from store.errors import UsageError

SCHEMA_FILE = "graph.schema.json"
_README = Path(__file__).with_name("folder_readme.md")


class Outcome(NamedTuple):
    """`written` is False for a file that was there already."""

    path: Path
    written: bool


def init_project(folder: Path, *, force: bool = False) -> Iterator[Outcome]:
    """Write the files that are not there yet (with `force`: all). Raises: UsageError where one can't be written."""
    for name, text in project_files().items():
        path = folder / name
        wanted = force or not path.exists()
        if wanted:
            write_file(path, text)
        yield Outcome(path, wanted)


def project_files() -> dict[str, str]:
    """Path inside the folder -> contents."""
    return {
        SETTINGS_FILE: settings_toml(graph_path=["graphs"], prompt_path=["prompts"]),
        "README.md": _README.read_text(encoding="utf-8"),
        ".gitignore": ".karl/\n",
        f"graphs/{SCHEMA_FILE}": schema_text(),
        **{f"graphs/{name}.yaml": text for name, text in graph_copies(schema=SCHEMA_FILE).items()},
        **{f"prompts/{name}.md": text for name, text in prompt_copies().items()},
        ".vscode/settings.json": _json({"yaml.schemas": {f"./graphs/{SCHEMA_FILE}": ["graphs/*.yaml"]}}),
        ".vscode/extensions.json": _json({"recommendations": ["redhat.vscode-yaml"]}),
    }


def schema_text() -> str:
    """JSON Schema of graph files."""
    from graphs.schema import graph_json_schema

    return _json(graph_json_schema())


def write_file(path: Path, text: str) -> None:
    """Raises: UsageError when it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: can't be written: {exc.strerror or exc}") from exc


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
