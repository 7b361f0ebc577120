"""From reference answers to nuggets: one list per reference, then the lists joined into one.

`LlmNuggetiser` asks a model, over the judge's own endpoint, slots and retries. `RuleNuggetiser` needs none and says so:
it cuts lists into entries and prose into sentences, and joins what is equal in normal form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import BaseModel, Field

from agents.errors import JudgeError
from agents.judging import TokenUsage
from agents.normal_form import normalise
from agents.structured import StructuredModel
from evals.items import EvalItem, Nugget
from prompts import Prompt, load_prompt

AT_ONCE = 60  # facts to join in one request: a model loses count of hundreds

_ENTRY = re.compile(r"^\s*(?:[-*\N{BULLET}]|\(?\d{1,3}[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
# No ends of sentences.
_SHORT_FORM = re.compile(r"\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|vs|approx|Inc|Corp|Co|Ltd|U\.S|e\.g|i\.e|et al)\.$")


class Nuggetised(NamedTuple):
    """`nuggetiser`: "rule" or the model's name; `prompts`: name -> sha256 of each prompt that was asked with."""

    nuggets: tuple[Nugget, ...]
    nuggetiser: str
    prompts: dict[str, str]
    usage: TokenUsage


class Nuggetiser(Protocol):
    """Raises: JudgeError where no nuggets can be made."""

    async def nuggetise(self, item: EvalItem, *, guidance: str = "") -> Nuggetised: ...


def references_of(item: EvalItem) -> tuple[str, ...]:
    """The distinct, non-blank ones. Raises: JudgeError without any."""
    given = tuple(dict.fromkeys(one.strip() for one in item.references or (item.reference,) if one.strip()))
    if not given:
        raise JudgeError(f"item {item.key!r} has neither nuggets nor a reference to make them from")
    return given


class RuleNuggetiser:
    """Without a model: entries of lists, and sentences; coarser than a model's nuggets. It knows no paraphrase."""

    async def nuggetise(self, item: EvalItem, *, guidance: str = "") -> Nuggetised:
        del guidance  # for models
        pieces = [piece for reference in references_of(item) for piece in split_reference(reference)]
        distinct = {normalise(piece): piece for piece in reversed(pieces) if normalise(piece)}
        if not distinct:
            raise JudgeError(f"item {item.key!r}: its references hold no words")
        return Nuggetised(tuple(Nugget(text=one) for one in reversed(distinct.values())), "rule", {}, TokenUsage())


def split_reference(reference: str) -> list[str]:
    """Entries of lists, whole, and the sentences of other lines; a line that leads to a list is left out."""
    lines = [line for line in reference.splitlines() if line.strip()]
    out: list[str] = []
    for number, line in enumerate(lines):
        entry_follows = number + 1 < len(lines) and _ENTRY.match(lines[number + 1])
        if _ENTRY.match(line):
            out.append(_ENTRY.sub("", line).strip())
        elif not (entry_follows and line.rstrip().endswith(":")):
            out += _sentences(line.strip())
    return out


def _sentences(line: str) -> list[str]:
    out: list[str] = []
    for piece in _SENTENCE_END.split(line):
        if out and _SHORT_FORM.search(out[-1]):
            out[-1] = f"{out[-1]} {piece}"
        else:
            out.append(piece)
    return out


class NuggetList(BaseModel):
    """The facts of the reference, in its order."""

    nuggets: list[str] = Field(min_length=1)


class JoinedNugget(BaseModel):
    text: str
    facts: list[int] = Field(min_length=1, description="numbers of the facts that it stands for, from 1")


class JoinedNuggets(BaseModel):
    """One list without repetitions."""

    nuggets: list[JoinedNugget] = Field(min_length=1)


class LlmNuggetiser:
    """By a model: one request per reference; where there are several, more that join the lists, a few at a time."""

    def __init__(self, model: StructuredModel, *, prompt_path: Sequence[Path] = ()) -> None:
        self.model = model
        names = ("nuggetiser", "nugget_consolidator")
        self.prompts: dict[str, Prompt] = {name: load_prompt(name, path=prompt_path) for name in names}

    async def nuggetise(self, item: EvalItem, *, guidance: str = "") -> Nuggetised:
        """`guidance`: the task's own prompt, added to the general one. Raises: JudgeError."""
        lists: list[list[str]] = []
        usage, used = TokenUsage(), ["nuggetiser"]
        for reference in references_of(item):
            text = self.prompts["nuggetiser"].render(question=item.question, reference=reference, guidance=guidance)
            found, spent = await self.model.ask(text, NuggetList, check=_no_blanks)
            lists.append([nugget.strip() for nugget in found.nuggets])
            usage = usage.plus(spent)
        used += ["nugget_consolidator"] if len(lists) > 1 else []
        while len(lists) > 1:
            count = _few(lists)
            joined, spent = await self._joined(item, [one for each in lists[:count] for one in each], guidance)
            lists, usage = [joined, *lists[count:]], usage.plus(spent)
        hashes = {name: self.prompts[name].sha256 for name in used}
        distinct = dict.fromkeys(lists[0])
        return Nuggetised(tuple(Nugget(text=text) for text in distinct), self.model.name, hashes, usage)

    async def _joined(self, item: EvalItem, facts: list[str], guidance: str) -> tuple[list[str], TokenUsage]:
        prompt = self.prompts["nugget_consolidator"]
        text = prompt.render(question=item.question, nuggets=facts, guidance=guidance)
        found, usage = await self.model.ask(text, JoinedNuggets, check=lambda answer: _all_once(answer, len(facts)))
        return [one.text.strip() for one in found.nuggets], usage


def _few(lists: Sequence[Sequence[str]]) -> int:
    """How many of the first lists are joined at once: two at least, and no more than hold `AT_ONCE` facts together."""
    sizes = accumulate(map(len, lists))
    return max(2, sum(size <= AT_ONCE for size in sizes))


def _no_blanks(answer: NuggetList) -> str:
    return "" if all(nugget.strip() for nugget in answer.nuggets) else "a fact is blank; leave it out or write it"


def _all_once(answer: JoinedNuggets, count: int) -> str:
    """What was lost, used twice or invented."""
    if not all(one.text.strip() for one in answer.nuggets):
        return "an entry is blank; write it"
    used = [number for one in answer.nuggets for number in one.facts]
    wrong = sorted(set(range(1, count + 1)) ^ set(used)) or sorted({one for one in used if used.count(one) > 1})
    return f"use every number from 1 to {count} exactly once; wrong: {wrong[:10]}" if wrong else ""
