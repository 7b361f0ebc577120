"""Text of a growing list of token ids, piece by piece: a character whose bytes are not all there yet is held back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_INCOMPLETE = "\ufffd"  # what decoders write for bytes that are no character, or not one yet


class Detokenizer:
    """`push` as tokens come, `finish` once: the pieces concatenate to `decode` of all ids.

    Only the tokens since the last whole character are decoded again, not the whole text.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._context = 0  # decoding begins here: how a token reads may depend on the one before it
        self._whole = 0  # ids up to here have been given out
        self._given: list[str] = []

    def push(self, token_ids: Sequence[int]) -> str:
        """The text that is certain now and was not before."""
        self._ids += token_ids
        known = self._decode(self._ids[self._context : self._whole])
        text = self._decode(self._ids[self._context :])
        if len(text) <= len(known) or text.endswith(_INCOMPLETE) or not text.startswith(known):
            return ""
        self._context, self._whole = self._whole, len(self._ids)
        return self._give(text[len(known) :])

    def finish(self) -> str:
        """What was held back, bytes that never became a character included."""
        text, given = self._decode(self._ids), "".join(self._given)
        return self._give(text[len(given) :]) if text.startswith(given) else ""

    def _give(self, piece: str) -> str:
        self._given.append(piece)
        return piece
