"""Names of Wikipedia pages: one page has several addresses and spellings."""

from __future__ import annotations

import re
from urllib.parse import unquote

_ADDRESS = re.compile(r"^https?://[^/]*wikipedia\.org/(?:wiki/([^?#]+)|wiki\?curid=(\d+)|\?curid=(\d+))")


def page_name(text: str) -> str:
    """The page's title of an address or a title, in one spelling; `curid=N` of an address by number; "" of neither.

    The first letter of a title counts as a capital, as on Wikipedia.
    """
    match = _ADDRESS.match(text.strip())
    if match and not match[1]:
        return f"curid={match[2] or match[3]}"
    name = unquote(match[1]) if match else text
    name = " ".join(name.replace("_", " ").split())
    if not match and "://" in name:
        return ""
    return name[:1].upper() + name[1:]
