"""Text of one sampled turn -> what it asks for. Survives reasoning blocks, code fences, extra prose, unclosed tags."""

from __future__ import annotations

import re
from functools import lru_cache

from prompts.output import (
    Action,
    CandidateFormat,
    CandidateSet,
    FinalAnswer,
    OutputSpec,
    Parsed,
    ParsedCandidate,
    ParseFailure,
    SearchCall,
    Summary,
)

_CLOSED_REASONING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_REASONING_END = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
_REASONING_OPEN = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[\w-]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_CITATION = re.compile(r"\[(\d+(?:\s*[,;]\s*\d+)*)\]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TAG_OF: dict[Action, str] = {"search": "search", "answer": "answer", "summary": "summary"}


def parse(text: str, spec: OutputSpec) -> Parsed | ParseFailure:
    """The last action of the turn that `spec` allows; a ParseFailure (never an exception) when there is none.

    Text inside a reasoning block counts only when the block was never closed and nothing stands outside it.
    """
    visible = without_reasoning(text)
    found = _last_action(visible, spec)
    if found is None and visible != text and "</think" not in text:
        found = _last_action(text, spec)
    if found is None and spec.bare_summary and visible.strip():
        return Summary(_clean(visible))
    return found or ParseFailure(_expectation(spec), text)


def without_reasoning(text: str) -> str:
    """`text` less its <think> blocks; a chat template may have opened the first one in the prompt."""
    if "<think" not in text and "</think" not in text:
        return text
    return _REASONING_OPEN.sub("", _REASONING_END.sub("", _CLOSED_REASONING.sub("", text)))


def citations(text: str) -> tuple[int, ...]:
    """Numbers cited as [n] or [n, m], in order of first mention."""
    numbers = (int(n) for match in _CITATION.finditer(text) for n in re.split(r"\s*[,;]\s*", match[1]))
    return tuple(dict.fromkeys(numbers))


def _last_action(text: str, spec: OutputSpec) -> Parsed | None:
    tags = {_tag(action, spec.candidate): action for action in spec.actions}
    opened = [match for match in _openings(tuple(tags)).finditer(text) if _content(text, match, tuple(tags))]
    if not opened:
        return None
    last = opened[-1]
    content = _content(text, last, tuple(tags))
    match tags[last[1]]:
        case "search":
            return SearchCall(content)
        case "summary":
            return Summary(content)
        case "candidates":
            return CandidateSet(tuple(_candidates(text, spec.candidate)))
        case "answer":
            return _final_answer(text, last, content)


def _tag(action: Action, candidate: CandidateFormat) -> str:
    return candidate.container if action == "candidates" else _TAG_OF[action]


@lru_cache(maxsize=64)
def _openings(tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"<({'|'.join(tags)})>") if tags else re.compile(r"(?!)")


@lru_cache(maxsize=64)
def _end(tag: str, tags: tuple[str, ...]) -> re.Pattern[str]:
    # An unclosed tag ends where the next action begins.
    return re.compile(rf"</{tag}>|<(?:{'|'.join(tags)})>")


def _content(text: str, opening: re.Match[str], tags: tuple[str, ...]) -> str:
    end = _end(opening[1], tags).search(text, opening.end())
    return _clean(text[opening.end() : end.start() if end else len(text)])


def _clean(text: str) -> str:
    fenced = _FENCE.match(text)
    return (fenced[1] if fenced else text).strip()


def _inner(text: str, tag: str) -> list[str]:
    """Contents of every `tag` in `text`; an unclosed one ends at the next tag of any name."""
    return [_clean(match[1]) for match in re.finditer(rf"<{tag}>(.*?)(?=</{tag}>|<[a-z]+>|\Z)", text, re.DOTALL)]


def _final_answer(text: str, opening: re.Match[str], content: str) -> FinalAnswer:
    answer = _clean(re.split(r"<confidence>", content)[0])
    bare = re.sub(r"\s+([.,;:])", r"\1", _CITATION.sub("", answer)).strip()
    percents = [_NUMBER.search(value) for value in _inner(text, "confidence")]
    percent = next((float(number[0]) for number in reversed(percents) if number), None)
    return FinalAnswer(
        text=bare or answer,
        explanation=text[: opening.start()].strip(),
        confidence=None if percent is None else min(percent, 100.0) / 100.0,
        citations=citations(text),
    )


def _candidates(text: str, form: CandidateFormat) -> list[ParsedCandidate]:
    starts = [match.start() for match in re.finditer(rf"<{form.container}>", text)]
    ends = [*starts[1:], len(text)]
    blocks = [text[start:end].split("</candidate>")[0] for start, end in zip(starts, ends, strict=True)]
    return [_candidate(block.strip(), form) for block in blocks]


def _candidate(block: str, form: CandidateFormat) -> ParsedCandidate:
    question = next(iter(_inner(block, "question")), "")
    answer = next(iter(_inner(block, "answer")), "")
    answer = _CITATION.sub("", answer).strip()
    pieces = answer.split(form.separator) if form.nuggets == "split" else _inner(block, "nugget")
    nuggets = tuple(filter(None, (_CITATION.sub("", piece).strip() for piece in pieces)))
    missing = [name for name, value in (("question", question), ("answer", answer)) if not value]
    problem = f"no <{missing[0]}> in the candidate" if missing else None
    return ParsedCandidate(question, answer, nuggets or ((answer,) if answer else ()), citations(block), block, problem)


def _expectation(spec: OutputSpec) -> str:
    tags = [f"<{_tag(action, spec.candidate)}>" for action in spec.actions]
    return f"no {' or '.join(tags)} with text in it was found in the turn"
