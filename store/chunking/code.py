"""Source text by its definitions: a function or class of the outermost level starts a section."""

from __future__ import annotations

import re
from itertools import pairwise

from store.chunking.split import Section

# At the start of a line, in Python, JavaScript, TypeScript, Go, Rust, Java, C, C++, C#, Kotlin, Swift, Ruby, PHP, SQL.
_DEFINITION = re.compile(
    r"^(?:(?:export|default|public|private|protected|static|abstract|final|async|pub(?:\([\w:]+\))?|unsafe|inline|"
    r"open|data|sealed|internal|override|extern)\s+)*"
    r"(?:class|interface|trait|struct|enum|union|impl|module|namespace|object|protocol|extension|record|"
    r"def|function\*?|func|fn|fun|sub|create\s+(?:or\s+replace\s+)?(?:table|view|function|procedure))\b"
    r"[^\w(<{]*(?P<name>[\w.$]*(?:::\w+)*)",
    re.IGNORECASE,
)
# C's and Java's functions have no keyword: a type, a name, an argument list, and a brace.
_C_FUNCTION = re.compile(r"^[A-Za-z_][\w\s*&:<>,\[\]]*?\b(?P<name>[\w:~]+)\s*\([^;{}]*\)\s*(?:const\s*)?\{\s*$")
LONGEST = 500  # characters of a line that defines something: a search through a longer one could take seconds
_LEADS = ("@", "#[", "//", "///", "/*", " *", "*/", "#", "--")  # decorators and comments belong to what follows


def code_sections(text: str) -> list[Section]:
    """What stands before the first definition is a section without a heading."""
    lines = text.splitlines()
    starts = {_with_leads(lines, at): name for at, line in enumerate(lines) if (name := _defined(line))}
    edges = sorted({0, *starts, len(lines)})
    found = [
        Section((starts[start],) if start in starts else (), "\n".join(lines[start:end]).strip("\n"))
        for start, end in pairwise(edges)
    ]
    return [section for section in found if section.text.strip()]


def _defined(line: str) -> str:
    if len(line) > LONGEST:
        return ""
    found = _DEFINITION.match(line) or _C_FUNCTION.match(line)
    return (found["name"] or line.strip().rstrip("{: ")) if found else ""


def _with_leads(lines: list[str], at: int) -> int:
    while at > 0 and lines[at - 1].startswith(_LEADS):
        at -= 1
    return at
