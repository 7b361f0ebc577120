"""`karl ask`: its JSON, its lines, live searches, other graphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphs.events import AttemptFinished, Compressed, Hits, SearchStarted, Token, ToolReplied
from graphs.schema import load_spec
from karl.asking import ask, event_line
from prompts.loader import BUILT_IN as PROMPTS
from prompts.loader import read_prompt
from store.errors import UsageError
from store.types import Failure, FailureKind
from tests.harness_kit import hit, text_policy
from tests.karl.api_kit import TURNS, load, make_corpus, stored_rollouts
from tests.karl.kit import Ended, call

SHAPE = ["question", "answer", "confidence", "citations", "checkpoint", "searches", "steps", "failure"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


def karl(capsys: pytest.CaptureFixture[str], home: Path, *arguments: object) -> Ended:
    return call(capsys, "--home", home, "ask", "notes", "Where does Mira live?", *arguments)


def test_json_keeps_its_shape_and_names_the_trace(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = karl(capsys, home, "--json")
    told = json.loads(ended.out)
    assert set(SHAPE) <= told.keys() and ended.code == (1 if told["failure"] else 0)
    assert told["question"] == "Where does Mira live?" and told["searches"] == told["usage"]["searches"]
    assert stored_rollouts(home) == [told["trace_id"]] and told["graph"] == "solver"
    assert told["provenance"]["graph_sha256"] == load_spec("solver", variant="tiny").sha256
    read = read_prompt(PROMPTS / "tiny" / "solver.md", name="solver", variant="tiny").sha256
    assert told["provenance"]["prompt_sha256"]["solver"] == read
    again = json.loads(karl(capsys, home, "--json").out)
    assert [step["text"] for step in again["steps"]] == [step["text"] for step in told["steps"]]


def test_attempts_of_the_aggregator(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(karl(capsys, home, "--graph", "aggregator", "-n", "2", "--json").out)
    assert told["graph"] == "aggregator" and len(told["attempts"]) == 2
    assert [attempt["provenance"]["graph"] for attempt in told["attempts"]] == ["solver", "solver"]
    assert stored_rollouts(home) == sorted([told["trace_id"], *(a["trace_id"] for a in told["attempts"])])


def test_wrong_options_are_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = karl(capsys, home, "-n", "3")
    assert several.code == 2 and several.err.strip().endswith("try the graph 'aggregator'")
    unknown = karl(capsys, home, "--graph", "slover")
    assert unknown.code == 2 and "did you mean 'solver'" in unknown.err and stored_rollouts(home) == []


def test_a_task_lays_its_overrides_over_the_graph(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("brief.yaml").write_text("extends: solver\noverrides:\n  acme: {sampling: {max_tokens: 3}}\n")
    told = json.loads(karl(capsys, home, "--graph", "brief.yaml", "--task", "acme", "--json").out)
    plain = json.loads(karl(capsys, home, "--graph", "brief.yaml", "--json").out)
    assert plain["usage"]["sampled_tokens"] > told["usage"]["sampled_tokens"] > 0
    unknown = karl(capsys, home, "--graph", "brief.yaml", "--task", "acmee")
    assert unknown.code == 2 and "no task 'acmee' in brief; there are: acme," in unknown.err
    assert "did you mean 'acme'?" in unknown.err


def test_a_task_of_a_graph_that_the_graph_runs(home: Path) -> None:
    load(home, graph="aggregator", tasks=["freshstack"]).close()
    with pytest.raises(UsageError, match=r"no task 'freshstak' in aggregator, solver; .*did you mean 'freshstack'"):
        load(home, graph="aggregator", tasks=["freshstak"])
    with pytest.raises(UsageError, match=r"no variant 'tinny' in solver; .*did you mean 'tiny'"):
        load(home, variant="tinny")


async def test_searches_are_shown_while_they_happen(home: Path) -> None:
    lines: list[str] = []
    async with load(home, text_policy(*TURNS)) as graph:
        answer = await ask(graph, "where does mira work?", show=lines.append)
    assert answer.answer == "Oslo"
    assert [line for line in lines if line.startswith("search")] == ["search: mira", "search: falcon oslo"]
    assert lines[1].startswith("  1 passage in ") and lines[1].endswith("first people/mira.md#0")


def test_a_line_for_each_event_that_matters() -> None:
    assert event_line(Token("r", 1, "x")) is None
    assert event_line(SearchStarted("r", 1, "oslo")) == "search: oslo"
    assert (
        event_line(Hits("r", 1, "oslo", (hit(1, "a"), hit(2, "b")), 0.0021))
        == "  2 passages in 2 ms, first notes/1.md#0"
    )
    assert event_line(Hits("r", 1, "oslo", (), 0.0)) == "  0 passages in 0 ms"
    assert event_line(ToolReplied("r", 1, "search", "[1] a")) is None
    assert event_line(ToolReplied("r", 1, "search", "no", error="seen before")) == "search: seen before"
    assert event_line(ToolReplied("r", 1, "add", "42")) == "add: replied"
    assert event_line(Compressed("r", 1, "s", 900, 80)) == "history compressed: 900 > 80 tokens"
    failure = Failure(FailureKind.BUDGET, "no room")
    assert event_line(AttemptFinished("r", "r/s-0", 1, 3, "Oslo")) == "attempt 1 of 3: Oslo"
    assert event_line(AttemptFinished("r", "r/s-1", 2, 3, "", failure)) == "attempt 2 of 3: no room"
