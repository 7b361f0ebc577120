"""Text of one sampled turn -> what it asks for. Survives reasoning blocks, code fences, extra prose, unclosed tags.

One parser a file. Each finds the last answer, summary or set of candidates; tool calls are found beside it in the
format of the model, and what was written last counts: an answer alone, or all calls of the turn.
"""

from __future__ import annotations

from prompts.output import CallFormatName, FinalAnswer, OutputSpec, Parsed, ParseFailure, Summary, ToolCalls
from prompts.parsers.blocks import find_blocks, has_blocks
from prompts.parsers.found import Found
from prompts.parsers.json_object import find_json, keys_of
from prompts.parsers.tags import find_tags, tags_of
from prompts.parsers.text import citations, clean, without_citations, without_reasoning
from prompts.tool_calls import FORMATS, Located, astray, find_calls


def parse(text: str, spec: OutputSpec, *, calls: CallFormatName | str = "auto") -> Parsed | ParseFailure:
    """The last action of the turn that `spec` allows; a ParseFailure (never an exception) when there is none.

    `calls` is the format meant by `calls: auto`; where that is `auto` too, the text shows it. Text inside a reasoning
    block counts only when the block was never closed and nothing stands outside it.
    """
    form = calls if spec.calls == "auto" else spec.calls
    visible = without_reasoning(text)
    found = _last(visible, spec, form)
    if found is None and visible != text and "</think" not in text:
        found = _last(text, spec, form)
    if found is None and form not in ("none", "tags") and astray(visible):
        return ParseFailure(_out_of_form(form), text)
    return found or _bare(visible, spec) or ParseFailure(_expectation(spec), text)


def _last(text: str, spec: OutputSpec, form: str) -> Parsed | None:
    located = [] if form == "none" else find_calls(form, text)
    said = _said(_blanked(text, located), spec)
    if located and (said is None or said.start < located[-1].start):
        return ToolCalls(tuple(one.call for one in located))
    return said.parsed if said else None


def _blanked(text: str, located: list[Located]) -> str:
    """Calls replaced by as many spaces: what stands in their arguments is no answer, and places stay the same."""
    for one in located:
        text = text[: one.start] + " " * (one.end - one.start) + text[one.end :]
    return text


def _said(text: str, spec: OutputSpec) -> Found | None:
    match spec.parser:
        case "json":
            return find_json(text, spec)
        case "blocks":
            # Searches, summaries and candidates are tags here too: the labels are for answers.
            return _later(find_blocks(text) if "answer" in spec.actions else None, find_tags(text, spec))
        case "tool_calls":
            return find_blocks(text) if has_blocks(text) else find_tags(text, spec)
        case _:
            return find_tags(text, spec)


def _later(first: Found | None, second: Found | None) -> Found | None:
    given = [found for found in (first, second) if found]
    return max(given, key=lambda found: found.start) if given else None


def _bare(text: str, spec: OutputSpec) -> Parsed | None:
    """A turn without any mark, where the prompt lets it be the action as a whole."""
    text = clean(text)
    if text and spec.parser == "tool_calls" and "answer" in spec.actions:
        return FinalAnswer(text=without_citations(text) or text, citations=citations(text))
    return Summary(text) if text and spec.bare_summary else None


def _out_of_form(form: str) -> str:
    marks = FORMATS[form].marks if form in FORMATS else ()  # type: ignore[index]
    return f"a tool call {f'does not begin with {marks[0]}' if marks else 'is in a form that is not read here'}"


def _expectation(spec: OutputSpec) -> str:
    wanted = {
        "json": [f'JSON object with the key "{key}"' for key in keys_of(spec)],
        "blocks": ["line 'Exact Answer: ...'" if action == "answer" else f"<{action}>" for action in spec.actions],
        "tool_calls": ["answer"],
    }.get(spec.parser, [f"<{tag}>" for tag in tags_of(spec)])
    if spec.calls not in ("none", "tags"):
        wanted = ["tool call", *wanted]
    filled = " with text in it" if spec.parser == "tags" else ""
    return f"no {' or '.join(wanted)}{filled} was found in the turn"


__all__ = ["citations", "parse", "without_reasoning"]
