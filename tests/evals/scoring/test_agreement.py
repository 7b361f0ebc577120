"""Kappa against values known from the literature and from scikit-learn; files that do not fit are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agents.judging import Label
from evals.scoring.agreement import LABELS, agreement, kappa, weights_of
from evals.scoring.completion import completion
from evals.scoring.judgement import Judgement, read_judgements, write_judgements
from karl.cli import karl, main
from store.errors import UsageError

S, P, N = "support", "partial_support", "not_support"


def judgements(labels: list[list[Label]], judge: str = "m") -> dict[tuple[str, int], Judgement]:
    made = [
        Judgement(
            item=f"q{number}",
            nuggets=tuple(f"n{n}" for n in range(len(own))),
            completion=completion(own, judge=judge, prompt_sha256="ab" * 32),
        )
        for number, own in enumerate(labels)
    ]
    return {(one.item, one.attempt): one for one in made}


def test_the_textbook_case() -> None:
    table = np.array([[20, 5], [10, 15]])  # observed 0.7, by chance 0.5
    assert kappa(table, weights=weights_of(2)["unweighted"]) == pytest.approx(0.4)


def test_three_labels_by_hand() -> None:
    table = np.array([[4, 1, 0], [1, 2, 1], [0, 0, 1]])
    # Same: 7 of 10; by chance (5*5 + 4*3 + 1*2) / 100 = 0.39.
    assert kappa(table, weights=weights_of(3)["unweighted"]) == pytest.approx((0.7 - 0.39) / (1 - 0.39))
    # Linear: observed 3 * 0.5 / 10; by chance (5*3*.5 + 5*2 + 4*5*.5 + 4*2*.5 + 5 + 3*.5) / 100 = 0.38.
    assert kappa(table, weights=weights_of(3)["linear"]) == pytest.approx(1 - 0.15 / 0.38)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_scikit_learn_says_the_same(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    ours, theirs = zip(*pairs, strict=True)
    table = np.zeros((3, 3), dtype=np.int64)
    np.add.at(table, (list(ours), list(theirs)), 1)
    for name, known in (("unweighted", None), ("linear", "linear")):
        found = kappa(table, weights=weights_of(3)[name])
        if len({*ours, *theirs}) == 1:
            assert found is None
        else:
            expected = metrics.cohen_kappa_score(ours, theirs, labels=[0, 1, 2], weights=known)
            assert found == pytest.approx(expected, abs=1e-12)


def test_agreement_of_two_judges() -> None:
    first = judgements([[S, S, N], [P, N], [S], [N, N]])
    second = judgements([[S, P, N], [P, N], [N], [N, N]], judge="other")
    found = agreement(first, second, worst=2)
    assert (found.items, found.nuggets, found.same) == (4, 8, 6 / 8)
    assert LABELS == (N, P, S) and found.confusion == [[4, 0, 0], [0, 1, 0], [1, 1, 1]]
    assert [(one.item, one.distance) for one in found.disagreements] == [("q2", 1.0), ("q0", pytest.approx(1 / 6))]
    assert found.first == f"m ({'ab' * 6})" and found.second.startswith("other (")
    for one in (found.unweighted, found.linear):
        assert one.value is not None and one.low is not None and one.high is not None
        assert one.low <= one.value <= one.high


def test_perfect_and_undefined() -> None:
    mixed = judgements([[S, N], [P]])
    whole = agreement(mixed, mixed)
    assert whole.unweighted.value == whole.linear.value == 1.0 and whole.disagreements == []
    alike = agreement(judgements([[S, S]]), judgements([[S, S]]))
    assert alike.unweighted == (None, None, None) and alike.same == 1.0


def test_items_that_only_one_side_has_are_named() -> None:
    with pytest.raises(UsageError, match=r"only the first file judges 'q2' \(attempt 0\); judge the same items"):
        agreement(judgements([[S], [S], [S]]), judgements([[S], [S]]))
    with pytest.raises(UsageError, match=r"only the second file judges 'q1' .*'q5' \(attempt 0\) and 1 more"):
        agreement(judgements([[S]]), judgements([[S]] * 7))
    with pytest.raises(UsageError, match="other nuggets for 'q0'"):
        agreement(judgements([[S, S]]), judgements([[S]]))


def test_what_one_judge_failed_on_is_left_out_and_counted_where_that_is_asked_for() -> None:
    found = agreement(judgements([[S], [N], [S]]), judgements([[S], [N]]), common=True)
    assert (found.items, found.left_out, found.same) == (2, 1, 1.0)
    with pytest.raises(UsageError, match="no judged item in common"):
        agreement(judgements([[S]]), {}, common=True)


def test_other_answers_are_refused() -> None:
    first, second = (
        {key: one.model_copy(update={"answer_sha256": sha}) for key, one in judgements([[S]]).items()} for sha in "ab"
    )
    with pytest.raises(UsageError, match=r"judge other answers for 'q0' \(attempt 0\); judge the same stored answers"):
        agreement(first, second)
    assert agreement(first, judgements([[S]])).items == 1


def test_lines_hold_whatever_a_judge_wrote(tmp_path: Path) -> None:
    one = judgements([[S, N]])["q0", 0].model_copy(update={"reason": "one\u2028two\u2029three\x85four"})
    write_judgements(tmp_path / "a.jsonl", [one])
    assert read_judgements(tmp_path / "a.jsonl") == {("q0", 0): one}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_judgements(first, judgements([[S, S, N], [P, N]]).values())
    write_judgements(second, judgements([[S, P, N], [P, N]]).values())
    assert read_judgements(first) == judgements([[S, S, N], [P, N]])
    result = CliRunner().invoke(karl, ["judge", "agree", str(first), str(second), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["labels"] == [N, P, S] and found["confusion"] == [[2, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert found["unweighted"]["value"] == pytest.approx((0.8 - 0.32) / 0.68)
    assert found["disagreements"][0]["item"] == "q0"
    shown = CliRunner().invoke(karl, ["judge", "agree", str(first), str(second)]).output
    assert "Cohen's kappa: 0.706 [" in shown and "same label: 80.0%" in shown and "q0, attempt 0" in shown
    write_judgements(second, judgements([[S, P, N]]).values())
    with pytest.raises(SystemExit) as stopped:
        main(["judge", "agree", str(first), str(second)])
    assert stopped.value.code == 2 and "only the first file judges 'q1'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n", r"b\.jsonl:1: line: "),
        ('{"item": "q"}\n', r"b\.jsonl:1: nuggets: Field required"),
        ("", "no judgements"),
    ],
)
def test_files_that_are_none_are_named_with_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_judgements(path)


def test_the_same_item_twice_and_labels_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    one = judgements([[S, N]])["q0", 0]
    write_judgements(path, [one, one])
    with pytest.raises(UsageError, match=r"b\.jsonl:2: item 'q0', attempt 0 is here twice"):
        read_judgements(path)
    write_judgements(path, [one.model_copy(update={"nuggets": ("n",)})])
    with pytest.raises(UsageError, match=r"b\.jsonl:1: completion.labels: 2 labels for 1 nuggets"):
        read_judgements(path)
    write_judgements(path, [one.model_copy(update={"nuggets": ()})])
    with pytest.raises(UsageError, match=r"b\.jsonl:1: nuggets: none, so that nothing was judged"):
        read_judgements(path)
