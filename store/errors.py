"""Errors that a person can mend: one clear message, an exit code, no traceback unless `--debug`."""

from __future__ import annotations


class KarlError(Exception):
    """Something failed that the message explains: what, where, and the mend. Exit code 1."""

    exit_code = 1


class UsageError(KarlError):
    """The call itself was wrong: an unknown corpus, an empty folder, a wrong key in a file. Exit code 2."""

    exit_code = 2
