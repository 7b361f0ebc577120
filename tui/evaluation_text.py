"""A sheet of evaluations as titles, sentences and tables: one function a part of the room."""

from __future__ import annotations

from collections.abc import Iterator

from karl.control.evaluations import ClassShare, Interval, Pair, Profile, Sheet, Tradeoff
from tui.grid import Columns, Part, Title, Words
from tui.reading.figures import Figure
from tui.text import bar, interval
from tui.widgets.plots import sign

NONE = "–"  # noqa: RUF001, an en dash is what a table has where there is no figure
BAR = 6  # cells of a whole share
SMALL = 10.0  # below it three decimals say something
NO_SYSTEM = "nothing is scored yet"
UNCLASSIFIED = (
    "No rollout was classified: an external system shows no steps of its own, and older runs keep no class on their "
    "rows; `karl behaviour RUN` reads their steps."
)


def value(found: Interval | float | None) -> str:
    if found is None:
        return NONE
    if isinstance(found, float | int):
        return f"{found:.3f}"
    if found.high < SMALL:
        return interval(Figure(*found))
    return f"{found.mean:,.1f} ({found.low:,.1f}..{found.high:,.1f})"


def signed(found: Interval | None) -> str:
    return NONE if found is None else f"{found.mean:+.3f} ({found.low:+.3f}..{found.high:+.3f})"


def score_parts(sheet: Sheet) -> Iterator[Part]:
    """Systems across: measures by task and split, then why there is no score."""
    if not sheet.scores:
        yield Words(NO_SYSTEM)
        return
    rows = [(f"{'  ' * line.depth}{line.title}", *map(value, line.values)) for line in sheet.scores]
    yield Title("means over questions (95% interval)")
    yield Columns(("", *sheet.labels), tuple(rows))
    if sheet.reasons:
        yield Title("failed, unfinished and unjudged generations by reason")
        yield Columns(("reason", *sheet.labels), sheet.reasons)


def pair_parts(sheet: Sheet) -> Iterator[Part]:
    if not sheet.pairs:
        yield Words("Two systems make a pair: mark two in Scores, or two evaluations in the list, with space.")
        return
    yield Words("Paired over the questions that both have scores for: what is hard for both cancels.")
    for pair in sheet.pairs:
        yield from _pair(pair)


def _pair(pair: Pair) -> Iterator[Part]:
    if pair.difference is None:
        yield Title(f"{pair.first} and {pair.second}: not compared")
        yield Words(pair.why, warning=True)
        return
    yield Title(f"{pair.first} minus {pair.second}: {pair.verdict}")
    counts = tuple(f"{count:,}" for count in (pair.wins, pair.ties, pair.losses, pair.unpaired))
    rows = [(pair.measure, signed(pair.difference), *counts)]
    # With a single task its difference is the whole one.
    tasks = pair.tasks if len(pair.tasks) > 1 else ()
    rows += [(title, signed(difference), *[""] * len(counts)) for title, difference in tasks]
    yield Columns(("", "difference", "won", "tied", "lost", "unpaired"), tuple(rows))
    yield Words("")
    yield Words(f"Questions by pass rate: rows are {pair.second}, columns {pair.first}.")
    moved = [(state, *(f"{count:,}" for count in own)) for state, own in zip(pair.states, pair.matrix, strict=True)]
    yield Columns(("", *pair.states), tuple(moved))


def published_parts(sheet: Sheet) -> Iterator[Part]:
    """What is not comparable comes first; where the figures are from, last."""
    first, *rest = sheet.published_notes
    yield Words(first, warning=bool(sheet.published))
    for grid in sheet.published:
        yield Title(grid.caption)
        yield Columns(grid.header, grid.rows)
    for note in rest:
        yield Words("")
        yield Words(note)


def tradeoff_parts(sheet: Sheet) -> Iterator[Part]:
    looks = {label: look for look, label in enumerate(sheet.labels)}
    for tradeoff in sheet.tradeoffs:
        yield Title(f"{tradeoff.quality} against {tradeoff.unit}")
        if tradeoff.spots:
            yield Columns(("system", tradeoff.quality, "spent", "place"), tuple(_spots(tradeoff, looks)), words=(3,))
        if tradeoff.left_out:
            yield Words(tradeoff.left_out, warning=True)
    if not sheet.tradeoffs:
        yield Words(NO_SYSTEM)


def _spots(tradeoff: Tradeoff, looks: dict[str, int]) -> Iterator[tuple[str, ...]]:
    for spot in tradeoff.spots:
        beaten = f"dominated by {', '.join(spot.beaten_by)}" if spot.beaten_by else "on the front"
        yield f"{sign(looks[spot.label])} {spot.label}", value(spot.score), f"{spot.spent:,.4g}", beaten


def curve_parts(sheet: Sheet) -> Iterator[Part]:
    """A point over fewer questions than the first says so."""
    if not sheet.curves:
        yield Words(NO_SYSTEM)
        return
    yield Title("the best of k generations of a question (unbiased), mean over questions")
    ks = sorted({point.k for curve in sheet.curves for point in curve.points})
    if len(ks) < 2:
        yield Words("There is one generation a question: `karl eval --samples 4` makes a curve.")
    looks = {label: look for look, label in enumerate(sheet.labels)}
    rows: list[tuple[str, ...]] = []
    for curve in sheet.curves:
        held = {point.k: point for point in curve.points}
        most = max(point.questions for point in curve.points)
        cells = [value(held[k].score) + _fewer(held[k].questions, most) if k in held else NONE for k in ks]
        rows.append((f"{sign(looks[curve.label])} {curve.label}", *cells))
    yield Columns(("system", *(f"k = {k}" for k in ks)), tuple(rows))


def _fewer(questions: int, most: int) -> str:
    return f" of {questions:,} questions" if questions < most else ""


def behaviour_parts(sheet: Sheet) -> Iterator[Part]:
    if not sheet.profiles:
        yield Words(UNCLASSIFIED)
        return
    labels = tuple(f"{profile.label} ({profile.rollouts:,})" for profile in sheet.profiles)
    names = list(dict.fromkeys(own.name for profile in sheet.profiles for own in profile.classes))
    yield Title("share of rollouts in each class, and of them the share that is right")
    rows = [(name, *(_share(_class(profile, name)) for profile in sheet.profiles)) for name in names]
    yield Columns(("class", *labels), tuple(rows))
    lengths = list(dict.fromkeys(name for profile in sheet.profiles for name, _ in profile.lengths))
    if lengths:
        yield Title("mean a rollout")
        found = [dict(profile.lengths) for profile in sheet.profiles]
        means = [(name, *(f"{own[name]:,.2f}" if name in own else NONE for own in found)) for name in lengths]
        yield Columns(("", *labels), tuple(means))


def _class(profile: Profile, name: str) -> ClassShare | None:
    return next((own for own in profile.classes if own.name == name), None)


def _share(own: ClassShare | None) -> str:
    if own is None:
        return NONE
    right = "" if own.solved is None else f"{own.solved:.3f} right"
    return f"{own.share:.3f} {bar(own.share, full=1.0, width=BAR):<{BAR}} {right:<11}"


def note_parts(sheet: Sheet) -> Iterator[Part]:
    yield from map(Words, sheet.facts)
    if sheet.notes:
        yield Title("read this first")
        yield from (Words(note, warning=True) for note in sheet.notes)
