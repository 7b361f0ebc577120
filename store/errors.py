"""Errors that a person can mend: one clear message, an exit code, no traceback unless `--debug`."""

from __future__ import annotations

from collections.abc import Sequence


class KarlError(Exception):
    """Something failed that the message explains: what, where, and the mend. Exit code 1."""

    exit_code = 1


class UsageError(KarlError):
    """The call itself was wrong: an unknown corpus, an empty folder, a wrong key in a file. Exit code 2.

    `others`: what else is wrong with the same file, for those who mend all of it at once.
    """

    exit_code = 2
    others: tuple[UsageError, ...] = ()


class CollapseError(KarlError):
    """A training whose weights can't be used any more, however often it is repeated; others may go on."""


def first_of(problems: Sequence[UsageError]) -> UsageError:
    """The first problem, which knows the others. Raises: ValueError without any."""
    first, *others = problems
    first.others = tuple(others)
    return first
