"""One rollout on the screen: its tree, its tokens, its sources."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from store.models import Task
from store.session import Store
from tests.tui.kit import app_on, until
from tests.tui.traces_kit import QUESTION, Filled, fill_traces
from tui.reading.tokens import TokenPage
from tui.reading.trace import read_trace
from tui.reading.trace_nodes import trace_nodes
from tui.reading.trace_steps import TraceNode
from tui.screens.trace import TraceScreen
from tui.widgets.token_text import token_content
from tui.widgets.trace_tree import TraceTree

SMALL, LARGE = (80, 24), (200, 60)


@pytest.fixture
def ids(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filled:
    monkeypatch.chdir(tmp_path)
    with store.session() as session:
        return fill_traces(session, tmp_path / "docs")


@asynccontextmanager
async def opened(store: Store, rollout_id: int, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    app = app_on(store, room="traces")
    async with app.run_test(size=size) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        app.push_screen(TraceScreen(rollout_id))
        await until(pilot, f"rollout {rollout_id}: ")
        yield pilot


def flat(nodes: list[TraceNode], depth: int = 0) -> Iterator[str]:
    for node in nodes:
        yield f"{'  ' * depth}{node.label}"
        yield from flat(list(node.children), depth + 1)


def lines_of(store: Store, rollout_id: int) -> list[str]:
    view = read_trace(store, rollout_id)
    assert view is not None
    return list(flat(trace_nodes(view)))


def test_every_part_of_a_rollout_is_a_line(store: Store, ids: Filled):
    assert lines_of(store, ids.good)[1:] == [
        f"question: {QUESTION}",
        "reference answer: Mira",
        "  nugget: Mira",
        "  nugget: since May",
        "  1 ◆ report.pdf#0, page 3: REPORT.PDF",
        "    Mira leads Atlas since May.",
        "1 search: 2 queries, 4 hits, 1 gold; 1 refused; 400 tokens read, 9 sampled; 1.3 s; value 0.750",
        "  says: I search for Atlas.",
        '  query "atlas lead": 2 hits, 0.2 s',
        "    1 ○ mira.md#0: MIRA.MD",
        "      Mira is a lead.",
        "    2 ◆ report.pdf#0, page 3: REPORT.PDF",
        "      Mira leads Atlas since May.",
        '  query "orion": 2 hits, 0.1 s',
        "    1 ○ ilse.md#0: ILSE.MD",
        "      Ilse leads Orion.",
        "    2 ? chunk 999",
        '  search {"query": ""}: refused: an empty query',
        "    error: an empty query",
        '  lookup {"name": "Mira"}: 12 characters, 0.0 s',
        "    reply: Mira: [lead]",
        "  2 alternatives by value-1",
        "    0.750 kept: I search for Atlas.",
        "    0.125 not kept: I give up.",
        "2 compress: 3,812 -> 410 tokens; summary of 96",
        "  summary: Atlas: see the report.",
        "3 search: 1 hit, 1 gold, 1 seen before; 410 tokens read, 5 sampled; 0.0 s",
        "  says: Once more.",
        '  query "atlas": 1 hit, 0.0 s',
        "    1 ◆ report.pdf#0, page 3, seen before: REPORT.PDF",
        "      Mira leads Atlas since May.",
        "4 answer: 500 tokens read, 7 sampled; 0.0 s",
        "  says: Mira leads it.",
        "answer (confidence 0.75): Mira",
        "  explanation: [1] says so",
        "  cites",
        "    1 ◆ report.pdf#0, page 3: REPORT.PDF",
        "      Mira leads Atlas since May.",
        "nuggets 0.500 by rule: one of two",
        "  support: Mira",
        "  not support: since May",
    ]


def test_a_failure_with_its_traceback_and_a_vote_with_its_attempts(store: Store, ids: Filled):
    assert lines_of(store, ids.failed)[-2:] == [
        "failed, timeout: no byte for 600 s",
        "  traceback",
    ]
    assert lines_of(store, ids.voted)[-3:] == [
        "combines 2 attempts (Enter opens one)",
        "  1 finished, 3 searches, 0.2 s: answer 1",
        "  2 finished, 3 searches, 0.2 s: answer 2",
    ]


def test_a_rollout_of_no_question_has_no_gold(store: Store, ids: Filled):
    with store.session() as session:
        session.get_one(Task, ids.task).citations = []
    assert not any("◆" in line or "gold" in line for line in lines_of(store, ids.good))
    assert read_trace(store, 999) is None


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_tree_and_what_a_line_has_in_full(store: Store, ids: Filled, size: tuple[int, int]):
    async with opened(store, ids.good, size) as pilot:
        lines = await until(
            pilot, "finished, reward 0.500, explore then verify", "tiny version 3, T 0.5", "key  ", "notes-1/good"
        )
        assert any("graph solver@aaaaaaaa" in line for line in lines)
        await pilot.press("down", "down", "down", "down", "down", "down", "enter")
        lines = await until(pilot, "1 ○ mira.md#0: MIRA.MD", "Mira is a lead.")
        await pilot.press("down")
        await until(pilot, "Mira is a lead.")
        assert max(map(len, lines)) <= size[0] + 1


async def test_long_lines_end_in_an_ellipsis(store: Store, ids: Filled):
    with store.session() as session:
        task = session.get_one(Task, ids.task)
        task.answer = "a very long answer " * 20
    async with opened(store, ids.good, SMALL) as pilot:
        lines = await until(pilot, "reference answer: a very long answer")
        (line,) = [line for line in lines if "reference answer" in line]
        assert line.rstrip(" ▃▁▂▄▅▆▇█").endswith("…") and len(line.rstrip()) <= 80  # but for the scroll bar


async def test_copy_export_and_an_attempt(store: Store, ids: Filled, tmp_path: Path):
    async with opened(store, ids.voted, SMALL) as pilot:
        await pilot.press("down", "y")
        assert pilot.app.clipboard == QUESTION
        await pilot.press("Y")
        assert pilot.app.clipboard == "answer 1\n\n[1] says so"
        await pilot.press("e")
        await until(pilot, f"trace-{ids.voted}.json")
        assert json.loads((tmp_path / f"trace-{ids.voted}.json").read_text())["role"] == "aggregator"
        pilot.app.screen.query_one(TraceTree).action_scroll_end()
        await pilot.press("enter")
        await until(pilot, "notes-1/voted/solver-2")
        await pilot.press("escape")
        await until(pilot, "notes-1: evaluate 0 base, attempt 0")


async def test_an_export_that_fails_is_told(store: Store, ids: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    async with opened(store, ids.good, SMALL) as pilot:
        await pilot.press("e")
        await until(pilot, "that failed: [Errno 2] No such file or directory", f"rollout {ids.good}: notes-1/good")


async def test_a_passage_whose_document_is_gone_is_shown_with_its_place(store: Store, ids: Filled, tmp_path: Path):
    async with opened(store, ids.good, SMALL) as pilot:
        await pilot.press("o")
        await until(pilot, "put the cursor on a passage")
        await pilot.press("down", "down", "enter", "down", "down", "down", "o")
        await until(pilot, "report.pdf#0, page 3 (the file is not there)", "Mira leads Atlas since May.")
        await pilot.press("y")
        place = f"{tmp_path}/docs/report.pdf, page 3"
        assert pilot.app.clipboard == f"{place}\nreport.pdf#0, page 3\nREPORT.PDF\nMira leads Atlas since May."
        await pilot.press("escape")
        await until(pilot, f"rollout {ids.good}: notes-1/good")


async def test_a_document_opens_in_the_viewer_and_the_command_is_told(
    store: Store, ids: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "report.pdf").write_bytes(b"%PDF")
    (tmp_path / "bin").mkdir()
    viewer = tmp_path / "bin" / "evince"
    viewer.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/seen\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin:/usr/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    async with opened(store, ids.good, LARGE) as pilot:
        await pilot.press("down", "down", "enter", "down", "down", "down", "o")
        await until(pilot, f"evince --page-index=3 {tmp_path}/docs/report.pdf")
        for _ in range(100):
            await pilot.pause(0.05)
            if (tmp_path / "seen").exists():
                break
    assert (tmp_path / "seen").read_text() == f"--page-index=3 {tmp_path}/docs/report.pdf\n"


async def test_tokens_with_mask_levels_and_segments(store: Store, ids: Filled):
    async with opened(store, ids.good, SMALL) as pilot:
        await pilot.press("t")
        await until(pilot, "segment 1 of 2 (turns): tokens 1 to 4 of 4, 2 trained", "5 6 ⟪7 8 ⟫")
        await pilot.press("l")
        await until(pilot, "5 6 ⟪7 ⁹8 ⁰⟫", "⁹ 0.9 and above, ⁰ under 0.1")
        await pilot.press("right_square_bracket")
        await until(pilot, "segment 2 of 2")
        await pilot.press("y")
        assert pilot.app.clipboard == "5 6 7 8 "
        await pilot.press("escape")
        await until(pilot, f"rollout {ids.good}: notes-1/good")


async def test_a_rollout_without_tokens_says_so(store: Store, ids: Filled):
    async with opened(store, ids.voted, SMALL) as pilot:
        await pilot.press("t")
        await until(pilot, "This rollout has no tokens")


def test_shades_tell_how_likely_a_token_was():
    page = TokenPage(
        heads=[],
        chosen=0,
        start=0,
        ids=[1, 2, 3, 4, 5],
        mask=[False, True, True, True, True],
        logprobs=[0.0, 0.0, -0.5, -1.2, -4.0],
        texts=["a\n", "b[red]", "c", "\x1b", ""],
        folder=None,
    )
    content = token_content(page, levels=True, ids=False)
    assert content.plain == "a↵\n⟪b[red]⁹c⁶␛³⁰⟫"
    styles = {content.plain[span.start : span.end]: str(span.style) for span in content.spans}
    assert styles["a↵\n"] == "dim"
    assert styles["b[red]"] == "underline"
    assert styles["c"] == "underline $primary"
    assert styles["␛"] == "bold underline $warning"
    assert token_content(page, levels=False, ids=True).plain == "1 ⟪2 3 4 5 ⟫"
