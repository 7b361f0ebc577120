"""Submissions: closed format, identity and figures recomputed, tampering named, ranks and ties."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.leaderboard.checks import Entry, problems
from evals.leaderboard.folder import add, check_files, read_folder
from evals.leaderboard.identity import Identity, identity_of, identity_sha256
from evals.leaderboard.ranking import boards
from evals.leaderboard.show import as_json, blocks
from evals.leaderboard.submission import Held, Submission, read_submission
from evals.leaderboard.trim import trimmed
from evals.report.blocks import Heading
from evals.report.document import EvaluationDocument, GraphEntry, read_document
from evals.report.markdown import render
from store.errors import UsageError
from tests.evals.report_kit import document

COMMITTED = Path(__file__).parents[2] / "docs" / "reports" / "fogbench-embedded.json"


def values(evaluation: EvaluationDocument, measured: str = "base", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "version": 1,
        "system": measured,
        "organisation": "Us",
        "measured": measured,
        "links": [{"name": "code", "url": "https://example.org/code"}],
        "weights": "open",
        "code": "open",
        "evaluation": evaluation.model_dump(mode="json"),
    }
    return given | changes


def write(path: Path, given: dict[str, Any]) -> Path:
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def found(path: Path, given: dict[str, Any]) -> list[str]:
    return problems(Entry(path, read_submission(write(path, given))))


def test_what_karl_eval_wrote_passes_and_its_hash_is_recomputed(tmp_path: Path) -> None:
    made = read_document(COMMITTED)
    assert identity_of(made) is Identity.RECOMPUTED
    assert found(tmp_path / "a.json", values(made, "embedded")) == []
    assert found(tmp_path / "b.json", values(document(["base", "best"], tasks=("fogbench", "mine")))) == []


def test_a_hash_that_a_graph_may_explain_is_stated_and_said_to_be(tmp_path: Path) -> None:
    made = read_document(COMMITTED).model_copy(update={"sha256": "a" * 64})
    assert identity_of(made) is Identity.STATED
    path = write(tmp_path / "a.json", values(made, "embedded"))
    assert [entry.verified for entry in check_files([path])] == ["recomputed, hash as stated"]


def test_a_document_that_names_all_hashes_must_come_out() -> None:
    made = read_document(COMMITTED)
    (result,) = made.systems
    graph = result.entry.graphs["fogbench"]
    hashes = (graph.sha256, *(graph.prompt_sha256[name] for name in sorted(graph.prompt_sha256)), "of a graph inside")

    def with_hashes(*named: str) -> EvaluationDocument:
        entry = result.entry.model_copy(
            update={"graphs": {"fogbench": graph.model_copy(update={"hashes": named})}, "url": "http://here/v1"}
        )
        return made.model_copy(update={"systems": (result.model_copy(update={"entry": entry}),)})

    own = with_hashes(*hashes)
    own = own.model_copy(update={"sha256": identity_sha256(own)})
    assert own.sha256 != made.sha256
    assert identity_of(own) is Identity.RECOMPUTED
    seeded = own.model_copy(update={"settings": own.settings.model_copy(update={"seed": 7})})
    assert identity_of(seeded) is Identity.WRONG
    # What is shown of the graph has to be what is hashed.
    other = with_hashes("f" * 64, *hashes[1:])
    assert identity_of(other.model_copy(update={"sha256": identity_sha256(other)})) is Identity.WRONG


def test_a_few_generations_may_have_no_score(tmp_path: Path) -> None:
    assert (
        found(tmp_path / "a.json", values(trimmed(document(questions=30, troubled=3), Held.LABELS), held="labels"))
        == []
    )
    (problem,) = found(tmp_path / "b.json", values(document(questions=8, troubled=3)))
    assert "2 of 16 generations have no score, more than 5%; the same `karl eval` tries them again" in problem


@pytest.mark.parametrize("held", list(Held))
def test_trimmed_ones_pass_and_hold_no_text(tmp_path: Path, held: Held) -> None:
    short = trimmed(document(text="SECRET"), held)
    assert found(tmp_path / "a.json", values(short, held=held)) == []
    assert ("SECRET" in short.model_dump_json()) == (held is Held.ALL)
    assert short.systems == document(text="SECRET").systems


def _score(made: dict[str, Any]) -> None:
    made["systems"][0]["figures"]["score"]["mean"] += 0.01


def _split(made: dict[str, Any]) -> None:
    made["systems"][0]["figures"]["tasks"]["fogbench"]["splits"]["s1"]["score"]["high"] = 1.0


def _generation(made: dict[str, Any]) -> None:
    made["questions"][3]["systems"]["base"][1] |= {"score": 1.0, "labels": ["not_support", "not_support"]}


def _dropped(made: dict[str, Any]) -> None:
    made["questions"][3]["systems"]["base"].pop()


def _twice(made: dict[str, Any]) -> None:
    made["questions"][3]["systems"]["base"][1]["attempt"] = 0


def _question(made: dict[str, Any]) -> None:
    made["questions"].pop()


def _cheaper(made: dict[str, Any]) -> None:
    made["systems"][0]["figures"]["pareto"]["usd_per_query"] = 1e-9


def _seed(made: dict[str, Any]) -> None:
    made["settings"]["seed"] = 7


def _part(made: dict[str, Any]) -> None:
    made["tasks"][0]["complete"] = False


def _labels(made: dict[str, Any]) -> None:
    made["questions"][2]["systems"]["base"][0]["labels"].append("support")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_score, "evaluation.systems.0.figures.score.mean: states"),
        (_split, "evaluation.systems.0.figures.tasks.fogbench.splits.s1.score.high: states 1.0"),
        (_generation, "evaluation.questions.3.systems.base.1: q0003: score is 1.0, and its labels come to 0.0"),
        (_dropped, "evaluation.questions.3.systems.base: q0003: 1 generations, 1 different ones; 2 asked for"),
        (_twice, "evaluation.questions.3.systems.base: q0003: 2 generations, 1 different ones"),
        (_question, "evaluation.tasks.0.questions: states 8, and the document holds 7"),
        (_cheaper, "evaluation.systems.0.figures.pareto.usd_per_query: states 1e-09"),
        (_seed, "evaluation.sha256: is not the hash of these items"),
        (_part, "evaluation.tasks.0.complete: fogbench was not asked in full"),
        (_labels, "evaluation.questions.2.systems.base.0: q0002: 3 labels for 2 facts"),
    ],
)
def test_tampering_is_found_and_named(tmp_path: Path, tamper: Callable[[dict[str, Any]], None], said: str) -> None:
    given = values(document())
    tamper(given["evaluation"])
    assert any(f"{tmp_path / 'a.json'}: {said}" in problem for problem in found(tmp_path / "a.json", given))


def test_all_questions_of_a_known_task_are_wanted(tmp_path: Path) -> None:
    given = values(document(tasks=("financebench",)))
    assert "financebench has 150 questions, 8 were asked" in "\n".join(found(tmp_path / "a.json", given))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sytem": "x"}, "sytem: unknown key; known here: version, system, organisation"),
        ({"system": " "}, "system: String should match pattern"),
        ({"weights": "free"}, "weights: Input should be 'open' or 'closed'"),
        (
            {"links": [{"name": "code", "url": "javascript:alert(1)"}]},
            "links.0.url: an address that begins with https://",
        ),
        ({"measured": "other"}, "measured: the evaluation holds no system 'other'; it holds base, trained"),
        ({"version": 2}, "version: 2; this karl reads 1"),
        ({"evaluation": "gone.json"}, "evaluation: cannot read"),
        ({"evaluation": {}}, "evaluation.name: is missing"),
    ],
)
def test_the_format_is_closed_and_errors_name_the_key(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "a.json", values(document()) | changed)
    with pytest.raises(UsageError) as raised:
        read_submission(path)
    assert f"{path}: {said}" in str(raised.value)


def test_broken_json_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": 1,\n "system": }')
    with pytest.raises(UsageError, match=r"a\.json:2:12: not valid JSON"):
        read_submission(path)


def test_duplicates_are_found_in_the_folder_and_among_files(tmp_path: Path) -> None:
    board = tmp_path / "board"
    first = write(tmp_path / "a.json", values(document()))
    again = write(tmp_path / "b.json", values(document(), system="renamed"))
    named = write(tmp_path / "c.json", values(document(seed=5)))
    target = add(board, first)
    assert target.name.startswith("us-base-")
    with pytest.raises(UsageError, match=r"is in .*us-base-.* already; submit every measurement once"):
        add(board, again)
    with pytest.raises(UsageError, match="put a version into the name"):
        add(board, named)
    with pytest.raises(UsageError, match="submit every measurement once"):
        check_files([first, again])
    assert [entry.name for entry in read_folder(board)] == ["base"]


def test_a_submission_may_name_its_document_and_the_board_holds_it(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(document().model_dump_json())
    target = add(tmp_path / "board", write(tmp_path / "a.json", values(document()) | {"evaluation": "eval.json"}))
    assert isinstance(read_submission(target), Submission)
    assert json.loads(target.read_text())["evaluation"]["name"] == "eval-test"


def entry(evaluation: EvaluationDocument, measured: str, name: str, **changes: Any) -> Entry:
    given = values(evaluation, measured, system=name, **changes)
    return Entry(Path(f"{name}.json"), Submission.model_validate_json(json.dumps(given)))


def test_ranks_say_who_is_shown_to_be_better_and_ties_who_is_not() -> None:
    best = entry(document(["base", "mid", "good", "best"], questions=30), "best", "best")
    one, two = (entry(document(["base"], questions=30, seed=seed), "base", f"plain {seed}") for seed in (1, 2))
    (board,) = boards([two, best, one])
    assert (board.rows[0].entry.name, board.rows[0].rank) == ("best", 1)
    assert {(row.rank, row.tied) for row in board.rows[1:]} == {(2, ("plain 1",)), (2, ("plain 2",))}


def test_without_questions_intervals_are_compared() -> None:
    def bare(name: str, place: str) -> Entry:
        made = trimmed(document(["base", "mid", "good", "best"], questions=30), Held.FIGURES)
        return entry(made, place, name, held="figures")

    (board,) = boards([bare("a", "base"), bare("b", "best"), bare("c", "good")])
    scores = {row.entry.name: row.score for row in board.rows}
    for row in board.rows:
        mine = scores[row.entry.name]
        assert mine is not None
        above = [s for s in scores.values() if s is not None and s.low > mine.high]
        assert row.rank == len(above) + 1
    assert board.rows[-1].rank == 3 or board.rows[-1].tied
    assert {row.entry.verified for row in board.rows} == {"as stated"}


def test_another_judge_or_other_items_are_another_table() -> None:
    found = boards(
        [
            entry(document(), "base", "a"),
            entry(document(seed=3), "base", "b"),
            entry(document(judge="glm"), "base", "c"),
            entry(document(items="other"), "base", "d"),
        ]
    )
    assert {row.entry.name for row in found[0].rows} == {"a", "b"}
    assert {board.judge for board in found} == {"rule", "glm"}
    assert len(found) == 3
    assert len({one.text for one in blocks(found, name="all") if isinstance(one, Heading)}) == 4


def test_the_board_as_markdown_and_as_json() -> None:
    found = boards([entry(document(), "base", "a | <b>"), entry(document(), "trained", "better")])
    page = render(blocks(found, name="Leaderboard"))
    assert "a \\| &lt;b&gt;" in page
    assert "(https://example.org/code)" in page
    held = as_json(found)
    assert held["tables"][0]["entries"][0]["rank"] == 1
    assert held["tables"][0]["entries"][0]["verified"] == "recomputed"
    json.dumps(held)
    assert "No entry yet." in render(blocks([], name="Leaderboard"))


def test_the_same_items_with_other_questions_are_found(tmp_path: Path) -> None:
    first = write(tmp_path / "a.json", values(document()))
    edited = document(["other"], seed=1)
    questions = (edited.questions[0].model_copy(update={"key": "easy"}), *edited.questions[1:])
    other = write(tmp_path / "b.json", values(edited.model_copy(update={"questions": questions}), "other"))
    with pytest.raises(UsageError) as raised:
        check_files([first, other])
    assert "b.json: evaluation.tasks.0.items_sha256: is that of " in str(raised.value)
    assert "a.json, and the questions of fogbench are others ('easy')" in str(raised.value)
    add(tmp_path / "board", first)
    with pytest.raises(UsageError, match="are others"):
        add(tmp_path / "board", other)


def test_entries_that_searched_other_corpora_say_so() -> None:
    def searched(name: str, sha256: str, *, graph: bool = True) -> Entry:
        made = document([name], seed=len(name))
        corpus = made.tasks[0].corpus.model_copy(update={"sha256": sha256})
        (result,) = made.systems
        graphs = {"fogbench": GraphEntry(name="solver", sha256="a", prompt_sha256={}, k=3, steps=6)} if graph else {}
        system = result.model_copy(update={"entry": result.entry.model_copy(update={"graphs": graphs})})
        tasks = (made.tasks[0].model_copy(update={"corpus": corpus}),)
        return entry(made.model_copy(update={"tasks": tasks, "systems": (system,)}), name, name)

    page = render(blocks(boards([searched("a", "1" * 64), searched("bb", "2" * 64)]), name="all"))
    assert "Fogbench was searched in corpora that differ in content, chunks or embedder: " in page
    assert "111111111111 (none): a" in page
    alone = boards([searched("a", "1" * 64), searched("bb", "2" * 64, graph=False)])
    assert "corpora that differ" not in render(blocks(alone, name="all"))
