"""A report of evaluations as a file of the working folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from store.errors import UsageError

Form = Literal["html", "md"]
FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
NAME_CHARS = 80


def export_report(documents: Sequence[Path], *, folder: Path, form: Form) -> Path:
    """Write the report of the documents, side by side; no file that is there is touched. Returns what was written.

    Raises: UsageError for a document or a folder that does not do.
    """
    from evals.report.document import read_document
    from evals.report.html.page import html_report
    from evals.report.joined import join
    from evals.report.markdown import markdown_report

    held = [read_document(path) for path in documents]
    joined = join(held)
    text = html_report(joined) if form == "html" else markdown_report(joined)
    others = f"-and-{len(held) - 1}" if len(held) > 1 else ""
    stem = FOREIGN.sub("-", held[0].name)[:NAME_CHARS].strip(".-") or "evaluation"
    return next(path for path in _names(folder, f"{stem}{others}", form) if _written(path, text))


def _written(path: Path, text: str) -> bool:
    """False: there is such a file."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as exc:
        raise UsageError(f"{path}: cannot write the report: {exc.strerror}") from exc
    return True


def _names(folder: Path, stem: str, form: Form) -> Iterator[Path]:
    """Without end."""
    yield folder / f"{stem}.{form}"
    yield from (folder / f"{stem}-{number}.{form}" for number in count(2))
