"""Text that is streamed only as far as it is certain: up to a stop text, and short of where a tool call may begin."""

from __future__ import annotations

from collections.abc import Sequence


class TextGate:
    """`stops` end the text; what begins with one of `marks` is held back until the whole is known.

    The pieces that `push` returns, then `text[len(given):]`, concatenate to `text`.
    """

    def __init__(self, *, stops: Sequence[str] = (), marks: Sequence[str] = ()) -> None:
        self._stops = [stop for stop in stops if stop]
        self._marks = [*self._stops, *marks]
        self._trims = bool(marks)  # whitespace before a call is dropped with it
        self._seen = 0
        self.text = ""
        self.given = ""
        self.stopped = False
        self.held = False

    def push(self, piece: str) -> str:
        """The text that is certain now and was not before; nothing after a stop."""
        if not piece or self.stopped:
            return ""
        self.text += piece
        self._stop()
        if self.held:
            return ""
        certain = self._certain()
        out, self.given = self.text[len(self.given) : certain], self.text[: max(certain, len(self.given))]
        return out

    def _stop(self) -> None:
        longest = max(map(len, self._stops), default=0)
        since = max(0, self._seen - longest)
        found = [at for stop in self._stops if (at := self.text.find(stop, since)) >= 0]
        if found:
            self.text, self.stopped = self.text[: min(found)], True
        self._seen = len(self.text)

    def _certain(self) -> int:
        found = [at for mark in self._marks if (at := self.text.find(mark, len(self.given))) >= 0]
        if found:
            self.held = True
            end = min(found)
        elif self.stopped:
            end = len(self.text)
        else:
            end = len(self.text) - self._begun()
        return len(self.text[:end].rstrip()) if self._trims else end

    def _begun(self) -> int:
        """Length of the longest end of the text that a mark might begin with."""
        longest = max(map(len, self._marks), default=0) - 1
        tails = (self.text[-size:] for size in range(min(longest, len(self.text)), 0, -1))
        return next((len(tail) for tail in tails if any(mark.startswith(tail) for mark in self._marks)), 0)
