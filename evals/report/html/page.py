"""Blocks and questions to one page, through templates that escape whatever is put into them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from evals.report.compose import compose
from evals.report.html.browser import entries
from evals.report.joined import Joined
from evals.report.sections.opening import title
from evals.report.text import words
from evals.report.traces import Trace

FOLDER = Path(__file__).parent
_QUOTED = re.compile(r"`([^`\n]*)`")
_NOT_A_WORD = re.compile(r"\W+")


def html_report(joined: Joined, *, traces: Mapping[str, Trace] | None = None) -> str:
    """`traces`: rollout key -> trace, of those to embed."""
    held = traces or {}
    questions = entries(joined, held)
    return _render(
        title=title(joined),
        blocks=compose(joined),
        entries=questions,
        labels=[column.label for column in joined.columns],
        tasks={task: joined.title(task) for task in joined.tasks},
        splits=list(dict.fromkeys((one.question.task, one.question.split) for one in questions)),
        traces=len(held),
    )


def _render(**values: Any) -> str:
    script = Markup((FOLDER / "script.js.jinja").read_text(encoding="utf-8"))
    style = Markup((FOLDER / "style.css.jinja").read_text(encoding="utf-8"))
    return _environment().get_template("page.html.jinja").render(script=script, style=style, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"inline": _inline, "slug": _slug, "words": words, "kind": _kind, "hashed": _hashed}
    return environment


def _inline(text: str) -> Markup:
    """Back quotes are code; the rest is escaped."""
    return Markup(_QUOTED.sub(lambda found: f"<code>{found[1]}</code>", str(escape(text))))


def _hashed(text: str) -> Markup:
    """As a content security policy names what a browser may run: this very text, and nothing that got in beside it."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")


def _slug(text: str) -> str:
    return _NOT_A_WORD.sub("-", text.lower()).strip("-")


def _kind(block: object) -> str:
    return type(block).__name__.lower()
