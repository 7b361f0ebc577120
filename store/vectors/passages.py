"""What is embedded of a chunk: passages short enough for the model, each under the chunk's title and headings."""

from __future__ import annotations

import re

from store.chunking.split import merged, sections, split_text
from store.vectors.base import IndexEntry

PASSAGE_CHARS = 1000  # about 230 word pieces of English: small embedders read 256
# An amount with its signs; a year stays: it tells one statement from another.
_AMOUNT = re.compile(
    r"(?!(?:19|20)\d\d$)[$\u20ac\u00a3\u00a5(+\-\u2013\u2014]*\d[\d.,]*[)%]*|[$\u20ac\u00a3\u00a5|%()\-\u2013\u2014]+"
)


def passages(entry: IndexEntry) -> list[str]:
    """At least one; the title leads every passage, since the pages of a filing rarely name the company."""
    headings = str(entry.metadata.get("headings", ""))
    lead = "\n".join(line for line in (entry.title, headings) if line)
    found: list[str] = []
    for part in merged(sections(words(entry.text)), max_chars=PASSAGE_CHARS):
        for number, piece in enumerate(split_text(part.text, max_chars=PASSAGE_CHARS)):
            # The first piece starts with its heading already.
            above = part.headings[-1:] if number else ()
            found.append("\n".join((lead, *above, piece)).strip())
    return found or [lead]


def words(text: str) -> str:
    """The text without the amounts of its tables: to a sentence embedder they are noise, and they crowd out labels."""
    return "\n".join(_row_words(line) for line in text.splitlines())


def _row_words(line: str) -> str:
    found = line.split()
    kept = [word for word in found if not _AMOUNT.fullmatch(word)]
    amounts = len(found) - len(kept)
    is_row = amounts >= 2 and (3 * amounts >= len(found) or not {*found[-2:]} & {*kept})
    return " ".join(kept if is_row else found)


def lexical_text(entry: IndexEntry) -> str:
    """What BM25 sees."""
    headings = str(entry.metadata.get("headings", ""))
    return f"{entry.title}\n{headings}\n{entry.text}" if headings else f"{entry.title}\n{entry.text}"
