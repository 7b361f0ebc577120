"""Graph files that shadow the built-in ones and, until someone edits them, change nothing."""

from __future__ import annotations

import re
import textwrap

from graphs.schema import BUILT_IN, GraphSpec, load_spec

WHOLE = "solver"  # copied as a whole, to be read and taken apart; the others lie over the built-in ones
_KEY = re.compile(r"^([a-z_]+):", re.MULTILINE)
_MODELINE = "# yaml-language-server: $schema={schema}\n"
_COMMENT = re.compile(r"^#.*\n", re.MULTILINE)

# What one might change first; a test puts them into effect.
_EXAMPLES = {
    "aggregator": "nodes:\n  attempts: {runs: 9}\n",
    "dedup": "nodes:\n  near: {top: 20}\n",
    "iteration": "nodes:\n  check_quality: null\nedges:\n  filter: snapshot\n",
    "qa_generator": "tools:\n  search: {k: 8}\ncandidates: 4\n",
    "quality_filter": "limits: {seconds: 600}\n",
    "value_guided_search": "nodes:\n  attempts: {runs: 9}\n",
    "value_guided_solver": "nodes:\n  think: {candidates: 4}\n",
}

_WHOLE_HEAD = """\
A copy of the built-in graph: what you change here is what runs, from the next run on. \
`karl graph show {name} --ascii` draws it, `karl graph diff {name}` shows what you have changed, \
`karl graph validate` checks it.
"""
_HEAD = """\
{description} This file lies over the built-in graph of the same name, which `karl graph show {name}@built-in` prints. \
Keys written here win; mappings merge key by key, a list replaces the whole list, `key: null` takes a key away. As it \
stands it changes nothing.
"""


def graph_copies(*, schema: str) -> dict[str, str]:
    """Name -> file. `schema`: the file of the JSON Schema, as seen from the graphs."""
    modeline = _MODELINE.format(schema=schema)
    names = sorted(file.stem for file in BUILT_IN.glob("*.yaml"))
    return {name: modeline + (_whole(name) if name == WHOLE else _extending(name)) for name in names}


def whole_copy(name: str, *, schema: str = "") -> str:
    """The built-in graph as a file of its own, its keys explained. `schema`: as of `graph_copies`; "": none."""
    return (_MODELINE.format(schema=schema) if schema else "") + _whole(name)


def uncommented(text: str) -> str:
    """A file of `graph_copies` with its example put into effect."""
    head, _, example = text.partition("# For example:\n")
    return head + re.sub(r"^# ?", "", example, flags=re.MULTILINE)


def _extending(name: str) -> str:
    description = load_spec(name).description
    example = textwrap.indent(_EXAMPLES[name], "# ")
    return f"{_comment(_HEAD.format(name=name, description=description))}extends: {name}\n# For example:\n{example}"


def _whole(name: str) -> str:
    text = _COMMENT.sub("", (BUILT_IN / f"{name}.yaml").read_text(encoding="utf-8"))
    told = {key: field.description or "" for key, field in GraphSpec.model_fields.items()}
    told["overrides"] = "for tasks and policies: laid over the graph in that order"
    explained = _KEY.sub(lambda match: _comment(told.get(match[1], "")) + match[0], text)
    return _comment(_WHOLE_HEAD.format(name=name)) + explained


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, 116))
