"""Prompt files: shadowing, strict rendering, and one test per error message."""

import hashlib
from pathlib import Path

import pytest

from prompts import load_prompt
from prompts.loader import BUILT_IN, read_prompt
from store.errors import UsageError

GOOD = "---\ndescription: d\nvariables:\n  question: {type: string}\n---\nAsk: {{ question }}\n"
SHOWN = [
    {"n": 1, "title": "T", "text": "a b", "key": "k", "page": None, "seen": False, "headings": ()},
    {"n": 2, "title": "U", "text": "c", "key": "k", "page": 3, "seen": False, "headings": ()},
]
NAMES = [
    "solver",
    "generator",
    "compressor",
    "aggregator",
    "duplicate_judge",
    "quality_filter",
    "nugget_judge",
    "search_result",
    "last_call",
]


def write(folder: Path, text: str, name: str = "solver") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variant", ["", "tiny"])
def test_every_built_in_prompt_loads(name: str, variant: str) -> None:
    prompt = load_prompt(name, variant=variant)
    assert len(prompt.sha256) == 64 and prompt.front.description


def test_tiny_texts_are_exactly_what_the_embedded_policy_was_trained_on() -> None:
    def tiny(name: str, **values: object) -> str:
        return load_prompt(name, variant="tiny").render(**values)

    assert tiny("solver", question="who leads falcon?", summary="") == "answer: who leads falcon?"
    assert tiny("solver", question="who?", summary="[1] a") == "answer: who? so far: [1] a"
    assert tiny("generator", seeds="[1] a b\n[2] c", summary="") == "ask about: [1] a b\n[2] c"
    assert tiny("compressor") == "summarise"
    assert tiny("last_call") == "answer now"
    answers = [{"text": "oslo"}, {"text": "lima"}]
    assert tiny("aggregator", question="where?", answers=answers, summary="") == "combine: where?\n- oslo\n- lima"
    assert tiny("search_result", hits=SHOWN) == "[1] a b\n[2] c"
    assert tiny("search_result", hits=[]) == "no results"


def test_full_search_result_has_titles_and_pages() -> None:
    assert load_prompt("search_result").render(hits=SHOWN) == "[1] T\na b\n\n[2] U, page 3\nc"


def test_variant_falls_back_and_user_folder_shadows(tmp_path: Path) -> None:
    assert load_prompt("nugget_judge", variant="tiny").variant == ""
    mine = load_prompt("solver", path=[write(tmp_path, GOOD)])
    assert mine.render(question="x") == "Ask: x"
    assert load_prompt("solver", variant="tiny", path=[tmp_path]).variant == "tiny"


def test_sha256_covers_front_matter_and_body(tmp_path: Path) -> None:
    first = load_prompt("solver", path=[write(tmp_path / "a", GOOD)])
    body = load_prompt("solver", path=[write(tmp_path / "b", GOOD.replace("Ask", "Tell"))])
    front = load_prompt("solver", path=[write(tmp_path / "c", GOOD.replace("description: d", "description: e"))])
    windows = load_prompt("solver", path=[write(tmp_path / "d", GOOD.replace("\n", "\r\n"))])
    assert len({first.sha256, body.sha256, front.sha256}) == 3
    assert windows.sha256 == first.sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", r"solver\.md:1: a prompt begins with front matter"),
        (GOOD.replace("variables:", "variabels:"), r"solver\.md:3:1: key 'variabels': unknown key.*mean 'variables'"),
        (
            GOOD.replace("type: string", "type: strng"),
            r"solver\.md:4:14: key 'variables\.question\.type':.*mean 'string'",
        ),
        (GOOD.replace("description: d\n", ""), r"solver\.md:2:1: the key 'description' is missing"),
        (GOOD.replace("description: d", "description: ["), r"solver\.md:\d+:\d+: not valid YAML"),
        (
            GOOD.replace("description: d", "description: d\ndescription: e"),
            r"solver\.md:3:1: key 'description': given twice",
        ),
        (GOOD.replace("{{ question }}", "{{ qestion }}"), r"solver\.md:6: the body uses 'qestion'.*mean 'question'"),
        (
            GOOD.replace("{{ question }}", "x"),
            r"solver\.md:4:3: key 'variables\.question': declared, but the body never",
        ),
        (GOOD.replace("{{ question }}", "{% if %}"), r"solver\.md:6: template: "),
    ],
)
def test_broken_prompt_names_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_prompt("solver", path=[write(tmp_path, text)])


def test_unknown_prompt_names_the_closest() -> None:
    with pytest.raises(UsageError, match=r"no prompt named 'solvr'.*did you mean 'solver'"):
        load_prompt("solvr")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"question": "x"}, "no value for the variable 'summary'"),
        ({"question": "x", "summary": "", "sumary": ""}, "unknown variable 'sumary'.*did you mean 'summary'"),
        ({"question": 3, "summary": ""}, "variable 'question': expected string, got int"),
    ],
)
def test_rendering_is_strict(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_prompt("solver", variant="tiny").render(**values)


def test_sandbox_refuses_to_leave_the_template(tmp_path: Path) -> None:
    evil = GOOD.replace("{{ question }}", "{{ question.__class__.__mro__ }}")
    with pytest.raises(UsageError, match=r"solver\.md:6: template: '\.__mro__' is out of reach"):
        load_prompt("solver", path=[write(tmp_path, evil)])
    evil = GOOD.replace("{{ question }}", "{{ question | attr('__class__') }}")
    with pytest.raises(UsageError, match="can't be rendered"):
        load_prompt("solver", path=[write(tmp_path, evil)]).render(question="x")


def test_everything_that_the_embedded_policy_reads_is_byte_for_byte_what_it_was_trained_on() -> None:
    """Change a tiny prompt and the shipped policy has to be made again: only then may this figure change."""
    values = {
        "question": "who leads falcon?",
        "summary": "[1] a",
        "seeds": "[1] a b\n[2] c",
        "answers": [{"text": "oslo"}, {"text": "lima"}],
        "hits": SHOWN,
        "reason": "no <search> was found",
        "tokens": 96,
    }
    digest = hashlib.sha256()
    for path in sorted((BUILT_IN / "tiny").glob("*.md")):
        prompt = load_prompt(path.stem, variant="tiny")
        for given in (values, {**values, "summary": "", "hits": [], "answers": []}):
            digest.update(prompt.render(**{name: given[name] for name in prompt.variables}).encode() + b"\0")
    assert digest.hexdigest() == "2d187859e0f46572ef9b02170ac3fbb04bbe73340b8e3da7105ba5943282dfc2"


def test_a_byte_order_mark_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    plain = load_prompt("solver", path=[write(tmp_path / "plain", GOOD)])
    (tmp_path / "solver.md").write_text(GOOD, encoding="utf-8-sig")
    marked = load_prompt("solver", path=[tmp_path])
    assert (marked.sha256, marked.text) == (plain.sha256, plain.text)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("---\ndescription: d\nAsk.\n", ["1: the front matter that begins here has no end; put a line '---' under it"]),
        ("\n---\ndescription: d\n---\nAsk.\n", ["1: the first line has to be '---' alone"]),
        (GOOD.replace("{{ question }}", "{{ one }} {{ two }}"), [
            "6: the body uses 'one'", "6: the body uses 'two'",
        ]),
        (GOOD.replace("question", "my-question"), [
            "4:3: key 'variables.my-question': a variable's name is letters, digits and _; call it 'my_question'",
        ]),
        (GOOD.replace("{{ question }}", '{{ question }}{% include "x" %}'), ["6: template: a prompt stands alone"]),
        (GOOD.replace("{type: string}", "string"), ["4:3: key 'variables.question': expected keys and values, found"]),
    ],
)  # fmt: skip
def test_every_problem_of_its_sort_is_told(tmp_path: Path, text: str, messages: list[str]) -> None:
    file = tmp_path / "solver.md"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read_prompt(file, name="solver")
    told = [str(raised.value), *map(str, raised.value.others)]
    assert len(told) == len(messages)
    for found, message in zip(told, messages, strict=True):
        assert found.startswith(f"{file}:{message}")
