"""Curves for the screen: every point of a short one, evenly spread steps of a long one, and of one with gaps."""

from __future__ import annotations

import pytest

from store.queries import add_metrics, curve, curve_names, series_names
from store.session import Session, Store
from tests.store.records import a_run


def add(session: Session, run_id: int, *, steps: list[int], series: str = "oapl-1", name: str = "loss") -> None:
    points = [(step, name, float(step)) for step in steps]
    add_metrics(session, run_id, iteration=1, series=series, points=points)


@pytest.mark.parametrize(
    ("steps", "points", "chosen"),
    [
        ([], 10, []),
        ([7], 10, [7]),
        ([1, 2, 3, 4], 10, [1, 2, 3, 4]),
        ([*range(1, 101)], 10, [*range(1, 101, 10), 100]),
        ([*range(1, 100)], 10, [*range(1, 100, 10), 99]),
        ([100, 200, 201, 300, 1000], 9, [100, 201, 1000]),
        ([1, 1000, 2000], 4, [1, 1000, 2000]),
    ],
)
def test_points_of_a_curve(store: Store, steps: list[int], points: int, chosen: list[int]) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        other, _ = a_run(session, name="other")
        add(session, run_id, steps=steps)
        add(session, run_id, steps=[55], name="reward")
        add(session, run_id, steps=[56], series="sft-1")
        add(session, other, steps=[57])
        found = curve(session, run_id, series="oapl-1", name="loss", points=points)
    assert found == tuple((step, float(step)) for step in chosen)


def test_names_of_series_and_of_their_curves(store: Store) -> None:
    with store.session() as session:
        run_id, _ = a_run(session)
        other, _ = a_run(session, name="other")
        assert series_names(session, run_id) == []
        assert curve_names(session, run_id, series="oapl-1") == []
        add(session, run_id, steps=[1], series="", name="broken_edit")
        add(session, run_id, steps=[1, 2], name="reward")
        add(session, run_id, steps=[1, 2], name="loss")
        add(session, other, steps=[1], series="sft-1", name="lr")
        assert series_names(session, run_id) == ["oapl-1"]
        assert curve_names(session, run_id, series="oapl-1") == ["loss", "reward"]
        assert curve_names(session, run_id, series="sft-1") == []
