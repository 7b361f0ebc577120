"""The elements of a page, each with what is in it: how much text, how much of it is links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
TITLES = HEADINGS | {"summary", "dt", "legend"}  # a button in one opens what it names
CONTROLS = frozenset({"input", "textarea", "select", "button"})
# fmt: off
SILENT = frozenset((
    "script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "head", "dialog", "nav",
    "input", "select", "textarea", "datalist",
))
# fmt: on


@dataclass(slots=True)
class Element:
    """main: it is in <main> or <article>; titled: in a heading; quoted: in a quotation.

    The rest is of all that is in it: characters of text, of links, of links within the page; how many controls; how
    many main titles and main parts.
    """

    node: LexborNode
    tag: str
    given: Mapping[str, str | None]
    parent: Element | None
    main: bool
    titled: bool
    quoted: bool
    text: int = 0
    linked: int = 0
    within: int = 0
    controls: int = 0
    heads: int = 0

    @property
    def role(self) -> str:
        return (self.given.get("role") or "").lower()


def children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def weighed(body: LexborNode) -> list[Element]:
    """Every element, the outer before the inner."""
    found = list(_elements(body))
    for element in reversed(found):
        _add_up(element)
    return found


def _elements(body: LexborNode) -> Iterator[Element]:
    """A stack, not recursion: pages nest deeper than Python's limit."""
    stack: list[tuple[LexborNode, Element | None]] = [(body, None)]
    while stack:
        node, parent = stack.pop()
        tag = node.tag or ""
        if tag == "-text" and parent is not None:
            parent.text += len("".join((node.text_content or "").split()))
        elif not tag.startswith("-"):
            element = _placed(node, tag, parent)
            yield element
            if tag not in SILENT:
                stack.extend((child, element) for child in children(node))


def _placed(node: LexborNode, tag: str, parent: Element | None) -> Element:
    if parent is None:
        return Element(node, tag, node.attributes, None, main=False, titled=False, quoted=False)
    return Element(
        node,
        tag,
        node.attributes,
        parent,
        main=parent.main or parent.tag in {"main", "article"} or parent.role == "main",
        titled=parent.titled or parent.tag in TITLES,
        quoted=parent.quoted or parent.tag == "blockquote",
    )


def _add_up(element: Element) -> None:
    """All in it has been added to it; it is added to what it is in."""
    element.controls += element.tag in CONTROLS
    element.heads += element.tag in {"h1", "main", "article"}
    if element.tag == "a" and "href" in element.given:
        element.linked = element.text
        element.within = element.text if (element.given["href"] or "").startswith("#") else 0
    if (parent := element.parent) is not None:
        parent.text += element.text
        parent.linked += element.linked
        parent.within += element.within
        parent.controls += element.controls
        parent.heads += element.heads
