"""The tasks: what they declare, and their loaders on small data in each set's published form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from evals.fog.make import make_fog
from evals.fog.settings import REGIMES, FogSettings
from evals.fog.writing import write_documents, write_items
from evals.items import EvalItem, Nugget
from evals.tasks import TASKS, task
from evals.tasks.calibrated import CALIBRATED
from evals.tasks.fogbench import SPEC
from evals.tasks.load import LoadedTask, load_task
from evals.tasks.spec import Metric
from prompts.loader import load_prompt
from store.chunking.policy import Chunking
from store.errors import UsageError
from tests.evals.task_data import (
    CANARY,
    DATA,
    a_browsecomp_row,
    a_financebench_row,
    a_freshstack_row,
    hidden,
    write_lines,
    write_parquet,
    write_value,
)


def loaded(name: str, folder: Path, **options: str) -> LoadedTask:
    DATA[name](folder)
    return load_task(name, folder, **options)  # type: ignore[arg-type]


def shortfalls(result: LoadedTask) -> list[str]:
    return [str(shortfall) for shortfall in result.shortfalls]


def test_the_tasks_are_the_published_table() -> None:
    """Regime, questions, chunks, chunking, embedder, k, nuggets a question: section 7 of the paper."""
    table = {
        spec.name: (
            spec.expected.questions,
            spec.expected.chunks,
            str(spec.chunking),
            spec.embedder.rpartition("/")[2],
            spec.k,
            spec.expected.nuggets,
            spec.metric,
            spec.trained,
        )
        for spec in (entry.spec for entry in TASKS.values())
    }
    small, facts = "Qwen3-Embedding-0.6B", Metric.NUGGETS
    windows = "sentences, about 100 words"
    assert table == {
        "browsecomp_plus": (
            *(830, 100_195, "first 512 tokens of a document", "Qwen3-Embedding-8B", 20, 1),
            *(Metric.BINARY, True),
        ),
        "trec_biogen": (65, 26_805_982, "abstracts as they are", small, 20, 7.1, facts, True),
        "financebench": (150, 53_399, "a page", small, 20, 1, Metric.NUMERIC, False),
        "qampari": (1000, 256_680, windows, small, 20, 14.7, Metric.ENTITIES, False),
        "freshstack": (203, 49_514, "given chunks, up to 2048 tokens", small, 10, 3.1, facts, False),
        "pmbench": (57, 3_395, "first 2048 tokens of a document", "gte-large-en-v1.5", 10, 10.5, facts, False),
        "fogbench": (60, 600, "given chunks, up to 2048 tokens", small, 20, 4, facts, False),
    }
    assert (task("browsecomp_plus").spec.steps, task("trec_biogen").spec.steps) == (200, 50)


@pytest.mark.parametrize("name", TASKS)
def test_a_declaration_is_closed_and_its_prompt_exists(name: str) -> None:
    spec = task(name).spec
    with pytest.raises(ValidationError):
        spec.k = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        type(spec).model_validate(spec.model_dump() | {"kk": 3})
    assert type(spec).model_validate(spec.model_dump()) == spec
    assert set(load_prompt(spec.prompt).front.variables) == {"question", "summary", "steps"}
    assert sum(split.questions for split in spec.splits if split.purpose != "further") == spec.expected.questions


def test_chunking_has_a_size_where_one_counts() -> None:
    with pytest.raises(ValidationError, match="needs a size"):
        Chunking(by="first_tokens")
    with pytest.raises(ValidationError, match="has no size"):
        Chunking(by="pages", size=3)


def test_a_task_is_found_by_name_and_near_names_are_offered() -> None:
    assert task("BrowseComp-Plus") is TASKS["browsecomp_plus"]
    with pytest.raises(UsageError, match=r"no task 'freshstak' \(did you mean 'freshstack'\?\); there are: browsecomp"):
        task("freshstak")
    with pytest.raises(UsageError, match=r"no task 'x'; there are: "):
        task("x")


def test_unknown_splits_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no split 'dev'; there are: evaluation, synthesis, all"):
        load_task("browsecomp_plus", tmp_path, split="dev")
    with pytest.raises(UsageError, match="none: no such folder"):
        load_task("browsecomp_plus", tmp_path / "none")


@pytest.mark.parametrize("name", TASKS)
def test_missing_files_say_what_was_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{re.escape(str(tmp_path))}: no .*; looked for .*karl bench-data list"):
        load_task(name, tmp_path)


def test_fogbench_is_evaluated_regime_by_regime_and_counts_what_its_default_knobs_make(tmp_path: Path) -> None:
    fog = make_fog(FogSettings())
    write_documents(fog, tmp_path / "documents")
    write_items(fog, tmp_path / "items.jsonl")
    result = load_task("fogbench", tmp_path)
    assert (result.split, result.complete, len(fog.documents)) == ("all", True, SPEC.expected.chunks)
    assert {item.split for item in result.items} == set(REGIMES)
    assert len(load_task("fogbench", tmp_path, split="procedures").items) == 10
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    (tmp_path / "items.jsonl").write_text("\n".join([lines[0], lines[1].replace('"question"', '"query"')]))
    with pytest.raises(UsageError, match=r"items.jsonl:2: question: Field required; make it with `karl fogbench make`"):
        load_task("fogbench", tmp_path)


def test_the_page_in_the_docs_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "karlbench.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"]
    assert [row[0].strip("`") for row in rows] == list(TASKS)
    for row in rows:
        spec = task(row[0].strip("`")).spec
        shown = [row[2].split(":")[0], row[3], row[6], row[7], row[8].split(",")[0]]
        expected = spec.expected
        declared = [f"{expected.questions:,}", f"{expected.chunks:,}", spec.k, spec.steps, f"{expected.nuggets:g}"]
        assert shown == [str(value) for value in declared], spec.name
        assert row[1] == spec.regime


# BrowseComp-Plus


def test_browsecomp_is_shown_by_its_canary_and_split_by_the_calibrated_ids(tmp_path: Path) -> None:
    result = loaded("browsecomp_plus", tmp_path)
    assert len(CALIBRATED) == 230
    assert [item.key for item in result.items] == ["23", "1265"]
    assert result.items[0] == EvalItem(
        key="23",
        question="Which countess wrote the first programme, né 1815?",
        reference="Ada Lovelace",
        nuggets=(Nugget(text="Ada Lovelace"),),
        gold=("11", "12"),
        split="evaluation",
    )
    assert shortfalls(result) == ["questions of split evaluation: 2 here, 230 in the full set"]
    synthesis = load_task("browsecomp_plus", tmp_path, split="synthesis")
    assert [(item.key, item.split) for item in synthesis.items] == [("24", "synthesis")]
    assert len(load_task("browsecomp_plus", tmp_path, split="all").items) == 3


def test_browsecomp_without_or_with_another_canary_says_how_to_get_it(tmp_path: Path) -> None:
    DATA["browsecomp_plus"](tmp_path)
    with pytest.raises(UsageError, match=r"row 1: query: the canary does not fit; copy the canary string of .*script"):
        load_task("browsecomp_plus", tmp_path, canary="another")
    (tmp_path / "canary.txt").unlink()
    with pytest.raises(UsageError, match=r"row 1: query: is obfuscated, and no canary is there .*into canary\.txt"):
        load_task("browsecomp_plus", tmp_path)
    assert len(load_task("browsecomp_plus", tmp_path, canary=CANARY).items) == 2


def test_browsecomp_reads_what_the_data_sets_own_script_wrote(tmp_path: Path) -> None:
    write_lines(tmp_path / "browsecomp_plus_decrypted.jsonl", a_browsecomp_row("23", answer="1987"))
    (item,) = load_task("browsecomp_plus", tmp_path).items
    assert (item.reference, item.gold) == ("1987", ("11", "12"))


def test_a_full_set_is_complete(tmp_path: Path) -> None:
    rows = [hidden(a_browsecomp_row(number)) for number in [*sorted(CALIBRATED), *map(str, range(2000, 2600))]]
    write_parquet(tmp_path / "questions" / "data" / "test.parquet", *rows)
    result = load_task("browsecomp_plus", tmp_path, split="all", canary=CANARY)
    assert (len(result.items), result.complete, result.shortfalls) == (830, True, ())


def test_doubled_ids_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "x_decrypted.jsonl", a_browsecomp_row("23"), a_browsecomp_row("23"))
    with pytest.raises(UsageError, match="1 question ids are there more than once, the first is '23'"):
        load_task("browsecomp_plus", tmp_path)


# TREC-Biogen


def test_biogen_keeps_accurate_answers_as_references_for_the_nuggetiser(tmp_path: Path) -> None:
    result = loaded("trec_biogen", tmp_path)
    (item,) = result.items
    assert item.nuggets == ()
    assert item.references == (
        "Rickets, osteomalacia and muscle weakness.",
        "It weakens bones. It may cause falls.",
    )
    assert (item.reference, item.gold, item.kind) == (item.references[0], ("21824858",), "vitamin D")
    assert [entry.key for entry in result.left_out] == ["117"]
    # Nuggets are made later, and so are not missed here.
    assert shortfalls(result) == ["questions of split evaluation: 1 here, 65 in the full set"]


def test_biogen_errors_name_the_run(tmp_path: Path) -> None:
    DATA["trec_biogen"](tmp_path)
    path = tmp_path / "biogen_2024_submissions.json"
    judged = json.loads(path.read_text())
    del judged[0]["machine_generated_answers"]["M1"]["answer"]
    write_value(path, judged)
    with pytest.raises(UsageError, match=r"submissions\.json: \[0\]: machine_generated_answers\.M1: answer: missing"):
        load_task("trec_biogen", tmp_path)


# FinanceBench


def test_financebench_maps_evidence_by_text_and_leaves_out_what_has_no_filing(tmp_path: Path) -> None:
    result = loaded("financebench", tmp_path)
    first, second = result.items
    assert (first.key, first.reference, first.kind) == ("financebench_id_00001", "$1577.00", "metrics-generated")
    assert first.gold == ("ACME_2022_10K#2",)
    # Its published page number is wrong: the text decides.
    assert second.gold == ("ACME_2022_10K#3", "ACME_2022_10K#1")
    assert result.notes == {
        "evidence: exact": 2,
        "evidence: letters and digits": 1,
        "evidence: on the published page": 2,
    }
    assert [(entry.key, entry.reason) for entry in result.left_out] == [
        ("financebench_id_00003", "no pdfs/BOLT_2022_10K.pdf")
    ]


def test_financebench_without_any_filing_says_which_are_missing(tmp_path: Path) -> None:
    write_lines(tmp_path / "questions.jsonl", a_financebench_row(3, "BOLT_2022_10K", ("Nothing", 0)))
    with pytest.raises(UsageError, match=r"no question of split 'evaluation' \(.*no pdfs/BOLT_2022_10K\.pdf\)"):
        load_task("financebench", tmp_path)


# QAMPARI


def test_qampari_has_a_nugget_an_entity_with_its_aliases(tmp_path: Path) -> None:
    result = loaded("qampari", tmp_path)
    (item,) = result.items
    assert item.nuggets == (Nugget(text="Ada Lovelace", aliases=("Ada King",)), Nugget(text="Zoë"))
    assert (item.reference, item.gold, item.kind) == ("Ada Lovelace, Zoë", ("Ada Lovelace",), "wikidata_simple")
    assert shortfalls(result) == [
        "questions of split evaluation: 1 here, 1,000 in the full set",
        "nuggets a question: 2.0 here, 14.7 in the full set",
    ]


# FreshStack


def test_freshstack_evaluates_langchain_and_has_four_further_domains(tmp_path: Path) -> None:
    result = loaded("freshstack", tmp_path)
    (item,) = result.items
    assert (item.key, item.split) == ("771", "langchain")
    assert item.question == "How do I stream?\n\nI call invoke and get it all at once."
    assert [nugget.text for nugget in item.nuggets] == ["Fact 0.", "Fact 1.", "Fact 2."]
    assert item.gold == (
        "langchain/docs/a.md_0_90",
        *(f"langchain/docs/b{n}.md_0_90" for n in range(3)),
    )
    further = load_task("freshstack", tmp_path, split="yolo")
    assert [item.key for item in further.items] == ["772"]
    assert shortfalls(further) == ["questions of split yolo: 1 here, 57 in the full set"]
    with pytest.raises(UsageError, match="no queries of FreshStack's domain godot"):
        load_task("freshstack", tmp_path, split="godot")


def test_freshstack_of_the_published_size_is_complete(tmp_path: Path) -> None:
    rows = [a_freshstack_row(str(n), 4 if n % 10 == 0 else 3) for n in range(203)]
    write_parquet(tmp_path / "queries" / "langchain" / "test.parquet", *rows)
    assert load_task("freshstack", tmp_path).complete


# PMBench


def test_pmbench_takes_own_notes_and_questions(tmp_path: Path) -> None:
    (item,) = loaded("pmbench", tmp_path).items
    assert item.nuggets == (
        Nugget(text="Mira asked for dark mode"),
        Nugget(text="The plan is to ship in May", aliases=("May",)),
    )
    assert item.gold == ("team/mira.md",)


def test_pmbench_errors_name_line_and_fact(tmp_path: Path) -> None:
    row = {"id": "q", "question": "?", "answer": "a", "nuggets": ["fine", {"fact": "x"}]}
    write_lines(tmp_path / "questions.jsonl", row)
    with pytest.raises(UsageError, match=r"questions\.jsonl:1: nuggets\[1\]: text: missing; the keys here are: fact"):
        load_task("pmbench", tmp_path)
    write_lines(tmp_path / "questions.jsonl", row | {"nuggets": [" "]})
    with pytest.raises(UsageError, match=r"questions\.jsonl:1: nuggets\[0\]: is empty"):
        load_task("pmbench", tmp_path)
