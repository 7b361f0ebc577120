"""Generated companies: the facts fix every answer; companies of different seeds share names, not facts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from karl.reporting import SilentReporter
from karl.settings import load_settings
from karl.tiny.companies import ALL_QUESTIONS, prepare_demo
from karl.tiny.demonstrations import Noise, SolverDemonstrator, aggregate, cite, shown_notes
from karl.tiny.world import KINDS, Question, World, make_world, questions, write_notes
from store.session import Store

CAREFUL = Noise(misleading_query=0, bare_query=0, stop_early=0, wrong_note=0, misquote=0, drop_fact=0)


def answers_by_facts(question: Question, world: World) -> set[str]:
    """Follow the proof from the first entity by looking at all facts again."""
    known = {question.hops[0].entity}
    for hop in question.hops:
        matching = [f for f in world.facts if f.relation == hop.relation and {f.subject, f.object} & known]
        known = {name for fact in matching for name in (fact.subject, fact.object)} - known
    return known


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_the_only_one_that_the_facts_allow(kind: str) -> None:
    world = make_world(3)
    asked = list(KINDS[kind](world))
    assert len(asked) >= 5
    for question in asked:
        assert answers_by_facts(question, world) == set(question.answers), question.text


def test_companies_share_names_and_hardly_any_fact() -> None:
    first, second = make_world(1), make_world(2)
    assert {f.subject for f in first.facts} & {f.subject for f in second.facts}
    shared = set(first.facts) & set(second.facts)
    assert len(shared) < 0.03 * len(first.facts)


def test_the_demos_file_holds_as_many_questions_as_were_asked_for(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home=tmp_path)
    store = Store.open(settings.store_url)
    files: list[list[str]] = []
    for count in (13, ALL_QUESTIONS):
        made = prepare_demo(store, seed=3, settings=settings, reporter=SilentReporter(), count=count)
        files.append(made.questions.read_text(encoding="utf-8").splitlines())
    store.close()
    assert len(files[0]) == 13
    assert files[1][:13] == files[0]  # what a run holds out does not depend on how many there are
    assert len(files[1]) > 400


def test_the_same_seed_makes_the_same_company_and_questions() -> None:
    assert make_world(5).facts == make_world(5).facts
    one, other = (questions(make_world(5), count=40, seed=1) for _ in range(2))
    assert one == other
    assert len({q.text for q in one}) == 40
    assert {q.kind for q in one} == set(KINDS)


def test_one_note_a_fact_with_the_sentence_as_its_body(tmp_path) -> None:
    world = make_world(1)
    assert write_notes(world, tmp_path) == len(world.facts) == len(list(tmp_path.glob("*.md")))
    body = (tmp_path / "note-0000.md").read_text().split("---")[-1].strip()
    assert body == world.facts[0].sentence


def test_a_careful_demonstrator_answers_right_once_it_is_shown_the_facts() -> None:
    for question in questions(make_world(7), count=60, seed=0):
        actor = SolverDemonstrator(question, random.Random(0), CAREFUL)
        facts = [fact for hop in question.hops for fact in hop.facts]
        shown = "\n".join(cite(fact.sentence, n) for n, fact in enumerate(facts, 1))
        first = actor.act("nothing yet")
        assert first.startswith("<search>") and question.hops[0].entity in first
        last = actor.act(shown)
        assert last.endswith(f"<answer>{question.answer}</answer>")
        assert all(fact.sentence in last for fact in facts)


def test_a_noisy_demonstrator_errs_often_but_not_always() -> None:
    asked = [q for q in questions(make_world(7), count=400, seed=0) if len(q.hops) == 2]
    ended = []
    for number, question in enumerate(asked):
        actor = SolverDemonstrator(question, random.Random(number))
        facts = [fact for hop in question.hops for fact in hop.facts]
        ended.append(actor.act("\n".join(cite(fact.sentence, n) for n, fact in enumerate(facts, 1))))
    right = sum(question.answer in turn for question, turn in zip(asked, ended, strict=True)) / len(asked)
    assert 0.3 < right < 0.8


def test_shown_notes_are_read_from_lines_and_from_a_summary() -> None:
    text = "[1] Vantor uses Orion.\n[2] Orion launched in May 2021.<|end|> so far: [7] Mira Holt lives in Porto."
    assert shown_notes(text) == {
        "Vantor uses Orion.": 1,
        "Orion launched in May 2021.": 2,
        "Mira Holt lives in Porto.": 7,
    }


def test_aggregation_takes_the_majority_and_the_first_of_equals() -> None:
    assert aggregate(["Porto", " Lyon", "Lyon "]) == "<answer>Lyon</answer>"
    assert aggregate(["Porto", "Lyon"]) == "<answer>Porto</answer>"
