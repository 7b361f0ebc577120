"""What of a rank's exception its parent gets."""

from __future__ import annotations

import pytest

from rl_backend.launch.wire import Failure
from store.errors import CollapseError, KarlError, UsageError


@pytest.mark.parametrize("kind", [UsageError, CollapseError, KarlError])
def test_an_error_that_the_parent_knows_keeps_its_kind(kind: type[KarlError]) -> None:
    error = Failure.of(kind("step 7: gone"), rank=1).error()
    assert type(error) is kind and str(error) == "step 7: gone"


def test_another_is_told_with_its_rank_and_name() -> None:
    error = Failure.of(RuntimeError("gone"), rank=1).error()
    assert type(error) is KarlError and str(error) == "rank 1: RuntimeError: gone"
