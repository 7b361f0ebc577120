"""A resumed training's bar starts where it was, and its figures in the store are each there once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from karl.reporting import Progress, SilentProgress
from karl.training_record import Place, recorded
from rl_backend.drift import Drift
from store import queries
from store.session import Store
from tests.store.records import a_run


class Heard:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Progress]:
        self.stages.append((title, total, done))
        yield SilentProgress()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = Store.open(f"sqlite:///{tmp_path / 'karl.db'}")
    with store.session() as session:
        run_id, _ = a_run(session)
    yield Place(store, run_id, iteration=1, series="oapl-1")
    store.close()


def steps_of(place: Place) -> list[int]:
    with place.store.session() as session:
        return [step for step, _ in queries.series(session, place.run_id, series=place.series, name="loss")]


def train(place: Place, heard: Heard, *, after: int, upto: int, checkpoint_steps: int | None = None) -> None:
    """Steps after+1 .. upto of 300, then a kill: nothing is flushed at the end."""
    with (
        pytest.raises(RuntimeError, match="killed"),
        recorded(place, title="training", reporter=heard, checkpoint_steps=checkpoint_steps) as recorder,
    ):
        recorder.start(after, 300)
        for step in range(after + 1, upto + 1):
            recorder.step(step, 300, {"loss": float(step)})
        recorder._points.clear()  # pyright: ignore[reportPrivateUsage]
        raise RuntimeError("killed")


def test_a_resumed_bar_starts_where_the_training_does(place: Place) -> None:
    heard = Heard()
    train(place, heard, after=120, upto=121)
    assert heard.stages == [("training", 300, 120)] and heard.said == ["oapl-1: going on behind step 120 of 300"]


def test_figures_behind_the_saved_step_are_dropped_and_made_once(place: Place) -> None:
    train(place, Heard(), after=0, upto=30)
    assert steps_of(place) == [*range(1, 31)]
    train(place, Heard(), after=20, upto=20)
    assert steps_of(place) == [*range(1, 21)]
    train(place, Heard(), after=20, upto=40)
    assert steps_of(place) == [*range(1, 41)]


def test_what_led_to_a_saved_state_is_written_before_it(place: Place) -> None:
    train(place, Heard(), after=0, upto=27, checkpoint_steps=25)
    assert steps_of(place) == [*range(1, 26)]  # of steps 26 and 27, which are made again, nothing


def at_start(place: Place) -> dict[str, float]:
    """What is stored of the whole training, by name."""
    with place.store.session() as session:
        names = queries.metric_names(session, place.run_id).get(place.series, [])
        found = {name: queries.series(session, place.run_id, series=place.series, name=name) for name in names}
    return {name: points[0][1] for name, points in found.items() if points[0][0] == 0}


def measured(place: Place, drift: Drift | None) -> None:
    """A training that is killed before its first step."""
    with (
        pytest.raises(RuntimeError, match="killed"),
        recorded(place, title="training", reporter=Heard(), checkpoint_steps=None) as recorder,
    ):
        recorder.start(0, 300)
        if drift is not None:
            recorder.drift(drift)
        # A kill leaves only what is in the store by now.
        raise RuntimeError("killed", at_start(place))


def test_the_drift_of_a_training_that_never_ends_is_stored(place: Place) -> None:
    measured(place, Drift(mean=1e-5, max=2e-4, tokens=30))
    assert at_start(place) == {"drift_mean": 1e-5, "drift_max": 2e-4}
    train(place, Heard(), after=120, upto=121)
    assert at_start(place) == {"drift_mean": 1e-5, "drift_max": 2e-4}  # it goes on: that was measured with its start


def test_what_an_earlier_training_measured_is_not_taken_for_this_ones(place: Place) -> None:
    measured(place, Drift(mean=1e-5, max=2e-4, tokens=30))
    measured(place, None)
    assert at_start(place) == {}


def test_a_drift_that_is_no_number_is_left_to_the_first_step_to_tell(place: Place) -> None:
    measured(place, Drift(mean=float("nan"), max=float("nan"), tokens=30))
    assert at_start(place) == {}
