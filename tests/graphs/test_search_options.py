"""Options of the search: filters, several queries in a call, passages in sight, lines kept; all declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.tools import SearchTool
from graphs.schema import SearchSettings
from graphs.state import CitationBook, cut_lines
from graphs.toolbox import build_toolbox
from prompts import load_prompt
from prompts.output import ToolCall
from store.types import Hit, StepKind, StepRecord, ToolCallRecord
from tests.graphs.small import small_spec

PAGES = [
    Hit(n, f"{name}#{n}", name, f"{name} text {n}", 1 / n, n, path=name, headings=("Item 7",), metadata={"year": year})
    for n, (name, year) in enumerate([("3M.pdf", 2018), ("3M.pdf", 2022), ("Nike.pdf", 2019)], start=1)
]


class Everything:
    """Finds all pages, whatever the query; those that a query names come first."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def search(self, query: str, k: int) -> list[Hit]:
        self.asked.append((query, k))
        return sorted(PAGES, key=lambda hit: hit.text not in query)[:k]


def toolbox(searcher: Everything, **settings: Any):
    spec = small_spec("solver", tools={"search": settings})
    return build_toolbox(spec, search=SearchTool(searcher=searcher, k=spec.tools.search.k if spec.tools.search else 0))


async def found(searcher: Everything, arguments: dict[str, Any], **settings: Any) -> list[int]:
    box = toolbox(searcher, **settings)
    call = box.check(ToolCall("search", arguments))
    assert call.problem is None
    return [hit.chunk_id for hit in (await box.run(call)).hits or ()]


async def test_filters_choose_among_the_best_hits_of_a_searcher_that_knows_none() -> None:
    searcher = Everything()
    given: dict[str, Any] = {"k": 2, "filters": ["path", "year", "headings", "page"]}
    assert await found(searcher, {"query": "x", "where": {"path": "3m*"}}, **given) == [1, 2]
    assert await found(searcher, {"query": "x", "where": {"year": [2019, "2022"], "headings": "*7"}}, **given) == [2, 3]
    assert await found(searcher, {"query": "x", "where": {"page": 3, "path": "3M.pdf"}}, **given) == []
    assert await found(searcher, {"query": "x"}, **given) == [1, 2]
    assert searcher.asked == [("x", 1000)] * 3 + [("x", 2)]


async def test_a_searcher_that_takes_filters_is_given_them() -> None:
    class Filtering(Everything):
        async def search(self, query: str, k: int, where: Mapping[str, Any] | None = None) -> list[Hit]:
            self.asked.append((f"{query} {where}", k))
            return PAGES[2:]

    searcher = Filtering()
    given: dict[str, Any] = {"k": 2, "filters": ["year"]}
    assert await found(searcher, {"query": "x", "where": {"year": 2019}}, **given) == [3]
    assert await found(searcher, {"query": "x"}, **given) == [3]
    assert searcher.asked == [("x {'year': 2019}", 2), ("x None", 2)]


async def test_queries_of_one_call_take_turns() -> None:
    arguments = {"query": "3M.pdf text 2", "more": ["Nike.pdf text 3", "3M.pdf text 2"]}
    assert await found(Everything(), arguments, k=3, queries=3) == [2, 3, 1]
    step = StepRecord(StepKind.SEARCH, "", calls=[ToolCallRecord("search", arguments)])
    assert step.queries == ["3M.pdf text 2", "Nike.pdf text 3", "3M.pdf text 2"]


def test_what_a_graph_does_not_allow_is_told() -> None:
    plain = toolbox(Everything(), k=3)
    assert plain.check(ToolCall("search", {"query": "x", "where": {"year": 1}})).problem is not None
    some = toolbox(Everything(), k=3, filters=["year"], queries=2)
    assert some.check(ToolCall("search", {"query": "x", "where": {"path": "a"}})).problem is not None
    assert some.check(ToolCall("search", {"query": "x", "more": ["a", "b"]})).problem is not None


def test_passages_in_sight_are_marked_or_left_out_until_a_compression() -> None:
    book = CitationBook()
    first, second, third = PAGES
    assert [one.seen for one in book.show([first, second], max_chars=40, seen="mark", segment=1)] == [False, False]
    shown = book.show([second, third], max_chars=40, seen="mark", segment=1)
    assert [(one.n, one.seen, one.text) for one in shown] == [(2, True, ""), (3, False, "Nike.pdf text 3")]
    assert [one.n for one in book.show([first, third], max_chars=40, seen="leave_out", segment=2)] == [1, 3]
    assert [one.n for one in book.show([first, second], max_chars=40, seen="leave_out", segment=2)] == [2]
    assert [one.seen for one in book.show([first], max_chars=40, seen="leave_out", segment=2)] == [True]
    text = load_prompt("search_result").render(hits=book.show([first], max_chars=40, seen="mark", segment=2))
    assert text == "[1] 3M.pdf, page 1 (Item 7)\n(shown above)"


def test_lines_and_columns_stay_where_wanted() -> None:
    table = Hit(1, "a#0", "A", "Sales   1,000\nCosts     900\nProfit    100", 1.0)
    assert CitationBook().show([table], max_chars=200)[0].text == "Sales 1,000 Costs 900 Profit 100"
    assert CitationBook().show([table], max_chars=200, lines=True)[0].text == table.text
    assert cut_lines(table.text, 29) == "Sales   1,000\nCosts     900"
    assert cut_lines(table.text, 20) == "Sales   1,000\nCosts"
    assert SearchSettings(tokens=100, k=50).hits(mean_chars=100.0) == 4
