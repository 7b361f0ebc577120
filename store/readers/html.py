"""HTML: the main text with its headings, without navigation, scripts and boilerplate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from store.readers.base import ReadChunk, ReadDocument, ReadError, clean, read_bytes, title_of_path
from store.readers.decoding import decode_html
from store.readers.html_elements import HEADINGS, children
from store.readers.html_noise import noise
from store.readers.properties import plain_properties

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

BLOCKS = frozenset(
    ["p", "div", "section", "article", "main", "li", "ul", "ol", "tr", "table", "blockquote", "dt", "dd", "br", "hr"]
)
META = {
    "author": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "date",
    "article:published_time": "date",
}
SOFT_HYPHEN = "\u00ad"  # where a word may be broken: it is one word
# Line breaks and blanks of <pre>, kept out of the way while all other white space is folded.
_PROTECT = str.maketrans({"\n": "\x01", " ": "\x02", "\t": "\x03", "\0": None})
_UNPROTECT = str.maketrans({"\x01": "\n", "\x02": " ", "\x03": "\t"})
_SPACES = re.compile(r"[ \t\r\n\f]+")


class HtmlReader:
    kind = "html"
    many = False

    def read(self, path: Path) -> Iterator[ReadDocument]:
        from selectolax.lexbor import LexborHTMLParser

        decoded = decode_html(read_bytes(path))
        tree = LexborHTMLParser(decoded.text)
        title = page_title(tree) or title_of_path(path)
        properties = meta_properties(tree)
        body = clean(main_text(tree))
        if not body:
            raise ReadError("empty: no text outside navigation and scripts")
        yield ReadDocument(
            [ReadChunk(body, title)], title, problems=decoded.problems, properties=properties, markup="markdown"
        )


def page_title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title") or tree.css_first("h1")
    return clean(_SPACES.sub(" ", node.text(deep=True))) if node else ""


def meta_properties(tree: LexborHTMLParser) -> dict[str, str | int]:
    """Of the page's <meta> tags, the first of each name."""
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        name = META.get((node.attributes.get("name") or node.attributes.get("property") or "").lower())
        if name:
            found.setdefault(name, node.attributes.get("content") or "")
    return plain_properties(found)


def main_text(tree: LexborHTMLParser) -> str:
    """Text of <main> or <article> if it holds most of the page's, else of <body>; headings as Markdown."""
    body = tree.body
    if body is None:
        return ""
    left_out = noise(body)
    whole = rendered(body, left_out=left_out)
    inner = tree.css_first("main") or tree.css_first("article") or tree.css_first("[role=main]")
    text = rendered(inner, left_out=left_out) if inner else ""
    return text if 2 * len(text) > len(whole) else whole


def rendered(node: LexborNode, *, left_out: frozenset[int]) -> str:
    """Reading order, one line a block, cells of a row joined by ` | `, <pre> with its own line breaks."""
    text = "".join(_parts(node, left_out=left_out)).replace(SOFT_HYPHEN, "")
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\0"))
    return "\n\n".join(line for line in lines if line).translate(_UNPROTECT)


def _parts(root: LexborNode, *, left_out: frozenset[int]) -> Iterator[str]:
    """Texts and block borders (NUL). A stack, not recursion: pages nest deeper than Python's limit."""
    stack: list[LexborNode | str] = [root]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif item.tag == "-text":
            yield (item.text_content or "").replace("\0", "")
        elif item.mem_id in left_out:
            continue
        elif item.tag == "pre":
            yield "\0" + _as_it_is(item, left_out=left_out).strip("\n").translate(_PROTECT) + "\0"
        else:
            before, after = _borders(item)
            yield before
            stack.append(after)
            stack.extend(reversed([*children(item)]))


def _as_it_is(root: LexborNode, *, left_out: frozenset[int]) -> str:
    """All text in an element; a <br> is a line break."""
    found, stack = list[str](), [root]
    while stack:
        node = stack.pop()
        if node.tag == "-text":
            found.append(node.text_content or "")
        elif node.tag == "br":
            found.append("\n")
        elif node.mem_id not in left_out:
            stack.extend(reversed([*children(node)]))
    return "".join(found)


def _borders(node: LexborNode) -> tuple[str, str]:
    """What stands before and after an element's text."""
    tag = node.tag or ""
    if tag in {"td", "th"}:
        return "", " | " if node.next is not None else ""
    if tag in HEADINGS:
        return "\0" + "#" * int(tag[1]) + " ", "\0"
    return ("\0", "\0") if tag in BLOCKS else ("", "")
