"""`load_graph` and what it gives back: answers, failures, batches, stored traces, wrong arguments."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler

import karl
from agents.engines.base import GenerateRequest
from agents.values import LikelihoodValue
from karl import Answer, AnswerFailed, Citation, Hit, UsageError, load_graph, load_trace
from store.session import Store
from store.types import FailureKind, RolloutStatus
from tests.harness_kit import ListSearcher, hit, scripted_policy, text_policy
from tests.karl.api_kit import QUESTION, TURNS, load, make_corpus, stored_rollouts


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


def mute(**options: Any) -> Any:
    """Never says anything that a parser knows."""
    return scripted_policy(lambda request: "hm", **options)


# -- importing -------------------------------------------------------------------------------------------------------


def test_import_karl_loads_nothing_heavy() -> None:
    code = "import sys, karl; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "karl" in loaded
    assert not set(loaded) & {"torch", "transformers", "langgraph", "langchain_core", "pydantic", "sqlmodel", "click"}


def test_every_public_name_is_there_and_others_are_not() -> None:
    assert all(getattr(karl, name) is not None for name in karl.__all__) and set(karl.__all__) <= set(dir(karl))
    with pytest.raises(AttributeError, match="module 'karl' has no attribute 'load_grap'"):
        _ = karl.load_grap


# -- one answer ------------------------------------------------------------------------------------------------------


async def test_an_answer_with_all_its_parts(home: Path) -> None:
    async with load(home) as graph:
        answer = await graph.ainvoke(QUESTION)
    assert (answer.answer, answer.explanation, answer.ok) == ("Oslo", "[2] falcon is there", True)
    assert answer.status is RolloutStatus.FINISHED and answer.failure is None and str(answer) == "Oslo"
    (citation,) = answer.citations
    assert (citation.key, citation.document, citation.page) == ("teams/falcon.md#0", "teams/falcon.md", None)
    assert isinstance(citation, Citation) and "Falcon works in Oslo." in citation.text
    assert answer.queries == ("mira", "falcon oslo")
    assert (answer.usage.turns, answer.usage.searches, answer.usage.compressions) == (3, 2, 0)
    assert answer.usage.sampled_tokens == sum(sum(s.loss_mask) for s in answer.record.segments)
    assert answer.usage.prompt_tokens == sum(step.prompt_tokens for step in answer.record.steps)
    spent = answer.timings
    assert spent.total == pytest.approx(spent.policy + spent.tool + spent.overhead) and spent.total > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.answer = "Lima"  # pyright: ignore[reportAttributeAccessIssue]


async def test_as_dict_is_plain_json(home: Path) -> None:
    import json

    async with load(home) as graph:
        told = json.loads(json.dumps((await graph.ainvoke(QUESTION)).as_dict()))
    assert told["answer"] == "Oslo" and told["citations"][0]["document"] == "teams/falcon.md"
    assert told["status"] == "finished" and told["usage"]["searches"] == 2 and "record" not in told
    assert told["queries"] == ["mira", "falcon oslo"]
    stamp = told["provenance"]
    assert (stamp["graph"], stamp["graph_sha256"]) == ("solver", graph.spec.sha256) and stamp["policy_version"] == 3
    assert {"solver", "search_result"} <= stamp["prompt_sha256"].keys()
    assert all(len(sha256) == 64 for sha256 in stamp["prompt_sha256"].values())


async def test_what_was_answered_is_stored_and_read_back(home: Path) -> None:
    async with load(home) as graph:
        answer = await graph.ainvoke("where does mira work?")
    again = load_trace(answer.trace_id, home=home)
    assert stored_rollouts(home) == [answer.trace_id]
    assert (again.answer, again.explanation, again.citations) == (answer.answer, answer.explanation, answer.citations)
    assert again.record == answer.record and again.usage == answer.usage
    with pytest.raises(UsageError, match="no rollout 'ask/none' in this store"):
        load_trace("ask/none", home=home)


async def test_store_false_keeps_nothing(home: Path) -> None:
    async with load(home, store=False) as graph:
        assert (await graph.ainvoke(QUESTION)).answer == "Oslo"
    assert stored_rollouts(home) == []


async def test_same_seed_same_tokens_another_seed_others(home: Path) -> None:
    seen: list[int] = []

    def respond(request: GenerateRequest) -> str:
        seen.append(request.sampling.seed)
        return "<answer>x</answer>"

    async with load(home, scripted_policy(respond), seed=5) as graph:
        first = await graph.ainvoke(QUESTION)
        await graph.ainvoke(QUESTION, seed=6)
        again = await graph.ainvoke(QUESTION, seed=5, temperature=0.7)
    assert seen[0] == seen[2] != seen[1]
    assert (first.record.seed, first.record.temperature, again.record.temperature) == (5, 0.0, 0.7)


# -- failures --------------------------------------------------------------------------------------------------------


async def test_a_failed_rollout_raises_with_its_result_or_returns_it(home: Path) -> None:
    async with load(home, mute()) as graph:
        with pytest.raises(AnswerFailed, match="no answer after 6 turns") as failed:
            await graph.ainvoke(QUESTION)
        returned = await graph.ainvoke(QUESTION, on_failure="return")
    result = failed.value.result
    assert result.failure is not None and result.failure.kind is FailureKind.PARSE and not result.ok
    assert result.trace_id in str(failed.value) and sorted(stored_rollouts(home)) == sorted(
        [result.trace_id, returned.trace_id]
    )
    assert str(returned).startswith("no answer: ") and returned.answer == "" and returned.usage.turns == 6
    thawed = pickle.loads(pickle.dumps(failed.value))
    assert isinstance(thawed, AnswerFailed) and thawed.result == result


async def test_an_engine_that_breaks_is_a_failure_with_its_reason(home: Path) -> None:
    def broken(request: GenerateRequest) -> str:
        raise MemoryError("no room")

    async with load(home, scripted_policy(broken), on_failure="return") as graph:
        answer = await graph.ainvoke(QUESTION)
    assert answer.status is RolloutStatus.FAILED and answer.failure is not None
    assert "MemoryError: no room" in answer.failure.reason


# -- sync, batches ---------------------------------------------------------------------------------------------------


def test_invoke_without_a_loop(home: Path) -> None:
    with load(home) as graph:
        assert graph.invoke(QUESTION).answer == "Oslo"


async def test_invoke_inside_a_running_loop_as_in_a_notebook(home: Path) -> None:
    with load(home, text_policy(*TURNS, *TURNS)) as graph:
        assert graph.invoke(QUESTION).answer == "Oslo"
        assert (await graph.ainvoke(QUESTION)).answer == "Oslo"  # and both on one graph


def test_one_graph_in_loop_after_loop(home: Path) -> None:
    graph = load(home, text_policy(*TURNS, *TURNS))
    assert [asyncio.run(graph.ainvoke(QUESTION)).answer for _ in range(2)] == ["Oslo", "Oslo"]
    graph.close()


async def test_a_batch_keeps_order_and_limit_and_survives_failures(home: Path) -> None:
    under_way = most = 0

    async def respond(request: GenerateRequest) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        text = policy.decode(list(request.prompt_ids))
        number = int(text.split("question ")[1][0])
        return "hm" if number == 4 else f"<answer>{number}</answer>"

    policy = scripted_policy(respond)
    async with load(home, policy, seed=10) as graph:
        answers = await graph.abatch([f"question {n}" for n in range(9)], concurrency=3)
        assert [a.answer for a in answers] == ["0", "1", "2", "3", "", "5", "6", "7", "8"]
        assert most == 3 and [a.record.seed for a in answers] == list(range(10, 19))
        before = asyncio.all_tasks()
        with pytest.raises(AnswerFailed, match="question 4"):
            await graph.abatch([f"question {n}" for n in range(9)], concurrency=3, on_failure="raise")
        assert asyncio.all_tasks() == before
        with pytest.raises(UsageError, match="concurrency: at least 1"):
            await graph.abatch([QUESTION], concurrency=0)
    assert len(stored_rollouts(home)) >= 9


def test_batch_waits(home: Path) -> None:
    with load(home, scripted_policy(lambda request: "<answer>x</answer>")) as graph:
        assert [answer.answer for answer in graph.batch([QUESTION] * 3)] == ["x"] * 3


# -- several attempts ------------------------------------------------------------------------------------------------


async def test_attempts_are_part_of_the_answer_and_of_the_trace(home: Path) -> None:
    def respond(request: GenerateRequest) -> str:
        if "solver-1" in request.session:
            raise RuntimeError("one engine down")
        return "[1] so <answer>Oslo</answer>" if "solver" in request.session else "<answer>Oslo it is</answer>"

    async with load(home, scripted_policy(respond), graph="aggregator", attempts=3) as graph:
        answer = await graph.ainvoke(QUESTION)
    assert answer.answer == "Oslo it is" and [a.answer for a in answer.attempts] == ["Oslo", "", "Oslo"]
    assert [a.explanation for a in answer.attempts] == ["[1] so", "", "[1] so"]
    assert answer.usage.turns == 1 + 2 and answer.timings.attempts == max(a.record.seconds for a in answer.attempts)
    assert answer.record.temperature == 1.0  # at 0 all attempts would be the same
    keys = [a.trace_id for a in answer.attempts]
    assert keys == [f"{answer.trace_id}/solver-{n}" for n in range(3)]
    assert stored_rollouts(home) == sorted([answer.trace_id, *keys])
    again = load_trace(answer.trace_id, home=home)
    assert [a.trace_id for a in again.attempts] == keys and again.attempts[1].failure is not None


async def test_waiting_for_a_place_is_no_overhead(home: Path) -> None:
    async def respond(request: GenerateRequest) -> str:
        await asyncio.sleep(0.05)
        return "<answer>Oslo</answer>"

    one_by_one = {"nodes": {"attempts": {"concurrency": 1}}}
    async with load(home, scripted_policy(respond), graph="aggregator", attempts=3, overrides=one_by_one) as graph:
        answer = await graph.ainvoke(QUESTION)
    spent, waited = answer.timings, [attempt.timings.queued for attempt in answer.attempts]
    assert waited[0] == 0.0 and 0.09 < waited[2] == spent.queued
    assert spent.overhead < spent.queued / 2 and spent.attempts == pytest.approx(answer.attempts[2].record.seconds)
    for timings in (spent, *(attempt.timings for attempt in answer.attempts)):
        parts = timings.policy + timings.tool + timings.attempts + timings.queued + timings.overhead
        assert timings.total == pytest.approx(parts)
    again = load_trace(answer.trace_id, home=home)
    assert again == answer and load_trace(answer.attempts[2].trace_id, home=home) == answer.attempts[2]


BALLOT = """description: Three attempts and a vote.
role: aggregator
start: attempts
nodes:
  attempts: {kind: parallel, graph: solver, runs: 3, strategy: majority}
  vote: {kind: vote}
edges:
  attempts: {majority: vote, failed: end}
  vote: end
"""


async def test_an_answer_chosen_by_a_vote_reads_back_whole(home: Path, tmp_path: Path) -> None:
    def respond(request: GenerateRequest) -> str:
        return "no <answer>Lima</answer>" if "solver-0" in request.session else "it is there <answer>Oslo</answer>"

    (tmp_path / "ballot.yaml").write_text(BALLOT, encoding="utf-8")
    async with load(home, scripted_policy(respond), graph=tmp_path / "ballot.yaml") as graph:
        answer = await graph.ainvoke(QUESTION)
    assert (answer.answer, answer.explanation) == ("Oslo", "it is there")
    assert load_trace(answer.trace_id, home=home) == answer


async def test_two_parallel_nodes_one_after_the_other(home: Path, tmp_path: Path) -> None:
    async def respond(request: GenerateRequest) -> str:
        await asyncio.sleep(0.03)
        return "<answer>Oslo</answer>"

    more = "  more: {kind: parallel, graph: solver, runs: 11, strategy: majority}\n  vote:"
    ballot = BALLOT.replace("  vote:", more, 1).replace("majority: vote", "majority: more")
    ballot = ballot.replace("edges:\n", "edges:\n  more: {majority: vote, failed: end}\n")
    (tmp_path / "ballot.yaml").write_text(ballot, encoding="utf-8")
    async with load(home, scripted_policy(respond), graph=tmp_path / "ballot.yaml") as graph:
        answer = await graph.ainvoke(QUESTION)
    numbers = ["0", "1", "2", *(f"2-{number}" for number in range(11))]
    assert [a.trace_id.removeprefix(f"{answer.trace_id}/solver-") for a in answer.attempts] == numbers
    first, second = (max(a.record.seconds for a in batch) for batch in (answer.attempts[:3], answer.attempts[3:]))
    assert answer.timings.attempts == first + second > 0.06  # neither node's time is overhead
    assert load_trace(answer.trace_id, home=home) == answer


async def test_an_explanation_from_before_it_was_kept_is_read_from_the_last_turn(home: Path) -> None:
    async with load(home) as graph:
        answer = await graph.ainvoke(QUESTION)
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    with store.session() as session:
        session.connection().exec_driver_sql("UPDATE rollout SET explanation = NULL")
    store.close()
    again = load_trace(answer.trace_id, home=home)
    assert again.explanation == answer.explanation != "" and again == answer


def test_attempts_of_a_graph_that_makes_none(home: Path) -> None:
    with pytest.raises(UsageError, match="graph 'solver' has no parallel node to run 3 times; try the graph 'aggreg"):
        load(home, attempts=3)


# -- other sources ---------------------------------------------------------------------------------------------------


async def test_a_searcher_of_ones_own_needs_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    searcher = ListSearcher([hit(7, "mira works in oslo")])
    policy = text_policy("<search>mira</search>", "[1] <answer>oslo</answer>")
    async with load_graph("solver", corpus=searcher, policy=policy) as graph:
        answer = await graph.ainvoke(QUESTION)
    assert answer.citations == (Citation(7, "notes/7.md#0", "Note 7", None, "mira works in oslo", "notes/7.md"),)
    assert not (tmp_path / ".karl").exists()
    with pytest.raises(UsageError, match="store=True needs a corpus of the store"):
        load_graph("solver", corpus=searcher, policy=policy, store=True)
    with pytest.raises(UsageError, match="expected a name, or an object with"):
        load_graph("solver", corpus=42, policy=policy)  # pyright: ignore[reportArgumentType]


async def test_a_generator_gives_proposals(home: Path) -> None:
    policy = text_policy("<question>who leads falcon?</question><answer>mira</answer>")
    async with load(home, policy, graph="qa_generator") as graph:
        answer = await graph.ainvoke({"seeds": ["people/mira.md#0"]})
    (proposal,) = answer.proposals
    assert (proposal.question, proposal.answer, proposal.problem) == ("who leads falcon?", "mira", None)
    assert [citation.key for citation in proposal.citations] == ["people/mira.md#0"]
    assert "Mira leads falcon." in policy.decode(answer.record.segments[0].token_ids)


async def test_seeds_are_drawn_by_the_seed(home: Path) -> None:
    def prompts(request: GenerateRequest) -> str:
        return "<question>q?</question><answer>a</answer>"

    async with load(home, scripted_policy(prompts), graph="qa_generator") as graph:
        drawn = [(await graph.ainvoke({"seeds": 2}, seed=seed)).proposals[0].citations for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1 and all(len(cited) == 2 for cited in drawn)


# -- graphs: files, overrides, callbacks -----------------------------------------------------------------------------


async def test_overrides_change_what_runs_and_the_hash(home: Path) -> None:
    budget = {"plugins": [{"kind": "step_budget", "steps": 2}]}
    plain, changed = load(home), load(home, mute(), overrides=budget, on_failure="return")
    assert (await changed.ainvoke(QUESTION)).usage.turns == 2
    assert plain.spec.sha256 != changed.spec.sha256
    with pytest.raises(UsageError, match=r"smapling.*did you mean 'sampling'"):
        load(home, overrides={"smapling": {"max_tokens": 5}})


async def test_a_graph_of_ones_own_by_its_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text("extends: solver\ndescription: Two turns.\nplugins:\n  - {kind: step_budget, steps: 2}\n")
    async with load(home, mute(), graph=file, on_failure="return") as graph:
        assert (graph.spec.name, (await graph.ainvoke(QUESTION)).usage.turns) == ("short", 2)
    with pytest.raises(UsageError, match=r"none\.yaml: can't be read"):
        load(home, graph="none.yaml")
    with pytest.raises(UsageError, match=r"no graph named 'slover'.*did you mean 'solver'"):
        load(home, graph="slover")


async def test_callbacks_reach_the_compiled_graph(home: Path) -> None:
    class Names(AsyncCallbackHandler):
        seen: list[str] = []  # noqa: RUF012

        async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append(kwargs.get("name", ""))

    async with load(home) as graph:
        answer = await graph.ainvoke(QUESTION, {"callbacks": [Names()], "tags": ["mine"]})
    assert answer.answer == "Oslo" and {"solver", "think", "search"} <= set(Names.seen)


# -- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"qestion": "x"}, "unknown key 'qestion'.*did you mean 'question'"),
        ({}, "key 'question' is missing or empty"),
        ("  ", "key 'question' is missing or empty"),
        ({"question": 3}, "key 'question': expected text, got 3"),
        ({"question": "x", "seeds": "people"}, "key 'seeds': expected a list"),
        ({"question": "x", "seeds": ["people/none.md#0"]}, "no chunk 'people/none.md#0'"),
        ({"question": "x", "examples": ["y"]}, "key 'examples': expected pairs"),
        ({"question": "x", "answers": [{"txt": "y"}]}, "key 'answers': expected texts"),
        (17, "expected a question or a mapping, got int"),
    ],
)
async def test_wrong_inputs_are_named(home: Path, inputs: Any, said: str) -> None:
    async with load(home) as graph:
        with pytest.raises(karl.KarlError, match=said):
            await graph.ainvoke(inputs)
    assert stored_rollouts(home) == []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"seed": "a"}, "seed: expected a whole number of at most 63 bits, got 'a'"),
        ({"seed": True}, "seed: expected a whole number"),
        ({"seed": 2**63}, "seed: expected a whole number"),
        ({"temperature": -3}, "temperature: expected a number of at least 0, got -3"),
        ({"temperature": float("nan")}, "temperature: expected a number of at least 0, got nan"),
        ({"on_failure": "retrun"}, "on_failure: expected 'raise' or 'return', got 'retrun'; did you mean 'return'"),
    ],
)
async def test_wrong_options_are_named_at_load_and_at_a_call(home: Path, option: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(home, **option)
    async with load(home) as graph:
        with pytest.raises(UsageError, match=said):
            await graph.ainvoke(QUESTION, **option)
        with pytest.raises(UsageError, match=said):
            await graph.abatch([QUESTION], **option)
        with pytest.raises(UsageError if "on_failure" not in option else TypeError):
            await anext(graph.astream(QUESTION, **option))
    assert stored_rollouts(home) == []


class Blocking:
    """Searches and scores as `load_graph` does not want it."""

    def search(self, query: str, k: int) -> list[Hit]:
        return []

    async def score(self, prefix_ids: Any, candidates_K: Any) -> list[float]:
        return []


class Sync(Blocking):
    name = "sync"

    def score(self, prefix_ids: Any, candidates_K: Any) -> list[float]:
        return []


@pytest.mark.parametrize(
    ("handed_in", "said"),
    [
        ({"value": 3}, r"value: expected an object with a `name` and `async def score\(.*got 3"),
        ({"value": Blocking()}, "value: expected .*without a `name`"),
        ({"value": Sync()}, "value: expected .*but Sync.score is not async; write `async def score`"),
        ({"value": LikelihoodValue}, "value: expected .*got the class LikelihoodValue; give an instance of it"),
        (
            {"corpus": Blocking()},
            r"corpus: expected .*Blocking.search is not async; write `async def search`.*to_thread",
        ),
        ({"policy": 42}, "policy: expected a checkpoint folder or a Policy, got 42"),
        ({"tools": [print]}, "tools: expected LangChain tools, got <built-in function print>; put `@tool` above"),
    ],
)
def test_what_is_handed_in_is_looked_at_before_a_model_is_loaded(home: Path, handed_in: Any, said: str) -> None:
    given: Any = {"corpus": "notes", "home": home, "policy": text_policy()} | handed_in
    with pytest.raises(UsageError, match=said):
        load_graph("value_guided_search", **given)


async def test_a_closed_graph_says_so_and_leaves_a_policy_of_others_open(home: Path) -> None:
    closed: list[bool] = []
    policy = text_policy(*TURNS)
    engine: Any = policy.engine
    engine.aclose = lambda: closed.append(True)
    graph = load(home, policy)
    await graph.aclose()
    await graph.aclose()
    assert closed == []
    with pytest.raises(UsageError, match="graph 'solver' is closed"):
        await graph.ainvoke(QUESTION)


def test_unknown_corpus_and_missing_policy(home: Path) -> None:
    with pytest.raises(UsageError, match="no corpus 'nots'; there are: notes"):
        load_graph("solver", corpus="nots", home=home)
    with pytest.raises(UsageError, match="nowhere: no such model folder"):
        load_graph("solver", corpus="notes", home=home, policy="nowhere")
    with pytest.raises(UsageError, match="graph 'solver' searches; give it a corpus"):
        load_graph("solver", home=home, policy=text_policy())


def test_names_for_annotations() -> None:
    """The types that signatures of users need are the very ones that come out."""
    assert Answer.__module__ == "karl.api.results" and Hit.__module__ == "store.types"
