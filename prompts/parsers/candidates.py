"""A generator's question-answer pairs, out of tags."""

from __future__ import annotations

import re

from prompts.output import CandidateFormat, ParsedCandidate
from prompts.parsers.text import ATTRIBUTES, citations, drop_citations, inner


def candidates_in(text: str, form: CandidateFormat) -> list[ParsedCandidate]:
    """Every pair in `text`, malformed ones with their `problem`."""
    starts = [match.start() for match in re.finditer(rf"<{form.container}{ATTRIBUTES}>", text, re.IGNORECASE)]
    ends = [*starts[1:], len(text)]
    blocks = [
        re.split("</candidate>", text[start:end], flags=re.IGNORECASE)[0]
        for start, end in zip(starts, ends, strict=True)
    ]
    return [_candidate(block.strip(), form) for block in blocks]


def _candidate(block: str, form: CandidateFormat) -> ParsedCandidate:
    question = next(iter(inner(block, "question")), "")
    answer = drop_citations(next(iter(inner(block, "answer")), ""))
    pieces = answer.split(form.separator) if form.nuggets == "split" else inner(block, "nugget")
    nuggets = [drop_citations(piece) for piece in pieces]
    return make_candidate(question, answer, nuggets, block)


def make_candidate(question: str, answer: str, nuggets: list[str], text: str) -> ParsedCandidate:
    """A pair with what is wrong with it; an answer without nuggets is its own nugget."""
    missing = [name for name, value in (("question", question), ("answer", answer)) if not value]
    problem = f"no <{missing[0]}> in the candidate" if missing else None
    kept = tuple(filter(None, nuggets)) or ((answer,) if answer else ())
    return ParsedCandidate(question, answer, kept, citations(text), text, problem)
