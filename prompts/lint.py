"""What is wrong with a prompt file (error: it can't be used), what is likely wrong (warning), each with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from prompts.loader import Prompt, read_prompt
from prompts.output import Action
from prompts.parsers.blocks import has_blocks
from prompts.parsers.tags import tags_of
from prompts.yaml_text import read_text, read_yaml
from store.errors import UsageError

MAX_CHARS = 6_000
# A word in angle brackets, attributes and all; neither autolinks nor comparisons.
_TAG = re.compile(r"</?([A-Za-z][\w-]*)(?:\s[^<>\n]*)?>")
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_PLACE = re.compile(r"^(?P<path>.*?):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<message>.*)$", re.DOTALL)
# Tags that the parser reads beside the one of the action.
_BESIDE: dict[Action, tuple[str, ...]] = {
    "answer": ("confidence",),
    "candidates": ("candidate", "question", "answer", "nugget"),
}
_REASONING = ("think", "thinking")
Level = Literal["error", "warning"]


class Finding(NamedTuple):
    """`rule` names the check, so that people can talk about it."""

    path: Path
    line: int
    column: int
    level: Level
    rule: str
    message: str

    @classmethod
    def of(cls, problem: Exception, *, file: Path, level: Level = "error", rule: str = "") -> Finding:
        """From an error that says `file:line:column: message`, or as much of that as it knows."""
        message = str(problem)
        placed = _PLACE.match(message)
        if placed is None:
            return cls(file, 1, 1, level, rule, message.removeprefix(f"{file}: "))
        line, column = int(placed["line"]), int(placed["column"] or 1)
        return cls(Path(placed["path"]), line, column, level, rule, placed["message"])

    def __str__(self) -> str:
        rule = f" [{self.rule}]" if self.rule else ""
        return f"{self.path}:{self.line}:{self.column}: {self.level}: {self.message}{rule}"


def lint_prompt(path: Path, *, variant: bool = False, max_chars: int = MAX_CHARS) -> list[Finding]:
    """Everything found in one file, in the order of its lines.

    `variant`: the file is a variant of another prompt. It was written for one policy, which may know its format and its
    variables from training: they need no words.
    """
    try:
        text = read_text(path)
        prompt = read_prompt(path, name=path.stem)
    except UsageError as exc:
        return [Finding.of(problem, file=path, rule="unusable") for problem in (exc, *exc.others)]
    checks = [_spaces(path, text), _empty(prompt, text), _length(prompt, text, max_chars)]
    if not variant:
        checks += [_descriptions(prompt, text), _unknown_tags(prompt, text), _unmentioned(prompt, text)]
    return sorted((finding for check in checks for finding in check), key=lambda finding: finding[1:3])


def _spaces(path: Path, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        kept = len(line.rstrip())
        if kept < len(line):
            yield Finding(path, number, kept + 1, "warning", "trailing-space", "spaces at the end of the line")


def _empty(prompt: Prompt, text: str) -> Iterator[Finding]:
    if not prompt.text.strip():
        message = "nothing stands below the front matter: the policy is told nothing"
        yield Finding(prompt.path, _body_line(text), 1, "warning", "empty", message)


def _length(prompt: Prompt, text: str, most: int) -> Iterator[Finding]:
    if len(prompt.text) > most:
        message = f"the body has {len(prompt.text):,} characters, more than {most:,}: every turn pays for them"
        yield Finding(prompt.path, _body_line(text), 1, "warning", "long", message)


def _descriptions(prompt: Prompt, text: str) -> Iterator[Finding]:
    if len(prompt.front.description.split()) < 2:
        line = _line_with(text, "description:")
        yield Finding(prompt.path, line, 1, "warning", "description", "say in a sentence what the prompt is for")
    for name, variable in prompt.variables.items():
        if not variable.description:
            message = f"variable '{name}' has no description; say what stands in it"
            yield Finding(prompt.path, _line_with(text, f"  {name}:"), 3, "warning", "description", message)


def _unknown_tags(prompt: Prompt, text: str) -> Iterator[Finding]:
    if prompt.output.parser != "tags":
        return
    known = _tags(prompt)
    told: set[str] = set()
    for number, line in enumerate(_without_jinja(text).splitlines()[_body_line(text) - 1 :], _body_line(text)):
        for match in _TAG.finditer(line):
            if match[1] not in known and match[1] not in told:
                told.add(match[1])
                message = (
                    f"<{match[1]}> is no tag of the parser, which knows {_listed(known)}{_closest(match[1], known)}"
                )
                yield Finding(prompt.path, number, match.start() + 1, "warning", "unknown-tag", message)


def _unmentioned(prompt: Prompt, text: str) -> Iterator[Finding]:
    """An action that the parser looks for and the policy is never told of."""
    mentioned = {match[1] for match in _TAG.finditer(_without_jinja(prompt.text))}
    for tag, action in tags_of(prompt.output).items() if prompt.output.parser == "tags" else ():
        if tag not in mentioned and not (action == "summary" and prompt.output.bare_summary):
            message = f"the parser waits for <{tag}> (action '{action}'), which the body never mentions"
            yield Finding(prompt.path, *_place_of(text, "actions"), "warning", "unmentioned-tag", message)
    if prompt.output.parser == "blocks" and "answer" in prompt.output.actions and not has_blocks(prompt.text):
        message = "the parser waits for a line 'Exact Answer: ...' (action 'answer'), which the body never mentions"
        yield Finding(prompt.path, *_place_of(text, "parser"), "warning", "unmentioned-label", message)


def _tags(prompt: Prompt) -> tuple[str, ...]:
    named = [name for tag, action in tags_of(prompt.output).items() for name in (tag, *_BESIDE.get(action, ()))]
    return tuple(dict.fromkeys([*named, *_REASONING]))


def _without_jinja(text: str) -> str:
    """Lines stay lines."""
    return _JINJA.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _body_line(text: str) -> int:
    head = text.find("\n---", 3)
    return text[: head + 4].count("\n") + 2


def _place_of(text: str, key: str) -> tuple[int, int]:
    """Line and column, both from 1, of a key of `output`, in block or flow form; of `output` where it is a default."""
    head = "\n".join(text.splitlines()[1 : _body_line(text) - 2])
    document = read_yaml(head, source="", first_line=2)
    return document.mark(("output", key))


def _line_with(text: str, start: str) -> int:
    numbers = (number for number, line in enumerate(text.splitlines(), 1) if line.lstrip().startswith(start.lstrip()))
    return next(numbers, 1)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"<{name}>" for name in names)


def _closest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean <{near[0]}>?" if near else ""
