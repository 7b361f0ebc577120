"""A page of the tokens of one segment, with their texts where the policy's tokenizer is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from karl.control.tokens import TokenTexts, token_texts
from store import queries
from store.queries import SegmentHead
from store.session import Store

PAGE = 1000  # tokens; a segment may have 100,000


@dataclass(frozen=True, slots=True)
class TokenPage:
    """T tokens of a segment from `start` on. heads: all segments of the rollout; chosen: which of them, from 0;
    texts: None where no tokenizer is found; folder: of the tokenizer; logprobs: in nats, 0.0 where nothing was sampled.
    """

    heads: Sequence[SegmentHead]
    chosen: int
    start: int
    ids: Sequence[int]
    mask: Sequence[bool]
    logprobs: Sequence[float]
    texts: Sequence[str] | None
    folder: Path | None

    @property
    def head(self) -> SegmentHead:
        return self.heads[self.chosen]

    @property
    def more(self) -> bool:
        return self.start + len(self.ids) < self.head.tokens


class TokenReader:
    """Of one rollout. Not for two threads at once."""

    def __init__(self, store: Store, rollout_id: int) -> None:
        self._store, self._rollout_id = store, rollout_id
        self._texts: TokenTexts | None = None
        self._looked = False

    def read(self, chosen: int, start: int) -> TokenPage | None:
        """None: the rollout has no segments (any more). A segment that is not there gives the last one.

        Raises: KarlError when the database refuses, or for a damaged segment.
        """
        with self._store.session() as session:
            heads = queries.segment_heads(session, self._rollout_id)
            if not heads:
                return None
            chosen = min(chosen, len(heads) - 1)
            arrays = queries.segment_tokens(session, heads[chosen].segment_id)
        part = slice(start, start + PAGE)
        ids, texts = arrays.token_ids[part].tolist(), self._tokenizer()
        known = texts if texts is not None and texts.knows(ids) else None
        return TokenPage(
            heads=heads,
            chosen=chosen,
            start=start,
            ids=ids,
            mask=arrays.loss_mask[part].astype(bool).tolist(),
            logprobs=arrays.logprobs[part].tolist(),
            texts=known.of(ids) if known else None,
            folder=known.folder if known else None,
        )

    def _tokenizer(self) -> TokenTexts | None:
        if not self._looked:
            self._texts, self._looked = token_texts(self._store, self._rollout_id), True
        return self._texts
