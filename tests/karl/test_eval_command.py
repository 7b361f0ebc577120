"""`karl eval`: systems that answer by themselves and our own harness, compared, resumed, judged again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import karl
from evals.corpora.write import write_corpus
from evals.leaderboard.identity import Identity, identity_of
from evals.report.document import EvaluationDocument, read_document
from evals.report.joined import join, shared_tasks
from store.errors import UsageError
from store.types import Purpose, RolloutStatus
from tests.evals.task_data import DATA
from tests.graphs.chat_kit import said
from tests.karl.eval_kit import ASKED, default_lines, make_home, rollouts, stored_documents, write_questions
from tests.karl.kit import call
from tests.karl.test_chat_run import configure, reads_notes
from tests.wire_double import Answer, background_server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return make_home(tmp_path)


def measured(capsys: pytest.CaptureFixture[str], home: Path, *arguments: object) -> EvaluationDocument:
    ended = call(capsys, "--home", home, "eval", *arguments, "--json")
    assert ended.code == 0, ended.err
    return EvaluationDocument.model_validate_json(ended.out)


def test_two_functions_are_compared_on_the_same_questions(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    found = measured(capsys, home, "mine:leader", "mine:half", *ASKED)
    first, second = found.systems
    assert (first.entry.name, first.entry.kind, len(first.entry.sha256)) == ("mine:leader", "callable", 64)
    assert first.figures.score is not None and first.figures.score.mean == 1.0
    # Splits are averaged, not questions: a is half right, b is right.
    task = second.figures.tasks["custom"]
    assert task.score is not None and task.score.mean == 0.75
    assert {split: own.score.mean for split, own in task.splits.items() if own.score} == {"a": 0.5, "b": 1.0}
    (pair,) = found.comparisons
    assert (pair.first, pair.second) == ("mine:half", "mine:leader")
    assert (pair.difference.mean, pair.wins, pair.ties, pair.losses) == (-0.25, 0, 2, 1)
    assert pair.transitions["solved"] == {"unsolved": 1, "partial": 0, "solved": 2}


def test_every_generation_is_a_row_of_a_run_that_other_commands_read(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    found = measured(capsys, home, "mine:leader", "mine:half", *ASKED)
    rows = rollouts(home)
    assert len(rows) == 3 * 2 * 2
    assert {(row.purpose, row.status, row.trainable) for row in rows} == {
        (Purpose.EVALUATE, RolloutStatus.FINISHED, False)
    }
    assert {row.arm for row in rows} == {"mine:leader", "mine:half"}
    assert {g.rollout for q in found.questions for own in q.systems.values() for g in own} == {row.key for row in rows}
    assert [row.reward for row in rows if row.arm == "mine:half" and "product1" in row.key] == [0.0, 0.0]
    behaviour = json.loads(call(capsys, "--home", home, "behaviour", found.name, "--json").out)
    assert behaviour["arms"]["mine:half"]["pass@1"] == 0.6667 and behaviour["arms"]["mine:half"]["rollouts"] == 0
    assert behaviour["notes"] == [
        f"'mine:{name}' answers by itself: 6 rollouts whose steps nobody saw are in its pass@1 alone"
        for name in ("leader", "half")
    ]
    shown = json.loads(call(capsys, "--home", home, "show", found.name, "--json").out)
    assert [row["pass@1"]["mean"] for row in shown["evaluation"]] == [1.0, 0.6667]
    listed = call(capsys, "--home", home, "runs").out
    assert re.search(r"│ eval +│", listed) and "0/1" not in listed
    assert karl.load_trace(rows[0].key, home=home).answer.startswith("person")


def test_citations_tokens_and_times_of_a_system_that_tells_them(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home.parent / "prices.toml").write_text('[models."mine:half"]\ninput = 1.0\noutput = 10.0\n')
    found = measured(capsys, home, "mine:half", "mine:leader", *ASKED)
    told, silent = found.systems
    assert told.figures.tasks["custom"].others["citation_precision"].mean == 0.5  # by splits: all of a, none of b
    assert told.figures.pareto.usd_per_query == pytest.approx(30e-6)
    assert told.figures.pareto.tokens_per_query == 12
    assert told.figures.latency.known["end_to_end"] == 6 and told.figures.behaviour is None
    # Tokens that nobody counted are unknown, not none.
    assert (silent.figures.pareto.usd_per_query, silent.figures.pareto.tokens_per_query) == (None, None)
    assert silent.figures.cost.unpriced == ("mine:leader",)
    generation = found.questions[0].systems["mine:half"][1]
    assert (generation.attempt, generation.citations, generation.input_tokens) == (1, ("product0.md",), 10)


def test_the_same_command_does_nothing_twice_and_another_system_joins(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    first = measured(capsys, home, "mine:leader", *ASKED)
    before = [(row.id, row.created_at) for row in rollouts(home)]
    again = measured(capsys, home, "mine:leader", *ASKED)
    assert (again.sha256, again.name, again.questions) == (first.sha256, first.name, first.questions)
    assert [(row.id, row.created_at) for row in rollouts(home)] == before
    joined = measured(capsys, home, "mine:leader", "mine:half", *ASKED)
    assert joined.name == first.name and joined.sha256 != first.sha256
    assert [(row.id, row.created_at) for row in rollouts(home)][: len(before)] == before
    assert len(rollouts(home)) == 2 * len(before)
    assert len(stored_documents(home, first.name)) == 2
    file = home / "evaluations" / f"{joined.sha256[:16]}.json"
    assert read_document(file) == joined


@pytest.mark.parametrize("change", [("--temperature", 0.5), ("--limit", 2)])
def test_another_setting_is_another_evaluation(
    capsys: pytest.CaptureFixture[str], home: Path, change: tuple[str, object]
) -> None:
    first = measured(capsys, home, "mine:leader", *ASKED)
    other = measured(capsys, home, "mine:leader", *ASKED, *change)
    assert other.name != first.name and other.sha256 != first.sha256


def test_an_edited_function_is_another_arm(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    measured(capsys, home, "mine:leader", *ASKED)
    source = home.parent / "mine.py"
    source.write_text(source.read_text().replace('f"person{number}"', '"nobody"'))
    found = measured(capsys, home, "mine:leader", *ASKED)
    (system,) = found.systems
    assert system.entry.name.startswith("mine:leader~")
    assert system.figures.score is not None and system.figures.score.mean == 0.0


def test_a_failed_generation_is_a_row_with_its_reason_and_is_tried_again(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    found = measured(capsys, home, "mine:breaks", *ASKED)
    task = found.systems[0].figures.tasks["custom"]
    assert (task.failed, task.scored, task.generations) == (2, 4, 6)
    assert task.score is not None and task.score.mean == 1.0
    assert found.systems[0].figures.failures == {"engine: mine:breaks: ValueError: no idea": 2}
    assert found.notes == ("mine:breaks: 2 of 6 generations failed and are left out of every mean",)
    (bad,) = [q for q in found.questions if q.key == "product1"]
    assert [(g.score, g.status) for g in bad.systems["mine:breaks"]] == [(None, "failed")] * 2


def test_a_system_that_fails_on_everything_stops_with_the_reason(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    ended = call(capsys, "--home", home, "eval", "mine:wrong", *ASKED)
    assert ended.code == 1
    assert "6 rollouts in a row failed" in ended.err and "returned int; return a text, or an object" in ended.err


def test_several_tasks_make_one_mean_and_lacking_nuggets_are_made(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    for name in ("trec_biogen", "qampari"):
        DATA[name](home.parent / "data" / name)
        written = write_corpus(name, home.parent / "data" / name, home.parent / "out" / name)
        assert call(capsys, "--home", home, *written.command.split()[1:], "--embedder", "none").code == 0
    (home.parent / "lists.py").write_text("def everyone(question):\n    return 'Ada Lovelace, Zoe'\n")
    given = ("--suite", "trec-biogen,qampari", "--data", "data", "--samples", 1)
    found = measured(capsys, home, "lists:everyone", *given)
    (system,), reports, lists = found.systems, *found.tasks
    assert (reports.name, lists.name, reports.corpus.name, reports.complete) == (
        *("trec_biogen", "qampari"),
        *("trec_biogen", False),
    )
    assert any(note.endswith("questions made from the references by rule") for note in reports.notes)
    assert all(question.nuggets for question in found.questions)
    means = [own.score.mean for own in system.figures.tasks.values() if own.score]
    assert len(means) == 2
    assert system.figures.score and system.figures.score.mean == pytest.approx(sum(means) / 2, abs=1e-4)
    assert "entity_f1" in system.figures.tasks["qampari"].others
    assert measured(capsys, home, "lists:everyone", *given).questions == found.questions


def test_a_models_nuggets_are_made_by_the_tasks_prompt_and_are_part_of_what_was_measured(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    def judge(body: dict[str, Any]) -> Answer:
        text = body["messages"][0]["content"]
        made: dict[str, Any] = {"labels": ["support", "not_support"], "reason": "r"}
        if "checklist" in text:
            made = {"nuggets": ["It weakens bones."] if "weakens" in text else ["Rickets follow."]}
        elif "Several reference answers" in text:
            made = {"nuggets": [{"text": f"fact {n}", "facts": [n]} for n in (1, 2)]}
        return said("", ("c", "final_result", json.dumps(made)), usage=(50, 5))

    DATA["trec_biogen"](home.parent / "data")
    written = write_corpus("trec_biogen", home.parent / "data", home.parent / "out")
    assert call(capsys, "--home", home, *written.command.split()[1:], "--embedder", "none").code == 0
    (home.parent / "lists.py").write_text("def bones(question):\n    return 'It weakens bones.'\n")
    given = ("lists:bones", "--suite", "trec_biogen", "--data", "data", "--samples", 1)
    with background_server(judge, models=("strict",)) as (url, seen):
        found = measured(capsys, home, *given, "--judge", f"{url}#strict")
    (task,) = found.tasks
    asked = [request["messages"][0]["content"] for request in seen]
    assert sum("For this task: The references are answers to a biomedical question" in text for text in asked) == 3
    (note,) = [note for note in task.notes if note.startswith("nuggets of 1 questions made")]
    assert "by strict (nuggetiser " in note and note.endswith("), 150 tokens read and 15 written")
    assert found.questions[0].nuggets == ("fact 1", "fact 2")
    other = measured(capsys, home, *given, "--name", "by-rule")
    assert other.tasks[0].items_sha256 == task.items_sha256
    assert other.tasks[0].nuggets_sha256 != task.nuggets_sha256 != ""
    assert shared_tasks(*join([found, other]).columns) == ()


def test_evidence_that_the_corpus_lacks_is_told(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    lines = [line | {"gold": ["prodct0.md"]} if line["key"] == "product0" else line for line in default_lines()]
    write_questions(home.parent / "questions.jsonl", *lines)
    found = measured(capsys, home, "mine:half", "mine:leader", *ASKED)
    said_of = ("evidence of 1 questions is not in the corpus and counts as not found: prodct0.md",)
    assert found.tasks[0].notes == said_of
    assert found.tasks[0].nuggets_sha256 == ""
    # A function that returns a text has no way to cite.
    assert "citation_recall" in found.systems[0].figures.tasks["custom"].others
    assert "citation_recall" not in found.systems[1].figures.tasks["custom"].others


def test_an_endpoint_answers_by_itself(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return said(f"person{body['messages'][0]['content'].rpartition('product')[2].rstrip('?')}", usage=(100, 7))

    with background_server(answer, models=("hosted",)) as (url, seen):
        found = measured(capsys, home, f"{url}#hosted", *ASKED)
        ended = call(capsys, "--home", home, "eval", f"{url}#hosted2", *ASKED)
    assert seen[0]["messages"] == [{"role": "user", "content": "who leads product0?"}]
    assert all(set(request) == {"path", "authorization", "model", "messages"} for request in seen) and len(seen) == 6
    (system,) = found.systems
    assert (system.entry.name, system.entry.kind) == ("hosted", "endpoint")
    assert system.figures.score is not None and system.figures.score.mean == 1.0
    assert system.figures.pareto.tokens_per_query == 107
    assert ended.code == 1 and "has hosted, not model 'hosted2'; did you mean 'hosted'?" in ended.err
    assert "http" not in json.dumps([q.model_dump() for q in found.questions])


def test_our_own_harness_over_a_scripted_endpoint(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    with background_server(reads_notes(), models=("hosted",)) as (url, _):
        configure(home.parent, url)
        found = measured(capsys, home, "chat", "mine:leader", *ASKED)
    ours = found.systems[0]
    assert (ours.entry.kind, ours.entry.graphs["custom"].name) == ("chat", "solver")
    figures = ours.figures
    assert figures.score is not None and 0.0 < figures.score.mean < 1.0  # every third answer is wrong
    assert figures.tasks["custom"].others["retrieval_recall"].mean == 1.0
    assert figures.tasks["custom"].others["citation_recall"].mean == 1.0
    assert figures.behaviour is not None and figures.behaviour.rollouts == 6
    assert figures.behaviour.recall is not None and figures.behaviour.recall.recall == 1.0
    assert figures.pareto.tokens_per_query == 214
    assert found.questions[0].systems["chat"][0].searches == 1
    assert ours.entry.url == url and identity_of(found) is Identity.RECOMPUTED
    # The same model's name at another address is another system: nothing of the first is taken for its answers.
    with background_server(reads_notes(), models=("hosted",)) as (elsewhere, seen):
        configure(home.parent, elsewhere)
        other = measured(capsys, home, "chat", *ASKED)
    assert seen and other.systems[0].entry.name.startswith("chat~")


def test_answers_are_judged_again_without_a_rollout(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    def judge(body: dict[str, Any]) -> Answer:
        answer = {"labels": ["partial_support"], "reason": "in part"}
        return said("", ("c", "final_result", json.dumps(answer)), usage=(50, 5))

    refused = call(capsys, "--home", home, "eval", "mine:leader", *ASKED, "--rejudge")
    assert refused.code == 2 and "nothing to judge again" in refused.err
    first = measured(capsys, home, "mine:leader", *ASKED)
    with background_server(judge, models=("strict",)) as (url, seen):
        second = measured(capsys, home, "mine:leader", *ASKED, "--rejudge", "--judge", f"{url}#strict")
        assert len(seen) == 3  # both generations of a question say the same
        assert measured(capsys, home, "mine:leader", *ASKED, "--rejudge", "--judge", f"{url}#strict") is not None
        assert len(seen) == 3
    assert second.name == first.name and second.sha256 != first.sha256
    assert second.settings.judge.name == "strict" and len(second.settings.judge.prompt_sha256) == 64
    scores = [run.systems[0].figures.score for run in (first, second)]
    assert [score.mean for score in scores if score] == [1.0, 0.0]
    assert second.systems[0].figures.judging.tokens_per_query["judge"].input == 25.0
    agreed = call(capsys, "--home", home, "judge", "agree", first.sha256[:12], second.sha256[:12], "--json")
    told = json.loads(agreed.out)
    assert (told["first"], told["items"], told["left_out"]) == ("rule", 6, 0)
    assert told["confusion"] == [[0, 0, 0], [0, 0, 0], [0, 6, 0]] and told["linear"]["value"] == 0.0
    other = call(capsys, "--home", home, "judge", "agree", first.name, first.name, "--system", "mine:half")
    assert other.code == 2 and "has no system 'mine:half'; there are: mine:leader" in other.err
    unknown = call(capsys, "--home", home, "eval", "mine:half", *ASKED, "--rejudge")
    assert unknown.code == 2 and "holds no rollouts of 'mine:half' as it is now; arms there: mine:leader" in unknown.err


def test_the_table(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    text = call(capsys, "--home", home, "eval", "mine:leader", "mine:breaks", "mine:half", *ASKED).out
    assert "custom: 3 questions, 2 generations each" in text
    assert re.search(r"citation precision .*0\.500 \(.*\) of 2", text)  # of three questions, one answered without
    assert "mine:half minus mine:leader: -0.250" in text and "mine:half minus mine:breaks: " in text
    assert "mine:breaks: 2 without an answer that counts: engine: mine:breaks: ValueError: no idea" in text
    assert "judge: rule (normalised match; it knows no paraphrase)" in text
    file = Path(text.partition("the whole document: ")[2].strip())
    assert read_document(file).systems[2].entry.name == "mine:half"


def test_functions_from_python(home: Path) -> None:
    def leader(question: str) -> str:
        return f"person{question.rpartition('product')[2].rstrip('?')}"

    found = karl.evaluate(leader, questions=home.parent / "questions.jsonl", corpus="notes", samples=1, home=home)
    assert found.systems[0].figures.score is not None and found.systems[0].figures.score.mean == 1.0
    with pytest.raises(UsageError, match="--samples: Input should be greater than or equal to 1, got 0"):
        karl.evaluate(leader, questions="q.jsonl", corpus="notes", samples=0, home=home)


async def test_functions_from_python_inside_a_running_loop(home: Path) -> None:
    async def nobody(question: str) -> str:
        return "nobody"

    found = karl.evaluate(nobody, questions=home.parent / "questions.jsonl", corpus="notes", samples=1, home=home)
    assert found.systems[0].figures.score is not None and found.systems[0].figures.score.mean == 0.0
