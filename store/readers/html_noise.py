"""What of a page is not its text: navigation, banners, footers, forms, what is hidden. When in doubt it is text.

By elements and roles; by names of classes and ids only where links, controls or the place in the page say so, too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from store.readers.html_elements import HEADINGS, SILENT, TITLES, Element, weighed

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# fmt: off
ROLES = frozenset(["navigation", "contentinfo", "search", "dialog", "alertdialog", "menu", "menubar", "toolbar"])
OPENED = frozenset({"tabpanel", "region"})  # hidden until somebody asks: text all the same
ADMONITIONS = frozenset((
    "admonition", "callout", "alert", "note", "warning", "tip", "caution", "danger", "important", "hint", "info",
))
OF_LINKS = frozenset((
    "nav", "navbar", "navbox", "navigation", "menu", "sidebar", "topbar", "toolbar", "pagination", "pager",
    "share", "sharing", "social", "related", "recommended", "widget", "widgets", "actions", "tools", "skip", "jump",
    "catlinks",
))
HEADERS = frozenset({"header", "site-header", "page-header", "main-header", "masthead"})
CONTENTS = frozenset({"toc", "tableofcontents"})
FOOTERS = frozenset({"footer", "site-footer", "page-footer", "main-footer", "global-footer", "footer-wrapper"})
SIGNING_UP = frozenset({"newsletter", "subscribe", "subscription", "signup"})
COOKIES = frozenset({"cookie", "cookies", "gdpr"})
BANNERS = frozenset((
    "banner", "consent", "notice", "bar", "dialog", "popup", "modal", "overlay", "message", "wall",
))
ALWAYS = frozenset((
    "breadcrumb", "breadcrumbs", "noprint", "editsection", "cookieconsent", "cookiebanner", "onetrust", "cybot",
    "didomi", "usercentrics",
))
# fmt: on
UNPRINTED = frozenset({"no-print", "hidden-print", "d-print-none"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_WORD_BORDER = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_]+")


def noise(body: LexborNode) -> frozenset[int]:
    """`mem_id` of elements to leave out, with all in them."""
    whole, *others = weighed(body)
    return frozenset(element.node.mem_id for element in others if _is_noise(element, half=whole.text / 2))


def _is_noise(element: Element, *, half: float) -> bool:
    if element.tag in SILENT or element.role in ROLES:
        return True
    if element.tag == "button":
        return not _is_title(element)
    if element.tag == "a" and element.titled:
        return not any(letter.isalnum() for letter in element.node.text(deep=True))  # the sign that links to a heading
    return element.text <= half and (_by_element(element) or _is_hidden(element) or _by_name(element))


def _is_title(element: Element) -> bool:
    """A heading that opens what stands below it is a button from end to end; others have one beside their words."""
    around = element.parent
    while element.titled and around is not None and around.tag not in TITLES:
        around = around.parent
    return element.titled and around is not None and around.text == element.text


def _by_element(element: Element) -> bool:
    if element.tag == "aside" or element.role == "complementary":
        return element.role != "note" and not (element.main and _words(element) & ADMONITIONS)
    if element.tag == "footer":
        return not element.quoted
    if element.tag == "form":
        return not element.heads
    return (element.tag == "header" or element.role == "banner") and not element.main and not element.heads


def _is_hidden(element: Element) -> bool:
    given = element.given
    if element.role in OPENED or given.get("hidden") == "until-found":
        return False
    return "hidden" in given or given.get("aria-hidden") == "true" or bool(_HIDDEN.search(given.get("style") or ""))


def _by_name(element: Element) -> bool:
    if element.tag in HEADINGS or not (names := _names(element)):
        return False
    words = _words(element)
    if words & ALWAYS or names & UNPRINTED or (names & FOOTERS and not element.main):
        return True
    if words & COOKIES and words & BANNERS:
        return element.controls + element.linked > 0
    if words & SIGNING_UP:
        return element.controls > 0
    if words & CONTENTS:
        return 2 * element.within > element.text
    return bool(words & OF_LINKS or names & HEADERS) and 2 * element.linked > element.text and not element.heads


def _names(element: Element) -> frozenset[str]:
    """Classes, and the id: that of a section says what its text is about."""
    classes = element.given.get("class") or ""
    is_text = element.tag == "section" or "section" in classes.split()
    return _split(classes) if is_text else _split(classes) | _split(element.given.get("id") or "")


def _words(element: Element) -> frozenset[str]:
    return frozenset[str]().union(*map(_split_name, _names(element)))


@lru_cache(10_000)
def _split(names: str) -> frozenset[str]:
    return frozenset(names.split())


@lru_cache(10_000)
def _split_name(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD_BORDER.split(name))
