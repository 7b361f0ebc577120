"""Graphs and prompts as an editor sees them: listed, checked unsaved, drawn, compared, saved."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from graphs.schema import BUILT_IN, load_spec
from karl.control.workshop import (
    ChangedOnDisk,
    Draft,
    Kind,
    Piece,
    ShelfReader,
    check,
    draw,
    look,
    make_folder,
    offer,
    opened,
    save,
)
from karl.settings import Settings, load_settings
from prompts.loader import BUILT_IN as PROMPTS
from store.errors import UsageError

MINE = "extends: solver\ntools: {search: {k: 7}}\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose graphs/ and prompts/ shadow the built-in ones."""
    monkeypatch.chdir(tmp_path)
    Path("karl.toml").write_text('graph_path = ["graphs"]\nprompt_path = ["prompts"]\n')
    Path("graphs").mkdir()
    Path("prompts").mkdir()
    return tmp_path


def piece(key: str, settings: Settings) -> Piece:
    return {piece.key: piece for piece in ShelfReader().read(settings).pieces}[key]


def draft(key: str, text: str | None = None, *, settings: Settings | None = None) -> Draft:
    """As it is opened, then edited to `text`."""
    chosen = settings or load_settings()
    begun = opened(piece(key, chosen), chosen)
    return begun if text is None else replace(begun, text=text)


# -- what there is ---------------------------------------------------------------------------------------------------


def test_the_shelf_says_where_each_comes_from_and_what_is_broken() -> None:
    Path("graphs/solver.yaml").write_text(MINE)
    Path("graphs/dedup.yaml").write_text("extends: nothing\n")
    Path("graphs/My-Graph.yaml").write_text(MINE)
    Path("prompts/mine.md").write_text("no front matter")
    reader, settings = ShelfReader(), load_settings()
    shelf = reader.read(settings)
    found = {piece.key: piece for piece in shelf.pieces}
    assert (found["graph/solver"].origin, found["graph/solver"].shadows) == (
        "yours, hides built-in",
        (BUILT_IN / "solver.yaml",),
    )
    assert found["graph/solver"].about.startswith("Searches until it can answer")
    assert found["graph/dedup"].problem.startswith("graphs/dedup.yaml:1:1: key 'extends': no graph named 'nothing'")
    assert found["prompt/mine"].problem == (
        "prompts/mine.md:1: a prompt begins with front matter between two lines '---'; none was found"
    )
    assert (found["prompt/tiny/solver"].origin, found["prompt/mine"].origin) == ("built-in", "yours")
    assert [key for key, piece in found.items() if piece.problem] == ["graph/dedup", "prompt/mine"]
    (ignored,) = shelf.ignored
    assert ignored.startswith("graphs/My-Graph.yaml: not in effect") and "call it my_graph.yaml" in ignored
    assert reader.read(settings) is shelf
    Path("graphs/dedup.yaml").write_text("extends: dedup\n")
    assert not any(piece.problem for piece in reader.read(settings).pieces if piece.name == "dedup")


def test_a_built_in_one_opens_as_a_copy_for_the_own_folder() -> None:
    graph, prompt, variant = draft("graph/solver"), draft("prompt/solver"), draft("prompt/tiny/solver")
    places = [str(one.path) for one in (graph, prompt, variant)]
    assert places == ["graphs/solver.yaml", "prompts/solver.md", "prompts/tiny/solver.md"]
    assert [one.base for one in (graph, prompt, variant)] == [None, None, None]
    assert not graph.changed and replace(graph, text="").changed
    assert look(graph, load_settings()).same == "takes effect exactly as the built-in graph does"
    assert variant.text == (PROMPTS / "tiny" / "solver.md").read_text()
    assert "# A copy of the built-in prompt" in prompt.text


def test_one_that_cannot_be_read_is_told() -> None:
    Path("graphs/solver.yaml").write_bytes(b"name: \xff\n")
    settings = load_settings()
    broken = piece("graph/solver", settings)
    assert broken.problem.startswith("graphs/solver.yaml:1:7: can't be read")
    with pytest.raises(UsageError, match="is no UTF-8"):
        opened(broken, settings)


# -- what is wrong with it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("extends: solver\nnodes: [\n", 3, "not valid YAML"),
        ("extends: solver\ntols: {}\n", 2, "unknown key"),
        ("extends: solver\nedges:\n  think: {answer: nowhere}\n", 3, "no node named 'nowhere'"),
        ("extends: solver\nnodes:\n  think: {prompt: missing}\n", 3, "no prompt named 'missing'"),
    ],
)
def test_what_is_typed_is_marked_at_its_line_before_it_is_saved(text: str, line: int, message: str) -> None:
    # The file extends the built-in graph of its own name although there is no file yet.
    marks = check(draft("graph/solver", text), load_settings())
    assert (marks[0].line, marks[0].error, marks[0].elsewhere) == (line, True, "")
    assert message in marks[0].message
    assert not Path("graphs/solver.yaml").exists()


def test_a_prompt_is_linted_as_it_is_typed() -> None:
    text = draft("prompt/solver").text
    (tag,) = check(draft("prompt/solver", text.replace("<search>", "<serch>")), load_settings())[:1]
    assert (tag.error, text.splitlines()[tag.line - 1][:8]) == (False, "<search>")
    assert tag.message.startswith("<serch> is no tag of the parser")
    (unknown,) = check(draft("prompt/solver", f"{text}\n{{{{ nobody }}}}\n"), load_settings())
    assert (unknown.error, unknown.line) == (True, len(text.splitlines()) + 2)
    # A variant was written for one policy: what is unusual in it is none of the linter's business.
    assert check(draft("prompt/tiny/solver"), load_settings()) == ()


def test_a_mistake_in_another_file_says_so() -> None:
    Path("graphs/base.yaml").write_text("extends: solver\nstart: nowhere\n")
    Path("graphs/mine.yaml").write_text("extends: base\n")
    (mark, *_) = check(draft("graph/mine"), load_settings())
    assert (mark.elsewhere, mark.line) == ("graphs/base.yaml", 2)


# -- how it looks, how it differs ------------------------------------------------------------------------------------


def test_the_diagram_knows_where_its_nodes_are() -> None:
    diagram = draw(
        draft("graph/solver", "extends: solver\nnodes:\n  think: {kind: policy, prompt: solver}\n"), load_settings()
    )
    assert list(diagram.boxes) == ["think", "search", "compress"]
    for name, box in diagram.boxes.items():
        assert diagram.lines[box.top][box.left] + diagram.lines[box.top + box.height - 1][box.left] == "┌└"
        assert diagram.lines[box.top + 1][box.left + 2 :].startswith(name)


def test_the_difference_to_the_built_in_one_is_that_of_effect() -> None:
    looked = look(draft("graph/solver", "# k\nextends: solver\ntools: {search: {k: 7}}\n"), load_settings())
    changed = [line for line in looked.difference.splitlines()[2:] if line[0] in "+-"]
    rest = "max_chars: 4000, text: lines, seen: repeat, queries: 1}"
    assert changed == [f"-  search: {{k: 20, {rest}", f"+  search: {{k: 7, {rest}"]
    broken = look(draft("graph/solver", "extends: [\n"), load_settings())
    assert (broken.diagram, broken.difference, broken.errors) == (None, "", 1)
    assert broken.same.startswith("the text is broken")
    Path("graphs/mine.yaml").write_text(MINE)
    assert look(draft("graph/mine"), load_settings()).same == "there is no built-in graph of this name"


def test_prompts_are_compared_as_texts() -> None:
    shipped = (PROMPTS / "tiny" / "solver.md").read_text()
    looked = look(draft("prompt/tiny/solver", shipped.replace("answer:", "reply:")), load_settings())
    assert "+reply: {{ question }}" in looked.difference
    assert look(draft("prompt/tiny/solver"), load_settings()).same == "says exactly what the built-in prompt says"


# -- into the file ---------------------------------------------------------------------------------------------------


def test_what_is_saved_takes_effect_and_the_built_in_file_stays() -> None:
    before = (BUILT_IN / "solver.yaml").read_text()
    saved = save(draft("graph/solver", MINE))
    assert not saved.changed
    assert load_spec("solver", path=[Path("graphs")]).tools.search.k == 7  # type: ignore[union-attr]
    assert (BUILT_IN / "solver.yaml").read_text() == before
    assert os.listdir("graphs") == ["solver.yaml"]
    os.chmod("graphs/solver.yaml", 0o600)
    again = save(replace(saved, text="extends: solver\n"))
    assert (Path("graphs/solver.yaml").read_text(), again.base != saved.base) == ("extends: solver\n", True)
    assert Path("graphs/solver.yaml").stat().st_mode & 0o777 == 0o600


def test_what_somebody_else_wrote_is_never_lost_by_accident() -> None:
    begun = draft("graph/solver", MINE)
    Path("graphs/solver.yaml").write_text("extends: solver\n")
    with pytest.raises(ChangedOnDisk, match=r"graphs/solver.yaml: was changed by someone else") as told:
        save(begun)
    assert told.value.text == "extends: solver\n"
    own = draft("graph/solver", MINE)
    Path("graphs/solver.yaml").unlink()
    with pytest.raises(ChangedOnDisk, match="was deleted"):
        save(own)
    assert not Path("graphs/solver.yaml").exists()
    assert save(own, over=True).base == save(replace(own, base=None), over=True).base
    assert Path("graphs/solver.yaml").read_text() == MINE


def test_other_line_ends_are_no_change() -> None:
    Path("graphs/solver.yaml").write_bytes(MINE.replace("\n", "\r\n").encode())
    assert save(draft("graph/solver")).text == MINE


def test_a_folder_that_cannot_be_written_is_told() -> None:
    begun = draft("graph/solver", MINE)
    Path("graphs").rmdir()
    Path("graphs").write_text("a file")
    with pytest.raises(UsageError, match="graphs"):
        save(begun)


@pytest.mark.parametrize("settings_there", [False, True])
def test_a_folder_is_offered_where_there_is_none(settings_there: bool) -> None:
    for place in ("graphs", "prompts"):
        Path(place).rmdir()
    Path("karl.toml").write_text("concurrency = 3\n") if settings_there else Path("karl.toml").unlink()
    settings = load_settings()
    begun = draft("graph/solver", MINE, settings=settings)
    made = offer(begun, settings)
    assert made is not None
    assert (made.line, made.writes_settings) == ('graph_path = ["graphs"]', not settings_there)
    assert check(begun, settings) == check(draft("graph/solver"), settings)[:0]
    after = make_folder(made, settings)
    assert (after.graph_path, offer(begun, after)) == ([Path("graphs")], None)
    save(begun)
    assert piece("graph/solver", after).origin == "yours, hides built-in"
    if settings_there:
        assert Path("karl.toml").read_text() == "concurrency = 3\n"
    else:
        assert load_settings().graph_path == [Path("graphs")]
        assert offer(draft("prompt/solver"), load_settings()) is not None
    assert begun.kind is Kind.GRAPH
