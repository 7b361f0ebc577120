"""From what the ranks said to a result or an error that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rl_backend.launch.board import Board, Lost
from store.errors import KarlError

if TYPE_CHECKING:
    from rl_backend.result import TrainResult


def outcome(board: Board, *, cause: Callable[[int | None], str]) -> TrainResult:
    """`cause(pid)`: what the launcher knows of the end of a process, or of all where none ever reported.

    Raises: what a hook raised; else the error of the rank that failed first.
    """
    if board.hook_error is not None:
        raise board.hook_error
    if isinstance(board.ended, Lost):
        rank, pid = board.ended
        raise KarlError(
            f"rank {rank} (process {pid}) died: {cause(pid)}. The same command goes on from the last state that was "
            "saved; where memory ran out, lower micro_batch_tokens"
        )
    if board.ended is not None:
        raise board.ended.error()
    if board.result is None:
        raise KarlError(f"the training's processes ended before they reported: {cause(None)}")
    return board.result
