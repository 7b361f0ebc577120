"""`karl fogbench make`, and the small vocabulary: the embedded policy's own sentences and names."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.rule_judge import RuleJudge
from evals.fog.make import Fog, make_fog
from evals.fog.settings import fog_settings
from evals.fog.writing import write_documents
from evals.items import EvalItem
from karl.cli import karl
from karl.tiny.fog import small_vocabulary
from karl.tiny.world import KINDS, SENTENCES, make_world
from tests.evals.fog import reader


def small_fog(hops: int, **knobs: int) -> Fog:
    given = {"vocabulary": "small", "size": 700, "questions": 3, "hops": hops, "list_length": 3, "seed": hops}
    return make_fog(fog_settings({**given, **knobs}), small_vocabulary())


def test_make_says_where_the_files_are_how_many_and_what_is_next(tmp_path: Path) -> None:
    out = tmp_path / "fog"
    result = CliRunner().invoke(
        karl, ["fogbench", "make", "--out", str(out), "--seed", "4", "--set", "size=150", "--set", "questions=2"]
    )
    assert result.exit_code == 0, result.output
    assert len(list((out / "documents").rglob("*.md"))) == 150
    items = [EvalItem.model_validate_json(line) for line in (out / "items.jsonl").read_text().splitlines()]
    assert re.search(rf"^questions +{len(items)}  {out}/items.jsonl$", result.output, re.MULTILINE)
    assert re.search(r"^  entity_search +2$", result.output, re.MULTILINE)
    assert f"karl ingest {out}/documents --name fog\n" in result.output


def test_make_says_which_regime_came_short(tmp_path: Path) -> None:
    given = ["--set", "size=30", "--set", "regimes=entity_lists,procedures", "--set", "questions=4"]
    result = CliRunner().invoke(karl, ["fogbench", "make", "--out", str(tmp_path / "fog"), *given])
    assert re.search(r"entity_lists +[0-3]  of 4: the documents allow no more; raise size", result.output)


def test_make_refuses_a_knob_that_it_does_not_know(tmp_path: Path) -> None:
    result = CliRunner().invoke(karl, ["fogbench", "make", "--out", str(tmp_path / "fog"), "--set", "hop=2"])
    assert "settings: seed, size, regimes" in str(result.exception)
    assert not (tmp_path / "fog").exists()


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_small_notes_are_the_embedded_policys(hops: int) -> None:
    patterns = defaultdict(list)
    for sentence, title in SENTENCES.values():
        patterns[title].append(sentence.format(subject=r"[\w ]+", object=r"[\w ]+"))
    fog = small_fog(hops)
    assert set(fog.counts.values()) == {3}, fog.rejected
    for document in fog.documents:
        assert any(re.fullmatch(pattern, document.body) for pattern in patterns[document.title]), document


@pytest.mark.parametrize(("hops", "kind"), [(1, "team_leader"), (2, "product_leader"), (3, "user_leader")])
def test_some_small_searches_are_worded_as_the_policy_was_taught(hops: int, kind: str) -> None:
    taught = next(KINDS[kind](make_world(0))).text
    form = re.escape(taught).replace(re.escape(next(KINDS[kind](make_world(0))).hops[0].entity), r"\w+")
    asked = [item.question for item in small_fog(hops, questions=8, size=1200).items if item.kind == "entity_search"]
    assert 0 < sum(bool(re.fullmatch(form, question)) for question in asked) < len(asked) == 8


@pytest.mark.parametrize("hops", [1, 2, 3])
async def test_small_answers_are_found_anew_in_the_written_notes(hops: int, tmp_path: Path) -> None:
    fog = small_fog(hops)
    write_documents(fog, tmp_path)
    reading = reader.read(tmp_path)
    for item in fog.items:
        nuggets = [nugget.text for nugget in item.nuggets]
        assert answer(reading, item) in (nuggets, set(nuggets)), item.question
        assert (await RuleJudge().score(item.reference, question=item.question, nuggets=nuggets)).value == 1.0


def chain(reading: reader.Reading, text: str) -> str:
    """Who leads the team that is named, that builds a product, that builds the product of a customer."""
    if found := re.fullmatch(r"Who leads the (\w+) team\?", text):
        return reading.get("leader", found[1])
    if found := re.fullmatch(r"Who leads the team that builds (\w+)\?", text):
        return reading.follow(found[1], ("team", "leader"))
    found = re.fullmatch(r"Who leads the team that builds the product that (\w+) uses\?", text)
    assert found
    return reading.follow(found[1], ("uses", "team", "leader"))


def answer(reading: reader.Reading, item: EvalItem) -> list[str] | set[str]:
    """From the notes and the wording of the question alone."""
    text = item.question
    if text.startswith("Who leads"):
        return [chain(reading, text)]
    if item.kind in ("entity_search", "entity_lists"):
        return reader.matching(reading, text)
    if item.kind == "meeting_notes":
        return {reading.get("raised", customer) for customer in reader.matching(reading, text)}
    if text.startswith("How many"):
        return [str(len(reader.matching(reading, text.replace("customers use", "customers that use"))))]
    if item.kind == "tabular_arithmetic":
        found = re.search(r"in which (.+) renewed after", text)
        assert found
        customer = reader.managed(reading, found[1])
        ends = (reading.get("renewed", customer), reading.follow(customer, ("uses", "launched")))
        return [str(int(ends[0].split()[1]) - int(ends[1].split()[1]))]
    if item.kind == "procedures" and "uses, the team" in text:
        found = re.search(r"the product that (.+) uses, the team", text)
        assert found
        customer = reader.managed(reading, found[1])
        return [reading.follow(customer, path) for path in (("uses",), ("uses", "team"), ("uses", "team", "leader"))]
    if item.kind == "procedures":
        found = re.search(r"the team that builds (\w+) and", text)
        assert found
        return [reading.follow(found[1], path) for path in (("team",), ("team", "leader"))]
    found = re.match(r"When did (.+) launch, who", text)
    assert found
    product = reader.product(reading, found[1])
    return [reading.follow(product, path) for path in (("launched",), ("team", "leader"), ("team", "office"))]
