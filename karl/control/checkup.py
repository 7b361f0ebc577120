"""What `karl doctor` finds, for a screen that asks again and again: some checks wait for a network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from karl.settings import Settings

SECONDS = 30.0  # that a checkup stays fresh
POLL = 0.1
ORDER = ("missing", "optional", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """level: ok, optional or missing; mend: empty when there is nothing to do."""

    name: str
    level: str
    found: str
    mend: str


class Checkup:
    """The findings, made anew after SECONDS. Not for two threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._findings: tuple[Finding, ...] = ()
        self._made: float | None = None
        self._error: Exception | None = None

    def findings(self, *, cancelled: Callable[[], bool], afresh: bool = False) -> tuple[Finding, ...]:
        """What is missing first, then what is optional. Slow: call it in a thread. Raises: what a check raises.

        Asked to give up, it answers with what it found before: an endpoint may keep a check waiting for seconds.
        """
        if afresh or self._made is None or time.monotonic() - self._made >= SECONDS:
            # A thread that nobody waits for at the end: whoever quits does so at once.
            thread = threading.Thread(target=self._examine, daemon=True, name="karl-checkup")
            thread.start()
            while thread.is_alive() and not cancelled():
                thread.join(POLL)
        if self._error is not None:
            raise self._error
        return self._findings

    def _examine(self) -> None:
        try:
            self._findings, self._error = examine(self._settings), None
        except Exception as exc:  # raised where the findings are asked for
            self._error = exc
        self._made = time.monotonic()


def examine(settings: Settings) -> tuple[Finding, ...]:
    from karl.health import checks

    found = [Finding(*check) for check in checks(settings)]
    return tuple(sorted(found, key=lambda finding: ORDER.index(finding.level)))
