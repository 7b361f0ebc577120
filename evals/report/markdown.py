"""A report as Markdown (GitHub's), which anybody can diff. Figures are their tables; no model text is left to act."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evals.report.blocks import Block, Bullets, Cell, Code, Figure, Heading, Link, Paragraph, Table
from evals.report.compose import compose
from evals.report.joined import Joined
from evals.report.sections.comparisons import telling
from evals.report.sections.opening import title

_SPECIAL = re.compile(r"[\\*|~$]|\](?=[(\[:])|(?<!\w)_|_(?!\w)")
# Other back quotes are written as entities, so that these are the only ones that open and close code.
_CODE = re.compile(r"((?<!`)`[^`<>&]+`(?!`))")


def markdown_report(joined: Joined) -> str:
    """Ends with a line end."""
    return render([Heading(title(joined), level=1), *compose(joined), *telling(joined)])


def render(blocks: Sequence[Block]) -> str:
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def escaped(text: str) -> str:
    """One line that shows as it is: no markup, no HTML. Commands in back quotes stay code."""
    line = " ".join(text.split())
    parts = _CODE.split(line)
    return "".join(_quoted(part) if number % 2 else _plain(part) for number, part in enumerate(parts))


def _quoted(part: str) -> str:
    # A table's bar ends a cell in code, too.
    return part.replace("|", "\\|")


def _plain(part: str) -> str:
    safe = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "&#96;")
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", safe)


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {escaped(block.text)}"
    if isinstance(block, Paragraph):
        return escaped(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {escaped(item)}" for item in block.items)
    if isinstance(block, Figure):
        return f"{escaped(block.description)}\n\n{_table(block.table)}"
    return _table(block)


def _table(table: Table) -> str:
    aligned = ["---", *(["---"] if table.words else ["---:"]) * (len(table.header) - 1)]
    lines = [
        f"**{escaped(table.caption)}**",
        "",
        f"| {' | '.join(map(escaped, table.header))} |",
        f"|{'|'.join(aligned)}|",
        *(f"| {' | '.join(map(_cell, row))} |" for row in table.rows),
    ]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Link):
        return f"[{escaped(cell.text)}]({_url(cell.url)})"
    if isinstance(cell, Code):
        return f"`{cell.text}`"
    return escaped(cell)


def _url(url: str) -> str:
    """Nothing that ends the link, or the cell."""
    return re.sub(r"[\s()<>|\\]", lambda found: f"%{ord(found[0]):02X}", url)
