"""The same seed writes the same bytes; what is not unique is rejected; the store reads what was written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from evals.corpora.keys import evidence_keys
from evals.fog.make import Fog, make_fog
from evals.fog.proof import Rejected, prove
from evals.fog.query import Draft
from evals.fog.settings import fog_settings
from evals.fog.solver import Row, Solver, calculate, quantity
from evals.fog.writing import write_documents, write_items, write_settings
from evals.items import EvalItem
from store import queries
from store.corpus import ingest
from store.errors import UsageError
from store.session import Store

SETTINGS = {"seed": 3, "size": 240, "questions": 3}
WRITE = f"""
import sys
from pathlib import Path
from evals.fog.make import make_fog
from evals.fog.settings import fog_settings
from evals.fog.writing import write_documents, write_items, write_settings
fog, out = make_fog(fog_settings({SETTINGS})), Path(sys.argv[1])
write_documents(fog, out / "documents")
write_items(fog, out / "items.jsonl")
write_settings(fog, out / "settings.json")
"""


def write_all(fog: Fog, out: Path) -> None:
    write_documents(fog, out / "documents")
    write_items(fog, out / "items.jsonl")
    write_settings(fog, out / "settings.json")


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


@pytest.fixture(scope="module")
def fog() -> Fog:
    return make_fog(fog_settings(SETTINGS))


def draft_of(fog: Fog, regime: str) -> Draft:
    return next(draft for draft in fog.drafts.values() if draft.regime == regime)


def test_the_same_seed_writes_the_same_bytes_in_any_process(fog: Fog, tmp_path: Path) -> None:
    write_all(fog, tmp_path / "here")
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        out = tmp_path / hash_seed
        subprocess.run([sys.executable, "-c", WRITE, str(out)], check=True, env=environment)
        assert digest(out) == digest(tmp_path / "here")


def test_items_are_read_back_as_they_were(fog: Fog, tmp_path: Path) -> None:
    assert write_items(fog, tmp_path / "items.jsonl") == len(fog.items) == 18
    lines = (tmp_path / "items.jsonl").read_text(encoding="utf-8").splitlines()
    assert [EvalItem.model_validate_json(line) for line in lines] == list(fog.items)


def test_a_folder_with_other_files_is_refused(fog: Fog, tmp_path: Path) -> None:
    write_documents(fog, tmp_path)
    write_documents(fog, tmp_path)  # the same again is no harm
    (tmp_path / "mine.md").write_text("kept")
    with pytest.raises(UsageError, match=r"mine\.md"):
        write_documents(fog, tmp_path)


def test_a_second_answer_is_rejected(fog: Fog) -> None:
    """A near miss that meets the last condition as well."""
    draft = draft_of(fog, "entity_search")
    solver = Solver(fog.facts)
    (failed,) = solver.failed(draft.near[1], draft.query)
    relation = failed.path[0]
    right, wrong = (solver.newest(relation, subject) for subject in (*draft.rows, draft.near[1]))
    assert right and wrong
    later = replace(wrong, object=right.object, date=wrong.date + timedelta(days=1))
    with pytest.raises(Rejected, match="found"):
        prove(draft, Solver([*fog.facts, later]))


@pytest.mark.parametrize("regime", ["report_synthesis", "tabular_arithmetic", "procedures", "meeting_notes"])
def test_a_newest_statement_that_says_otherwise_is_rejected(fog: Fog, regime: str) -> None:
    """Later: the planted answer is wrong. On the same day: nobody can tell."""
    draft = draft_of(fog, regime)
    solver = Solver(fog.facts)
    fact = solver.rows(draft.query)[0].trail[-1]
    for days, said in ((1, "found"), (0, fact.relation.split(" ")[0])):
        other = replace(fact, object="7 thousand euros", date=fact.date + timedelta(days=days))
        with pytest.raises(Rejected, match=said):
            prove(draft, Solver([*fog.facts, other]))


def test_an_older_statement_changes_nothing_but_the_proof(fog: Fog) -> None:
    draft = draft_of(fog, "entity_search")
    fact = Solver(fog.facts).rows(draft.query)[0].trail[0]
    older = replace(fact, object="Nowhere", document="archive/x.md", date=fact.date - timedelta(days=900))
    proof, gold = prove(draft, Solver([*fog.facts, older]))
    assert "archive/x.md" in proof
    assert "archive/x.md" not in gold


def test_a_question_that_tells_its_answer_is_rejected(fog: Fog) -> None:
    draft = draft_of(fog, "entity_lists")
    told = replace(draft, question=f"{draft.question} Such as {next(iter(draft.rows)).upper()}?")
    with pytest.raises(Rejected, match="contains its answer"):
        prove(told, Solver(fog.facts))


def test_a_planted_near_miss_that_is_none_is_rejected(fog: Fog) -> None:
    draft = draft_of(fog, "entity_search")
    with pytest.raises(Rejected, match="no near miss"):
        prove(replace(draft, near=(*draft.near, *draft.rows)), Solver(fog.facts))


def test_calculations_keep_units_and_round_halves_up() -> None:
    assert quantity("12.3 million euros") == quantity("12300 thousand euros") == 12_300_000
    assert quantity("May 2021") == 2021
    row = Row("x", ("1 million euros", "800 thousand euros"), ())
    assert calculate("difference", [row]) == 200_000
    assert calculate("sum", [row]) == 1_800_000
    assert calculate("percentage", [row]) == Decimal("125.0")
    assert calculate("percentage", [Row("x", ("1 thousand", "16 thousand"), ())]) == Decimal("6.3")  # 6.25
    assert calculate("count", [row, row]) == 2


def test_the_store_reads_every_document_and_cuts_no_table(tmp_path: Path) -> None:
    fog = make_fog(fog_settings({**SETTINGS, "tables": 5, "distractors": 10}))
    write_documents(fog, tmp_path / "documents")
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    report = ingest(store, tmp_path / "documents", name="fog")
    assert (report.documents, report.skipped, report.problems) == (240, [], [])
    with store.session() as session:
        chunks = list(queries.corpus_chunks(session, report.corpus_id))
        held = {name for chunk in chunks for name in evidence_keys(chunk.key)}
        assert {key for item in fog.items for key in item.gold} <= held
        tables = [chunk.text for chunk in chunks if "```" in chunk.text]
    store.close()
    assert tables
    assert all(text.count("```") % 2 == 0 for text in tables)
