"""What an answer cites, and what its rollout was shown, against the evidence.

Keys are `document` or `document#page`, pages from 1, as in `EvalItem.gold`. A gold document without a page is met by
any of its pages; a gold page is met by that page alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evals.scoring.scored import Scored, f1
from store.types import Hit

RULE = "rule:citations"


class CitationScore(Scored, frozen=True):
    """`precision`: share of the distinct keys cited that are evidence, None where nothing is cited: of nothing no
    share is right or wrong, and `recall`, the share of the evidence that is cited, is 0 then, as `f1` is.
    """

    precision: float | None
    recall: float
    f1: float
    cited: int
    gold: int


class RetrievalScore(Scored, frozen=True):
    """`recall`: share of the evidence among all that a rollout was shown; `full`: all of it was."""

    recall: float
    full: bool
    seen: int
    gold: int


def hit_key(hit: Hit) -> str:
    """The key of a search hit as evidence is named: a chunk's ordinal gives way to its page, where it has one."""
    document, _, _ = hit.key.rpartition("#")
    return document if hit.page is None else f"{document}#{hit.page}"


def matches(key: str, gold: str) -> bool:
    """Whether a chunk of key `key` is the evidence `gold`."""
    return key == gold or (not _has_page(gold) and _document(key) == gold)


def citation_score(cited: Iterable[str], *, gold: Sequence[str]) -> CitationScore | None:
    """None where no evidence is known: there is nothing to score by."""
    wanted, given = set(gold), set(cited)
    if not wanted:
        return None
    right = sum(any(matches(key, one) for one in wanted) for key in given)
    precision, recall = right / len(given) if given else None, _recall(given, wanted)
    both = f1(precision or 0.0, recall)
    return CitationScore(judge=RULE, precision=precision, recall=recall, f1=both, cited=len(given), gold=len(wanted))


def retrieval_score(seen: Iterable[str], *, gold: Sequence[str]) -> RetrievalScore | None:
    """Over the keys of all hits of a rollout. None where no evidence is known."""
    wanted, shown = set(gold), set(seen)
    if not wanted:
        return None
    recall = _recall(shown, wanted)
    return RetrievalScore(judge="rule:retrieval", recall=recall, full=recall == 1.0, seen=len(shown), gold=len(wanted))


def _recall(keys: set[str], wanted: set[str]) -> float:
    # By sets, not pair by pair: a long rollout sees thousands of chunks.
    met = keys | {_document(key) for key in keys}
    return sum(one in (keys if _has_page(one) else met) for one in wanted) / len(wanted)


def _has_page(key: str) -> bool:
    _, mark, page = key.rpartition("#")
    return bool(mark) and page.isdigit()


def _document(key: str) -> str:
    return key.rpartition("#")[0] if _has_page(key) else key
