"""One case per rule of the prompt linter: what is said, and at which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompts.lint import lint_prompt

GOOD = """---
description: Answers one question.
variables:
  question: {type: string, description: what is asked}
output:
  parser: tags
  actions: [search, answer]
---
Search with <search>words</search>, or finish:

<answer>the answer</answer>
<confidence>80</confidence>

{{ question }}
"""


def lint(folder: Path, text: str, **options: object) -> list[str]:
    (folder / "p.md").write_text(text)
    found = lint_prompt(folder / "p.md", **options)  # type: ignore[arg-type]
    return [str(finding).removeprefix(f"{folder}/") for finding in found]


def test_a_good_prompt_has_no_findings(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD) == []


def test_a_byte_order_mark_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text(GOOD, encoding="utf-8-sig")
    assert lint_prompt(tmp_path / "p.md") == []


CASES = [
    ("question }}", "question }}  ", "p.md:14:15: warning: spaces at the end of the line [trailing-space]"),
    (
        "  question: {type: string, description: what is asked}",
        "  question: {type: string}",
        "p.md:4:3: warning: variable 'question' has no description; say what stands in it [description]",
    ),
    (
        "Answers one question.",
        "Solver",
        "p.md:2:1: warning: say in a sentence what the prompt is for [description]",
    ),
    (
        "<search>words</search>",
        "<serach>words</serach>",
        "p.md:9:13: warning: <serach> is no tag of the parser, which knows <search>, <answer>, <confidence>, <think>, "
        "<thinking>; did you mean <search>? [unknown-tag]",
    ),
    (
        "<search>words</search>",
        "words",
        "p.md:7:3: warning: the parser waits for <search> (action 'search'), which the body never mentions "
        "[unmentioned-tag]",
    ),
    (
        "output:\n  parser: tags\n  actions: [search, answer]\n",
        "output: {parser: tags, actions: [search, answer, summary]}\n",
        "p.md:5:24: warning: the parser waits for <summary> (action 'summary'), which the body never mentions "
        "[unmentioned-tag]",
    ),
    (
        "parser: tags",
        "parser: blocks",
        "p.md:6:3: warning: the parser waits for a line 'Exact Answer: ...' (action 'answer'), which the body never "
        "mentions [unmentioned-label]",
    ),
    (
        "{{ question }}",
        "{{ question }} {{ answr }}",
        "p.md:14:1: error: the body uses 'answr', which key 'variables' does not declare",
    ),
    ("{{ question }}", "who?", "p.md:4:3: error: key 'variables.question': declared, but the body never uses it"),
    ("description: Answers one question.\n", "", "p.md:2:1: error: the key 'description' is missing [unusable]"),
    ("variables:", "varables:", "p.md:3:1: error: key 'varables': unknown key; expected one of"),
    ("parser: tags", "parser: tag", "p.md:6:3: error: key 'output.parser': Input should be"),
    ("{{ question }}", "{% if question %}", "p.md:14:1: error: template: Unexpected end of template"),
    ("---\ndescription", "description", "p.md:1:1: error: a prompt begins with front matter between two lines '---'"),
]


@pytest.mark.parametrize(("old", "new", "told"), CASES)
def test_a_finding_names_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = lint(tmp_path, GOOD.replace(old, new, 1))
    assert any(line.startswith(told) for line in found), found


def test_every_wrong_key_is_told(tmp_path: Path) -> None:
    found = lint(tmp_path, GOOD.replace("parser: tags", "parsr: tags").replace("type: string", "typ: string"))
    assert [line.split(": error: ")[0] for line in found] == ["p.md:4:14", "p.md:6:3", "p.md:4:3"]
    assert "the key 'type' is missing" in found[2]


def test_long_bodies_are_told(tmp_path: Path) -> None:
    (found,) = lint(tmp_path, GOOD, max_chars=50)
    assert found.startswith("p.md:9:1: warning: the body has") and found.endswith("[long]")


def test_a_variant_needs_no_words(tmp_path: Path) -> None:
    terse = GOOD.replace("<search>words</search>", "x").replace(", description: what is asked", "")
    assert len(lint(tmp_path, terse)) == 2 and lint(tmp_path, terse, variant=True) == []


def test_tags_of_inputs_are_no_business_of_judges(tmp_path: Path) -> None:
    typed = GOOD.replace("  parser: tags\n  actions: [search, answer]\n", "  parser: typed\n")
    assert lint(tmp_path, typed.replace("{{ question }}", "<question>{{ question }}</question>")) == []


def test_a_tag_inside_a_template_expression_is_none(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD.replace("{{ question }}", '{{ question | replace("<b>", "") }}')) == []
