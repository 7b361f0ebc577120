"""Tokens as running text. What is trained on stands underlined between ⟪ and ⟫; the less likely it was when it was
sampled, the more it stands out; on demand a digit behind each token says how likely: 9 for 0.9 and above, 0 below 0.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from textual.content import Content

from tui.reading.tokens import TokenPage

OPEN, CLOSE = "⟪", "⟫"
DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
OUTSIDE = "dim"
# probability from which on -> how it stands out; the attributes tell without colour
SHADES = (
    (0.9, "underline"),
    (0.5, "underline $primary"),
    (0.1, "bold underline $warning"),
    (0.0, "bold reverse $error"),
)
LEGEND = f"{OPEN}trained on{CLOSE}  underlined: likely  bold: under 0.5  reversed: under 0.1"
LEVELS = f"{OPEN}trained on{CLOSE}  how likely, in tenths: {DIGITS[9]} 0.9 and above, {DIGITS[0]} under 0.1"


def token_content(page: TokenPage, *, levels: bool, ids: bool) -> Content:
    """levels: a digit a sampled token; ids: numbers in place of texts, as where no tokenizer is found."""
    return Content.assemble(*_parts(page, levels=levels, ids=ids or page.texts is None))


def _parts(page: TokenPage, *, levels: bool, ids: bool) -> Iterator[tuple[str, str]]:
    texts = [f"{one} " for one in page.ids] if ids or page.texts is None else page.texts
    inside = False
    for text, trained, logprob in zip(texts, page.mask, page.logprobs, strict=True):
        if trained is not inside:
            yield (OPEN if trained else CLOSE), "bold"
            inside = trained
        probability = math.exp(min(0.0, logprob))
        yield visible(text), _shade(probability) if trained else OUTSIDE
        if trained and levels:
            yield DIGITS[min(9, int(probability * 10))], "bold"
    if inside:
        yield CLOSE, "bold"


def _shade(probability: float) -> str:
    return next(style for least, style in SHADES if probability >= least)


def visible(text: str) -> str:
    """Line ends are seen and end the line; what a terminal would act upon is replaced by its picture."""
    return "".join("↵\n" if c == "\n" else chr(0x2400 + ord(c)) if ord(c) < 32 else c for c in text)
