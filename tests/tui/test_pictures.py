"""Every room at two sizes looks as it did when somebody looked at it. `pytest --snapshot-update` accepts a new look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from store.session import Store
from tests.tui.ask_kit import played
from tests.tui.gallery import fill_gallery, settled
from tests.tui.kit import app_on
from tui.rooms import ROOMS

SIZES = ((80, 24), (200, 60))


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("room", [room.name for room in ROOMS])
def test_a_room_looks_as_it_did(
    snap_compare: Callable[..., bool],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    utc: None,
    request: pytest.FixtureRequest,
    room: str,
    size: tuple[int, int],
) -> None:
    played(monkeypatch)
    monkeypatch.chdir(tmp_path)
    fill_gallery(store, Path("notes"))
    app: Any = app_on(store, room=room)
    picture = Path(__file__).parent / "__snapshots__" / "test_pictures" / f"{request.node.name}.svg"
    assert snap_compare(app, terminal_size=size, run_before=partial(settled, picture=picture))
