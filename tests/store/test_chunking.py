"""Policies of chunking: what the benchmark's table lists, from YAML, with overlap; what is wrong in a file is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.chunking.cut import cut
from store.chunking.policy import Chunking, ChunkingPolicy, built_in, load_policy
from store.chunking.sentences import sentence_windows
from store.chunking.split import overlapped, split_text
from store.chunking.tokens import tokenizer_sha256
from store.errors import UsageError
from store.readers.base import Markup, ReadChunk, ReadDocument

PAGES = [ReadChunk("One two three. Four five.", "Filing", page=1), ReadChunk("Six.", "Filing", page=2)]


def chunks(policy: ChunkingPolicy, texts: list[ReadChunk], *, markup: Markup = "plain") -> list[ReadChunk]:
    return cut(ReadDocument(texts, "Filing", markup=markup), kind="pdf", policy=policy, max_chars=200).chunks


def texts(policy: ChunkingPolicy, given: list[ReadChunk]) -> list[tuple[int | None, str]]:
    return [(chunk.page, chunk.text) for chunk in chunks(policy, given)]


def rule(by: str, size: int | None = None, overlap: int = 0) -> ChunkingPolicy:
    made = Chunking.model_validate({"by": by, "size": size, "overlap": overlap})
    return ChunkingPolicy(paged=made, text=made)


def test_each_rule_of_the_table() -> None:
    assert texts(rule("pages"), PAGES) == [(1, "One two three. Four five."), (2, "Six.")]
    assert texts(rule("first_tokens", 3), PAGES) == [(None, "One two three")]
    assert texts(rule("abstracts"), PAGES) == [(None, "One two three. Four five.\n\nSix.")]
    assert texts(rule("sentence_windows", 3), PAGES) == [(1, "One two three."), (1, "Four five."), (2, "Six.")]
    long = ReadChunk("word " * 500, "Line")
    assert [len(chunk.text) for chunk in chunks(rule("given", 8), [long])] == [2500]


def test_the_published_policies_are_built_in() -> None:
    assert {name: str(load_policy(name).text) for name in built_in()} == {
        "browsecomp_plus": "first 512 tokens of a document",
        "default": "by headings",
        "financebench": "a page",
        "freshstack": "given chunks, up to 2048 tokens",
        "given": "given chunks",
        "headings": "by headings",
        "pmbench": "first 2048 tokens of a document",
        "qampari": "sentences, about 100 words",
        "trec_biogen": "abstracts as they are",
    }
    assert load_policy("default") == ChunkingPolicy()


def test_a_file_has_rules_for_formats_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("by: sentence_windows\nsize: 80\noverlap: 20\nformats: {pdf: {by: pages}}\nduplicates: skip\n")
    policy = load_policy(str(path))
    assert str(policy.of("pdf", paged=True)) == "a page"
    assert policy.of("html", paged=False) == Chunking(by="sentence_windows", size=80, overlap=20)
    assert (policy.duplicates, ChunkingPolicy().stamp) == ("skip", "")
    assert policy.stamp != load_policy("qampari").stamp


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("by: sentences", "paged.by: Input should be"),
        ("by: first_tokens", "needs a size"),
        ("by: pages\nsize: 3", "has no size"),
        ("by: pages\noverlap: 3", "do not overlap"),
        ("by: sentence_windows\nsize: 100\noverlap: 60", "more than half"),
        ("text: {by: headings, words: 3}", "text.words: Extra inputs"),
        ("by: [", "cannot read the chunking"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_policy(str(tmp_path / "p.yaml"))
    with pytest.raises(UsageError, match=r"no policy of that name; there are: browsecomp_plus, default"):
        load_policy("qampary")


def test_windows_repeat_whole_sentences() -> None:
    text = "A b c. D e f. G h i. J k l."
    assert sentence_windows(text, words=6) == ["A b c. D e f.", "G h i. J k l."]
    assert sentence_windows(text, words=6, overlap=3) == ["A b c. D e f.", "D e f. G h i.", "G h i. J k l."]


@given(st.lists(st.sampled_from(["alpha", "be", "gamma."]), min_size=1, max_size=60), st.sampled_from([0, 10, 25]))
def test_overlap_adds_the_end_of_the_piece_before_and_loses_nothing(words: list[str], overlap: int) -> None:
    pieces = split_text(" ".join(words), max_chars=50)
    joined = overlapped(pieces, overlap=overlap)
    for before, piece, made in zip(pieces, pieces[1:], joined[1:], strict=False):
        lead = made.removesuffix(piece).rstrip("\n")
        assert made.endswith(piece) and before.endswith(lead) and len(lead) <= overlap
    assert len(joined) == len(pieces)


def test_source_is_cut_at_its_definitions() -> None:
    body = "\n".join(f"    line = {n}" for n in range(12))
    imports = "import os\nimport sys\nimport json\n"
    source = f"{imports}\n@cached\ndef first(a):\n{body}\n\n\nclass Second:\n    def inner(self):\n{body}\n"
    made = chunks(rule("headings"), [ReadChunk(source, "tool.py")], markup="code")
    assert [chunk.title for chunk in made] == ["tool.py", "tool.py > first", "tool.py > Second"]
    assert made[1].text.startswith("@cached\ndef first(a):")
    assert made[2].headings == ("Second",)
    c = f"#include <x.h>\n\nstatic int add(int a, int b)\n{{\n{body}\n}}\n\nint main(void) {{\n{body}\n}}\n"
    assert chunks(rule("headings"), [ReadChunk(c, "a.c")], markup="code")[-1].title == "a.c > main"


def test_pages_by_headings_keep_their_page() -> None:
    page = ReadChunk("## A\n" + "x " * 80 + "\n## B\n" + "y " * 80, "Filing", page=3, headings=("Item 7",))
    made = chunks(rule("headings"), [page], markup="markdown")
    assert [(chunk.page, chunk.headings) for chunk in made] == [(3, ("Item 7", "A")), (3, ("Item 7", "B"))]


def test_what_a_policy_names_must_be_there_and_stays_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("formats: {md: {by: given}}\n")
    with pytest.raises(UsageError, match=r"p.yaml: formats.md: no such kind of document; there are: code, .*markdown"):
        load_policy(str(path))
    path.write_text("x: 2024-02-30\n")
    with pytest.raises(UsageError, match=r"p.yaml: cannot read the chunking: day is out of range"):
        load_policy(str(path))
    path.write_text("tokenizer: words.json\n")
    (tmp_path / "words.json").write_text("{}")
    policy = load_policy(str(path))
    assert policy.tokenizer == str(tmp_path / "words.json")
    stamp = policy.stamp
    (tmp_path / "words.json").write_text("{ }")
    tokenizer_sha256.cache_clear()
    assert policy.stamp != stamp
