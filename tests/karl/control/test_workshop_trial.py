"""Prompts previewed with what the store has; unsaved texts put into effect in a scratch folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from graphs.schema import load_spec
from karl.catalog import find_graph, find_prompt
from karl.control.workshop import (
    Facts,
    Scratch,
    Variable,
    preview,
    trial_of,
    typed,
    variables_of,
)
from karl.settings import Settings, load_settings
from karl.tiny import POLICY_FOLDER
from karl.validation import validate_graph
from store.errors import UsageError
from store.types import Hit
from tests.karl.control.test_workshop import MINE, draft, project

HIT = Hit(7, "people/mira.md#0", "Mira", "Mira leads [falcon].", score=1.0, page=3)
FACTS = Facts("rollout 12", "Who leads falcon?", "Mira", "[1] says so", 0.75, query="falcon lead", hits=(HIT,))
NODE = """
from graphs.state import GraphState

async def note(state: GraphState) -> dict[str, object]:
    return {}
"""

__all__ = ["project"]  # the fixture of a folder with graphs and prompts


def values(key: str, facts: Facts = FACTS) -> dict[str, Variable]:
    return {variable.name: variable for variable in variables_of(draft(key), facts, load_settings())}


def test_variables_are_those_of_a_stored_rollout() -> None:
    found = values("prompt/solver")
    assert (found["question"].value, found["question"].source) == ("Who leads falcon?", "rollout 12")
    assert (found["summary"].value, found["steps"].source) == ("", "made up")
    shown = preview(draft("prompt/solver"), list(found.values()), policy=None)
    assert shown.text.count("Who leads falcon?") == 1
    assert shown.characters == len(shown.text)
    counted = Tokenizer.from_file(str(POLICY_FOLDER / "tokenizer.json")).encode(shown.text, add_special_tokens=False)
    assert (shown.tokens, shown.counted_by) == (len(counted.ids), "the shipped policy")


def test_passages_and_answers_are_of_the_types_that_a_rollout_has() -> None:
    (hits,) = variables_of(draft("prompt/search_result"), FACTS, load_settings())
    assert hits.shown == "1 item"
    assert preview(draft("prompt/search_result"), [hits], policy=None).text == "[1] Mira, page 3\nMira leads [falcon]."
    combined = preview(draft("prompt/tiny/aggregator"), list(values("prompt/tiny/aggregator").values()), policy=None)
    assert combined.text.endswith("- Mira")
    seeds = values("prompt/tiny/generator")["seeds"]
    assert (seeds.value, seeds.source) == ("[1] Mira leads [falcon].", "rollout 12")


@pytest.mark.parametrize("key", ["prompt/aggregator", "prompt/generator", "prompt/compressor", "prompt/refused_call"])
def test_without_a_store_everything_is_made_up_and_says_so(key: str) -> None:
    found = values(key, Facts())
    assert {variable.source for variable in found.values()} == {"made up"}
    assert preview(draft(key), list(found.values()), policy=Path("nowhere")).tokens is None


def test_values_can_be_typed() -> None:
    found = values("prompt/solver")
    assert typed(found["question"], "Why?").value == "Why?"
    assert typed(found["steps"], "12").value == 12
    with pytest.raises(UsageError, match="steps is of type integer; write it as JSON"):
        typed(found["steps"], "many")
    wrong = [replace(variable, value="x") for variable in found.values()]
    with pytest.raises(UsageError, match="'steps': expected integer"):
        preview(draft("prompt/solver"), wrong, policy=None)


def test_what_a_question_can_be_put_to() -> None:
    settings = load_settings()
    assert trial_of(draft("graph/aggregator"), settings).graph == "aggregator"
    assert trial_of(draft("prompt/solver"), settings).graph == "solver"
    assert trial_of(draft("prompt/tiny/aggregator"), settings).graph == "aggregator"
    for key, reason in [
        ("graph/dedup", "it has no role"),
        ("graph/qa_generator", "its role is generator"),
        ("prompt/generator", "no graph that answers questions reads the prompt 'generator'"),
    ]:
        with pytest.raises(UsageError, match=reason):
            trial_of(draft(key), settings)


def test_a_scratch_folder_stands_in_for_the_own_one() -> None:
    Path("graphs/solver.yaml").write_text("extends: solver\ntools: {search: {k: 5}}\ncandidates: 3\n")
    Path("graphs/other.yaml").write_text("extends: solver\n")
    Path("steps.py").write_text(NODE)
    node = "nodes:\n  note: {kind: python, function: 'steps:note'}\nedges: {note: think}\nstart: note\n"
    settings = load_settings()
    scratch = Scratch(draft("graph/solver", MINE + node), settings)
    found = find_graph("solver", settings=scratch.settings)
    # Over the built-in one, as it will be once it is saved, not over the file that it takes the place of.
    assert (found.tools.search.k, found.candidates) == (7, 8)  # type: ignore[union-attr]
    assert find_graph("other", settings=scratch.settings).sha256 == found.model_copy(update={"name": "other"}).sha256
    # The module beside the folder is found from the scratch folder, too.
    assert validate_graph(scratch.settings.graph_path[0] / "solver.yaml", settings=scratch.settings) == []
    scratch.put("extends: solver\ntools: {search: {k: 9}}\n")
    assert find_graph("solver", settings=scratch.settings).tools.search.k == 9  # type: ignore[union-attr]
    scratch.close()
    assert not scratch.settings.graph_path[0].exists()
    assert load_spec("solver", path=settings.graph_path).tools.search.k == 5  # type: ignore[union-attr]


def test_a_scratch_folder_without_any_of_ones_own() -> None:
    settings = Settings()
    scratch = Scratch(draft("prompt/tiny/solver", "---\ndescription: d d\n---\nhello", settings=settings), settings)
    assert find_prompt("solver", settings=scratch.settings, variant="tiny").text == "hello"
    assert find_prompt("solver", settings=scratch.settings).text != "hello"
    scratch.close()
