"""The room of graphs and prompts and its workbench on a real project folder, driven by Textual's pilot."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from textual.pilot import Pilot
from textual.widgets import Input

from agents.spawning import same_imports
from store.models import Corpus, Rollout, Task
from store.session import Store
from tests.karl.api_kit import make_corpus
from tests.tui.graphs_kit import MINE, PASSAGE, fill_rollout, graphs_app, make_project
from tests.tui.kit import until
from tui.reading.graphs import read_material
from tui.screens.choice import ChoiceScreen
from tui.screens.graphs import GraphsScreen
from tui.screens.workbench import WorkbenchScreen
from tui.widgets.code_editor import CodeEditor
from tui.widgets.piece_table import PieceTable

SMALL, LARGE = (80, 24), (200, 60)
RENAMED = """\
extends: solver
start: ponder
nodes: {think: null, ponder: {kind: policy, prompt: solver}}
edges:
  think: null
  ponder: {search: search, malformed: search, answer: end, exhausted: end}
  search: {ok: ponder, compress: compress}
  compress: ponder
"""
# Everything looked at once, as the room does it.
LOOK = """
import sys
import tui.screens.graphs, tui.screens.workbench
from karl.control.place import load_settings
from karl.control.workshop import ShelfReader, look, opened

settings = load_settings()
for piece in ShelfReader().read(settings).pieces:
    look(opened(piece, settings), settings)
print({"torch", "transformers", "langgraph", "faiss", "verl"} & set(sys.modules))
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_project(tmp_path, monkeypatch)


async def open_bench(pilot: Pilot[None], key: str) -> WorkbenchScreen:
    """The workbench of the graph or prompt of that key, once it has looked at it."""
    await until(pilot, "graphs and prompts,")
    table = pilot.app.screen.query_one(PieceTable)
    table.move_cursor(row=table.get_row_index(key))
    await pilot.press("enter")
    await until(pilot, "errors, ")
    assert isinstance(pilot.app.screen, WorkbenchScreen)
    return pilot.app.screen


def keys(typed: str) -> list[str]:
    """As they are pressed."""
    names = {
        "/": "slash",
        " ": "space",
        ":": "colon",
        "{": "left_curly_bracket",
        "[": "left_square_bracket",
        "_": "underscore",
    }
    return [names.get(letter, letter) for letter in typed]


async def patiently(pilot: Pilot[None], *said: str) -> list[str]:
    """For what a process of its own does, which has a model to load."""
    with suppress(AssertionError):
        return await until(pilot, *said)
    return await until(pilot, *said)


def write(bench: WorkbenchScreen, typed: str) -> None:
    """In place of the text, as one edit of the user's."""
    editor = bench.query_one(CodeEditor)
    editor.replace(typed, (0, 0), editor.document.end)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_list_tells_origin_and_state_and_the_diagram_is_drawn(store: Store, size: tuple[int, int]):
    Path("graphs/solver.yaml").write_text(MINE)
    Path("graphs/aggregator.yaml").write_text("extends: nothing\n")
    app = graphs_app(store)
    async with app.run_test(size=size) as pilot:
        lines = await until(pilot, "33 graphs and prompts, 2 yours, 1 broken", "[5 Graphs]")
        assert any("aggregator" in line and "yours, hides built-in  ! broken" in line for line in lines)
        # The first is broken: its reason and its text are shown in the place of a diagram.
        assert any("! broken: graphs/aggregator.yaml:1:1: key 'extends'" in line for line in lines)
        assert any("extends: nothing" in line for line in lines)
        await pilot.press(*["down"] * 5)
        lines = await until(pilot, "policy: solver", "yours, hides built-in")
        assert isinstance(app.screen, GraphsScreen)


async def test_a_file_that_comes_or_breaks_meanwhile_is_seen(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "33 graphs and prompts, 0 yours, 0 broken")
        await pilot.press("down", "down")
        Path("graphs/another.yaml").write_text("extends: solver\n")
        Path("graphs/Bad-Name.yaml").write_text("extends: solver\n")
        await until(pilot, "34 graphs and prompts, 1 yours, 0 broken  graphs/Bad-Name.yaml: not in effect")
        table = app.screen.query_one(PieceTable)
        assert table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value == "graph/iteration"
        Path("graphs/another.yaml").write_text("extends: [\n")
        await until(pilot, "34 graphs and prompts, 1 yours, 1 broken")


async def test_the_filter_narrows_the_list(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "33 graphs")
        await pilot.press("slash", *keys("tiny/sol"))
        lines = await until(pilot, "question: {type: string}")
        assert app.screen.query_one(PieceTable).row_count == 1
        await pilot.press("escape", "enter")
        await until(pilot, "prompts/tiny/solver.md  not changed yet")
        assert lines


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_what_is_typed_is_marked_beside_its_line_and_listed(store: Store, size: tuple[int, int]):
    app = graphs_app(store)
    async with app.run_test(size=size) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        write(bench, "extends: solver\nstart: nowhere\n")
        await pilot.press("f2")
        lines = await until(
            pilot, "F2 Findings (1)", "1 error, 0 warnings", "✗ error, line 2: key 'start': no node named"
        )
        assert any(line.startswith("2✗ start: nowhere") for line in lines)
        await pilot.press("enter")
        await until(pilot, "line 2, column 1  key 'start'")
        assert bench.query_one(CodeEditor).has_focus
        write(bench, "extends: solver\n")
        lines = await until(pilot, "0 errors, 0 warnings", "nothing to mend")
        assert not any("✗" in line for line in lines)
        await pilot.press("f3")
        await until(pilot, "policy: solver", "answer, exhausted")


async def test_the_difference_to_the_built_in_one(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=LARGE) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        await pilot.press("f4")
        await until(pilot, "takes effect exactly as the built-in graph does")
        write(bench, MINE)
        await until(pilot, "-  search: {k: 20, max_chars: 4000, text", "+  search: {k: 7, max_chars: 4000, text")


async def test_a_prompt_is_previewed_with_what_a_rollout_had(store: Store):
    with store.session() as session:
        fill_rollout(session)
    app = graphs_app(store)
    async with app.run_test(size=LARGE) as pilot:
        bench = await open_bench(pilot, "prompt/search_result")
        await until(pilot, "tokens of the shipped policy", "hits: 1 item  (rollout 1)", f"{PASSAGE}")
        write(bench, "---\ndescription: d d\nvariables: {query: {type: string}}\n---\nfound: {{ query }}!\n")
        await until(pilot, "15 characters, ", "query: words 0  (rollout 1)", "found: words 0!")
        await pilot.press("f3", "v")
        await until(pilot, "values of the preview", "query (string, rollout 1)")
        await pilot.press("end", *keys(" more"), "enter")
        await until(pilot, "found: words 0 more!", "(typed)")
        write(bench, "---\n")
        await until(pilot, "the front matter that begins here has no end")


async def test_saving_takes_effect_and_guards_what_is_not_saved(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        write(bench, MINE)
        await until(pilot, "graphs/solver.yaml  * not saved")
        await pilot.press("escape", "q")
        await until(pilot, "Not saved yet: graphs/solver.yaml", "Quit and lose them")
        await pilot.press("escape", "escape")
        await until(pilot, "graphs/solver.yaml: not saved yet", "Throw away")
        await pilot.press("s")
        await until(pilot, "33 graphs and prompts, 1 yours, 0 broken")
        assert Path("graphs/solver.yaml").read_text() == MINE
        assert app.desk.unsaved == set()
        await pilot.press("q")
    assert app.return_code == 0


async def test_what_is_thrown_away_is_not_written(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        write(await open_bench(pilot, "graph/solver"), MINE)
        await until(pilot, "* not saved")
        await pilot.press("escape", "escape")
        await until(pilot, "Throw away")
        await pilot.press("d")
        await until(pilot, "33 graphs and prompts, 0 yours")
        assert (app.desk.unsaved, list(Path("graphs").iterdir())) == (set(), [])


async def test_what_somebody_else_wrote_is_asked_about(store: Store):
    Path("graphs/solver.yaml").write_text("extends: solver\n")
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        write(bench, MINE)
        Path("graphs/solver.yaml").write_text("extends: solver\ncandidates: 3\n")
        await until(pilot, "! the file was changed by someone else")
        await pilot.press("ctrl+s")
        await until(pilot, "Write mine over it", "Take theirs, lose mine")
        await pilot.press("escape")
        assert Path("graphs/solver.yaml").read_text() == "extends: solver\ncandidates: 3\n"
        await pilot.press("ctrl+s")
        await until(pilot, "Take theirs")
        await pilot.press("t")
        await until(pilot, "candidates: 3")
        assert bench.query_one(CodeEditor).text == "extends: solver\ncandidates: 3\n"
        assert app.desk.unsaved == set()


async def test_a_folder_is_offered_where_there_is_none(store: Store):
    Path("karl.toml").unlink()
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        write(await open_bench(pilot, "prompt/tiny/solver"), "---\ndescription: d d\n---\nhello\n")
        await pilot.press("ctrl+s")
        await until(pilot, "You have no folder for prompts", 'prompt_path = ["prompts"]', "Make prompts/")
        await pilot.press("m")
        await until(pilot, "prompts/tiny/solver.md: saved")
        assert app.desk.settings.prompt_path == [Path("prompts")]
        assert 'prompt_path = ["prompts"]' in Path("karl.toml").read_text()


async def test_a_piece_that_cannot_be_opened_is_told(store: Store):
    Path("graphs/solver.yaml").write_bytes(b"name: \xff\n")
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "2 broken")  # and the one that extends it
        table = app.screen.query_one(PieceTable)
        table.move_cursor(row=table.get_row_index("graph/solver"))
        await pilot.press("enter")
        await until(pilot, "can't be read: byte 0xff is no UTF-8")
        await pilot.press("escape", "escape")
        await until(pilot, "33 graphs and prompts")


async def test_a_database_that_refuses_leaves_the_editor_usable(store: Store):
    with store.session() as session:
        session.connection().execute(text("DROP TABLE corpus"))
    app = graphs_app(store)
    async with app.run_test(size=LARGE) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        await until(pilot, "no such table: corpus")
        write(bench, MINE)
        await pilot.press("ctrl+s")
        await until(pilot, "graphs/solver.yaml: saved")
        assert not isinstance(app.screen, ChoiceScreen)


async def test_without_a_corpus_there_is_nothing_to_ask(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=SMALL) as pilot:
        await open_bench(pilot, "graph/solver")
        await pilot.press("f5", *keys("who?"), "enter")
        await until(pilot, "no corpus to search: `karl ingest FOLDER --name NAME` makes one")
        # Keys are keys again, and nothing was left.
        await pilot.press("o")
        await until(pilot, "no trace yet: F5, then Enter, asks a question")
        await pilot.press("f5", "x", "escape", "o")
        assert app.screen.query_one("#question", Input).value == "x"
        assert isinstance(app.screen, WorkbenchScreen)


def test_a_question_is_put_to_the_corpus_that_it_was_asked_about(store: Store):
    """A held-out one is about another corpus than the run."""
    with store.session() as session:
        fill_rollout(session)
    assert read_material(store, run_id=None, rollout_id=None).corpus == "notes"
    with store.session() as session:
        other = Corpus(name="held-out notes", source="elsewhere")
        session.add(other)
        session.flush()
        task = Task(key="t", run_id=1, iteration=0, corpus_id=other.id or 0, question="who?", answer="Mira")
        session.add(task)
        session.flush()
        rollout = session.get(Rollout, 1)
        assert rollout is not None
        rollout.task_id = task.id
    assert read_material(store, run_id=None, rollout_id=1).corpus == "held-out notes"


async def test_edges_of_the_list_and_of_the_text(store: Store):
    app = graphs_app(store)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "33 graphs")
        await pilot.press("end")
        await until(pilot, "prompts/solver_report.md")
        # What is picked stays in sight where there is less room.
        await pilot.resize_terminal(*SMALL)
        assert any("solver_report  " in line for line in await until(pilot, "kind"))
        await pilot.press("home", "enter")
        await until(pilot, "line 1, column 1")
        await pilot.press("ctrl+end")
        editor = app.screen.query_one(CodeEditor)
        await until(pilot, f"line {editor.document.line_count}, column 1")
        await pilot.press("ctrl+home")
        await until(pilot, "line 1, column 1")


@pytest.mark.slow
async def test_one_question_through_the_edited_graph_is_seen_node_by_node(tmp_path: Path):
    """A real process with the embedded policy; it stays for the second text."""
    home = make_corpus(tmp_path)
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    app = graphs_app(store, home=home)
    async with app.run_test(size=LARGE) as pilot:
        bench = await open_bench(pilot, "graph/solver")
        await pilot.press("f5", *keys("where does mira work?"), "enter")
        await until(pilot, "loading karl-tiny")
        await patiently(pilot, "▶ think", " sampled")
        write(bench, RENAMED)
        await until(pilot, "* not saved")
        await pilot.press("f5", "enter")
        lines = await patiently(pilot, "▶ ponder", " sampled")
        assert not any("▶ think" in line for line in lines)
    store.close()


def test_nothing_heavy_is_loaded_into_the_interface(project: Path):
    looked = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, env=same_imports(), check=True
    )
    assert looked.stdout == "set()\n"
