"""Reports out of documents: joined, compared, escaped, and the same as what is committed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.prices import PriceTable
from evals.report.document import EvaluationDocument, read_document
from evals.report.figures import system_figures
from evals.report.html.browser import entries
from evals.report.html.page import html_report
from evals.report.joined import join
from evals.report.kept import find_document
from evals.report.markdown import escaped, markdown_report
from evals.report.pareto import Point, dominates, front
from evals.report.published import COLUMNS, HELD_OUT, TABLE_4, TRAINED
from evals.report.regrade import regraded
from evals.report.traces import TURN_CHARS, TURNS, make_trace, telling_failures
from store.errors import UsageError
from store.types import StepKind, StepRecord
from tests.evals.behaviour_kit import rollout
from tests.evals.report_kit import HOSTILE, document

REPORTS = Path(__file__).parents[2] / "docs" / "reports"


class Tags(HTMLParser):
    """Elements in the page, those in <noscript> too; attributes of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.mark.parametrize("name", ["fogbench-embedded", "fogbench-trained"])
def test_the_committed_report_is_what_the_command_makes(name: str) -> None:
    joined = join([read_document(REPORTS / f"{name}.json")])
    assert (REPORTS / f"{name}.md").read_text(encoding="utf-8") == markdown_report(joined)
    assert (REPORTS / f"{name}.html").read_text(encoding="utf-8") == html_report(joined)


def test_pairs_are_those_of_the_document_and_go_across_documents() -> None:
    whole = document(["base", "mid", "best"])
    assert tuple(pair.entry for pair in join([whole]).pairs) == whole.comparisons
    alone, other = document(["base"], sha256="1" * 64), document(["mid"], sha256="2" * 64, seed=1)
    pair = join([alone, other]).pairs[0]
    assert pair.entry is not None
    assert (pair.entry.wins + pair.entry.ties + pair.entry.losses, pair.entry.unpaired) == (8, 0)
    assert len(join([alone, other]).rows) == 8


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"judge": "glm"}, "other judges: glm and rule"), ({"items": "others"}, "no task with the same items")],
)
def test_what_is_not_comparable_stands_side_by_side_and_says_why(changed: dict[str, Any], why: str) -> None:
    found = join([document(["base"]), document(["mid"], sha256="2" * 64, **changed)])
    assert found.pairs[0].entry is None
    page = markdown_report(found)
    assert f"mid and base stand side by side, not compared: {why}." in page
    assert page.index("## Read this first") < page.index("## Scores")
    assert "| base |" in page and "| mid |" in page


def test_nobody_is_beaten_by_a_system_that_had_other_questions() -> None:
    page = markdown_report(join([document(["base", "mid"]), document(["best"], items="others")]))
    assert page.count("Not beaten by any other, the cheapest first: base and mid.") == 1
    assert page.count("Not beaten by any other, the cheapest first: best.") == 1
    assert "each plot has those that had" in page


def test_same_names_get_their_hash_and_a_document_given_twice_is_an_error() -> None:
    first, second = document(["base"], sha256="1" * 64), document(["base"], sha256="2" * 64)
    assert [column.label for column in join([first, second]).columns] == ["base (11111111)", "base (22222222)"]
    with pytest.raises(UsageError, match="given twice"):
        join([first, first])


def test_no_model_text_becomes_markup() -> None:
    page = html_report(join([document(["base", HOSTILE], text=HOSTILE)]))
    tags = Tags(page)
    counts = Counter(name for name, _ in tags.seen)
    assert (counts["script"], counts["img"]) == (1, 0)
    assert not [name for _, attributes in tags.seen for name in attributes if name.startswith("on")]
    assert not [a for _, a in tags.seen if (a.get("href") or "").lower().startswith("javascript")]
    assert page.count("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;") > 20
    text = markdown_report(join([document(["base", HOSTILE], text=HOSTILE)]))
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)


def test_a_row_of_a_markdown_table_keeps_its_cells() -> None:
    assert escaped("a|b\nc") == "a\\|b c"
    assert escaped("run `x|y` <b>") == "run `x\\|y` &lt;b&gt;"
    lines = markdown_report(join([document(["base", HOSTILE], text=HOSTILE)])).splitlines()
    for above, below in pairwise(lines):
        if above.startswith("| ") and below.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", below)), below


def test_the_page_needs_nothing_else_and_can_be_read_aloud() -> None:
    page = html_report(join([document()]))
    tags = Tags(page)
    assert not re.findall(r"@import|url\(|<link[^>]+stylesheet|\bfetch\(|XMLHttpRequest", page)
    assert not [a for _, a in tags.seen if "src" in a]
    assert len(tags.named("table")) == len(tags.named("caption")) > 5
    pictures = tags.named("svg")
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert pictures
    for picture in pictures:
        assert picture["role"] == "img"
        assert set((picture["aria-labelledby"] or "").split()) <= set(ids)
    assert {attributes["tabindex"] for attributes in tags.named("div") if "role" in attributes} == {"0"}


def test_every_question_can_be_found_by_what_each_system_made_of_it() -> None:
    joined = join([document(["base", "best"], questions=20, samples=2)])
    found = entries(joined, {})
    pair = joined.pairs[0].entry
    assert pair is not None
    gained = [one for one in found if one.states == "wrong right"]
    assert len(gained) == pair.transitions["unsolved"]["solved"] > 0
    assert {one.statuses for one in found} == {"finished finished"}
    page = Tags(html_report(joined))
    shown = [attributes for attributes in page.named("noscript") if attributes.get("class") == "q"]
    assert [attributes["data-states"] for attributes in shown] == [one.states for one in found]


def test_costs_without_a_price_are_left_out_and_said_to_be() -> None:
    page = markdown_report(join([document(priced=False)]))
    assert "Left out of quality against USD a query: base and trained; no price of its model is known" in page
    assert "Score against USD" not in page
    assert "**Score against USD a query**" in markdown_report(join([document()]))


def test_published_rows_agree_with_their_own_means_but_for_one() -> None:
    odd: list[str] = []
    for row in TABLE_4:
        for names, stated in ((TRAINED, row.trained), (HELD_OUT, row.held_out), (COLUMNS, row.total)):
            if stated is not None and abs(sum(row.scores[name] for name in names) / len(names) - stated) > 0.06:
                odd.append(f"{row.model} {len(names)}")
    assert odd == ["KARL-BCP 2"]  # as it was published; the report says so
    page = markdown_report(join([document(tasks=("browsecomp_plus",), complete=False)]))
    assert "KARL-BCP: 62.3 in distribution, where its two tasks come to 63.8" in page


def test_the_published_table_stands_apart_and_says_what_is_missing() -> None:
    page = markdown_report(join([document(tasks=("browsecomp_plus",), complete=False)]))
    assert "Published, their data and judge" in page
    assert "Not asked in full, and marked *: BrowseComp-Plus." in page.replace("\\*", "*")
    whole = markdown_report(join([document(tasks=COLUMNS)]))
    assert "All six tasks were measured here. Each was asked in full." in whole
    assert "None of the six tasks" in markdown_report(join([document()]))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_the_front_is_what_nobody_dominates(given: list[tuple[int, int]]) -> None:
    points = [Point(str(n), quality, spent) for n, (quality, spent) in enumerate(given)]
    kept = front(points)
    assert kept
    assert set(kept) == {p for p in points if not any(dominates(other, p) for other in points)}
    assert [point.spent for point in kept] == sorted(point.spent for point in kept)


def test_telling_failures_come_where_others_are_right() -> None:
    joined = join([document(["base", "best"], questions=20)])
    by_key = {one.rollout: row for row in joined.rows for own in row.answers.values() for one in own}
    keys = telling_failures(joined, 3)
    assert len(keys) == 6
    assert len({by_key[key].question.key for key in keys[:3]}) == 3
    first = by_key[keys[0]].answers["best"]
    assert sum(one.score or 0 for one in first) / len(first) == 1.0


def test_long_traces_are_cut_and_say_so() -> None:
    steps = [StepRecord(StepKind.SEARCH, "x" * (TURN_CHARS + n)) for n in range(TURNS + 5)]
    trace = make_trace(rollout(*steps), name_of=str)
    assert (len(trace.turns), trace.left_out, trace.cut) == (TURNS, 5, TURNS - 1)
    assert len(trace.turns[1].text) == TURN_CHARS + 2


def test_evaluations_are_found_by_name_and_by_hash(tmp_path: Path) -> None:
    for sha256, date in (("1" * 64, "2026-01-01"), ("1" * 8 + "2" * 56, "2026-02-01")):
        held = document(sha256=sha256).model_copy(update={"date": date})
        (tmp_path / f"{sha256[:16]}.json").write_text(held.model_dump_json())
    assert find_document("eval-test", tmp_path) == (tmp_path / f"{'1' * 8}{'2' * 8}.json", 1)
    assert find_document("1" * 12, tmp_path)[0].name == f"{'1' * 16}.json"
    with pytest.raises(UsageError, match="begins the hash of 2"):
        find_document("1" * 8, tmp_path)
    with pytest.raises(UsageError, match="did you mean 'eval-test'"):
        find_document("eval-tset", tmp_path)


def test_a_document_without_its_questions_is_still_a_report() -> None:
    bare: EvaluationDocument = document().model_copy(update={"questions": ()})
    page = html_report(join([bare]))
    assert "Questions and answers" not in page
    assert "a document without its questions can't be paired" in page.replace("&#39;", "'")


def test_what_has_no_score_is_counted_said_and_found() -> None:
    joined = join([document(["base"], questions=10, troubled=3)])
    page = markdown_report(joined)
    assert "base on fogbench: 2 of 20 generations have no score (1 failed, 1 unjudged)" in page
    assert "| budget: 6 turns | 1 |" in page
    assert "| tool: no index | 1 |" in page
    first = [one.statuses for one in entries(joined, {})][:4]
    assert first == ["failed,finished", "finished,unfinished", "finished,unjudged", "finished"]


def test_an_evaluation_in_which_everything_failed_is_a_report_too() -> None:
    joined = join([document(["base"], questions=1, samples=1, troubled=1)])
    assert "base has no score at all on fogbench, and therefore no overall score." in markdown_report(joined)
    assert '<span class="chip none">base: no score' in html_report(joined)


def test_all_pairs_stand_in_one_table_with_their_signs() -> None:
    joined = join([document(["base", "mid", "good", "best"], questions=30)])
    assert (len(joined.pairs), len(joined.others)) == (3, 3)
    page = markdown_report(joined)
    rows = [line.split(" | ") for line in page.partition("**All pairs: row minus")[2].splitlines()[4:8]]
    assert [row[0] for row in rows] == ["| base", "| mid", "| good", "| best"]
    assert [rows[n][n + 1].strip(" |") for n in range(4)] == ["–"] * 4  # noqa: RUF001
    first = joined.pairs[0].entry
    assert first is not None
    means = [float(rows[one][other].split()[0]) for one, other in ((1, 1), (0, 2))]
    assert means == [pytest.approx(100 * first.difference.mean, abs=0.051), -means[0]]
    assert rows[3][1].strip().endswith("*") and "\\*" in rows[3][1]
    assert "6 pairs: where two systems do not differ, about one pair in 20 is shown to" in page
    assert "All pairs" not in markdown_report(join([document(["base", "best"])]))


def test_max_at_1_is_the_score_whatever_the_sizes_of_tasks_and_splits() -> None:
    asked = document(["base"], tasks=("few", "many"), questions=9, samples=4)
    kept = tuple(one for one in asked.questions if one.task == "many" or one.key in ("q0000", "q0001", "q0002"))
    graded = regraded(kept, "base")
    figures = system_figures(
        graded, tasks=["few", "many"], samples=4, threshold=0.6, prices=PriceTable(), behaviour=None
    )
    assert figures.score is not None
    assert [point.k for point in figures.curve] == [1, 2, 4]
    assert figures.curve[0].score.mean == pytest.approx(figures.score.mean, abs=1e-4)
    for task in figures.tasks.values():
        assert task.score is not None and task.curve[0].score.mean == pytest.approx(task.score.mean, abs=1e-4)


def test_a_point_that_would_leave_out_a_task_is_left_out() -> None:
    asked = document(["base"], tasks=("few", "many"), questions=4, samples=4)
    short = [
        one.model_copy(update={"systems": {"base": one.systems["base"][:2]}}) if one.task == "few" else one
        for one in asked.questions
    ]
    figures = system_figures(
        regraded(short, "base"),
        tasks=["few", "many"],
        samples=4,
        threshold=0.6,
        prices=PriceTable(),
        behaviour=None,
    )
    assert [point.k for point in figures.curve] == [1, 2]
    assert [point.k for point in figures.tasks["many"].curve] == [1, 2, 4]


def test_tokens_that_nobody_counted_are_not_blamed_on_the_price() -> None:
    given = document(["base"])
    (result,) = given.systems
    cost = result.figures.cost.model_copy(update={"usd_per_query": None, "unpriced": ()})
    point = result.figures.pareto.model_copy(update={"usd_per_query": None})
    figures = result.figures.model_copy(update={"cost": cost, "pareto": point})
    changed = given.model_copy(update={"systems": (result.model_copy(update={"figures": figures}),)})
    page = markdown_report(join([changed]))
    assert "Left out of quality against USD a query: base; not all of its tokens were counted." in page
    assert "base: not all of its tokens were counted; its cost in USD is left out." in page
    assert "--prices" not in page


def test_reasons_that_differ_in_a_number_are_one_and_keep_the_others() -> None:
    given = document(["base", "best"])
    told = ({"budget: 6 turns and 12 tokens": 2, "budget: 6 turns and 1,345 tokens": 1, "down": 1}, {"down": 4})
    systems = tuple(
        one.model_copy(update={"figures": one.figures.model_copy(update={"failures": failures})})
        for one, failures in zip(given.systems, told, strict=True)
    )
    page = markdown_report(join([given.model_copy(update={"systems": systems})]))
    rows = page.partition("**Failed, unfinished and unjudged generations**")[2].splitlines()[4:6]
    assert rows == ["| down | 1 | 4 |", "| budget: 6 turns and … tokens | 3 | 0 |"]


def test_the_page_lets_only_its_own_script_and_style_act() -> None:
    page = html_report(join([document()]))
    policy = next(a["content"] or "" for _, a in Tags(page).seen if a.get("http-equiv") == "Content-Security-Policy")
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert "base-uri 'none'; form-action 'none'" in policy


def test_figures_that_a_document_does_not_have_are_left_out_of_the_page() -> None:
    given = document(["base"], questions=1, samples=1)
    (question,) = given.questions
    bare = question.systems["base"][0].model_copy(update={"output_tokens": None, "half_credit": None})
    changed = question.model_copy(update={"systems": {"base": (bare,)}})
    page = html_report(join([given.model_copy(update={"questions": (changed,)})]))
    answer = page.partition("<h4>")[2]
    assert "; 100 tokens read" in answer
    assert "written" not in answer
    assert "half credit" not in answer


def test_times_of_other_machines_compare_with_care() -> None:
    one, other = document(["base"], sha256="1" * 64), document(["mid"], sha256="2" * 64)
    page = markdown_report(join([one.model_copy(update={"machine": "2 cores, 8 GiB, no GPU"}), other]))
    assert "Times were taken on machines that differ, and compare with care: 2 cores, 8 GiB, no GPU and a " in page
    assert "machines that differ" not in markdown_report(join([one, other]))


def test_a_split_that_is_lost_whole_is_said() -> None:
    given = document(["base"])
    (result,) = given.systems
    task = result.figures.tasks["fogbench"]
    short = task.model_copy(update={"splits": {"s0": task.splits["s0"]}})
    figures = result.figures.model_copy(update={"tasks": {"fogbench": short}})
    page = markdown_report(
        join([given.model_copy(update={"systems": (result.model_copy(update={"figures": figures}),)})])
    )
    assert "base on fogbench: s1 without any score: its mean is one of the other splits" in page
    assert "without any score" not in markdown_report(join([given]))
