"""Commands and services let go of a wire-level DOUBLE of a Weaviate server when they are done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.rule_judge import RuleJudge
from evals.retrieval import retrieval_figures
from karl.api.langchain import load_search_tool
from karl.api.load import load_graph
from karl.cli import karl
from karl.commands.common import open_searcher
from karl.corpus_service import CorpusService
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.runs import open_context
from karl.settings import Settings
from store import queries
from store.session import Store

pytest.importorskip("weaviate")

from tests.karl.test_search_servers import settings_at
from tests.store.test_weaviate_close import nothing_left_open
from tests.store.weaviate_double import WeaviateDouble


def command(*arguments: str) -> Callable[[Store, Settings, Path], None]:
    def run(store: Store, settings: Settings, folder: Path) -> None:
        done = CliRunner().invoke(karl, ["--home", str(settings.home), *arguments])
        assert done.exit_code == 0, done.output

    return run


def retrieval(store: Store, settings: Settings, folder: Path) -> None:
    asked = folder / "questions.jsonl"
    line = {"question": "lighthouse", "doc_name": "a", "evidence": [{"doc_name": "a", "evidence_page_num": 0}]}
    asked.write_text(json.dumps(line))
    retrieval_figures(store, "n", questions=asked, home=settings.home, servers=settings.servers)


def service(store: Store, settings: Settings, folder: Path) -> None:
    async def serve() -> None:
        served = CorpusService(store, settings)
        assert [hit.key for hit in await served.search("n", "lighthouse", 3)] == ["a.md#0"]
        await served.aclose()

    asyncio.run(serve())


def graph(store: Store, settings: Settings, folder: Path) -> None:
    loaded = load_graph(corpus="n", settings=settings)
    assert loaded is not None
    loaded.close()


def tool(store: Store, settings: Settings, folder: Path) -> None:
    loaded = load_search_tool("n", settings=settings)
    assert "lighthouse" in str(asyncio.run(loaded.ainvoke({"query": "lighthouse"})))


def run_of_the_loop(store: Store, settings: Settings, folder: Path) -> None:
    config = make_config({"corpus": "n"})
    with store.session() as session:
        corpus = queries.corpus_by_name(session, "n")
        run = queries.create_run(session, name="r", corpus_id=corpus.id or 0, settings=config.stored())
    given = {"config": config, "settings": settings, "reporter": SilentReporter(), "stop": asyncio.Event()}
    context = open_context(store, run, judge=RuleJudge(), **given)
    assert asyncio.run(context.searcher.search("lighthouse", 1))
    context.close()


def searcher(store: Store, settings: Settings, folder: Path) -> None:
    with open_searcher(store, "n", settings=settings) as opened:
        assert asyncio.run(opened.search("lighthouse", 1))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(command("search", "n", "lighthouse"), id="karl search"),
        pytest.param(command("doctor"), id="karl doctor"),
        pytest.param(retrieval, id="karl bench retrieval"),
        pytest.param(service, id="served over MCP"),
        pytest.param(graph, id="load_graph"),
        pytest.param(tool, id="load_search_tool"),
        pytest.param(run_of_the_loop, id="karl run"),
        pytest.param(searcher, id="a searcher"),
    ],
)
def test_nothing_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Store, Settings, Path], None]
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("the lighthouse of the harbor")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    with WeaviateDouble() as double:
        settings = settings_at(tmp_path, double, extra='index = "weaviate"')
        store = Store.open(settings.store_url)
        with nothing_left_open(double):
            command("ingest", str(tmp_path / "notes"), "--name", "n")(store, settings, tmp_path)
        with nothing_left_open(double):
            act(store, settings, tmp_path)
        store.close()
