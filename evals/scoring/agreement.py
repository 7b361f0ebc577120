"""Do two judges agree? Cohen's kappa over the labels of the same nuggets, plain and with linear weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from agents.judging import Label
from evals.scoring.judgement import Judgement
from evals.statistics import LEVEL, RESAMPLES
from store.errors import UsageError

LABELS: tuple[Label, ...] = tuple(reversed(get_args(Label)))  # from none to full support
_NAMED = 5  # of the items that a message names
Key = tuple[str, int]


class Kappa(NamedTuple):
    """`value` None: undefined, as both judges gave one and the same label throughout. The interval resamples items, as
    the labels of one item go together; resamples in which kappa is undefined are left out of it.
    """

    value: float | None
    low: float | None
    high: float | None


class Disagreement(NamedTuple):
    """`distance`: mean distance of the labels, 1 where one judge gives full and the other no support to all nuggets."""

    item: str
    attempt: int
    distance: float
    first: list[Label]
    second: list[Label]


class Agreement(NamedTuple):
    """`confusion[i][j]`: how often the first judge gave LABELS[i] and the second LABELS[j]. `left_out`: items that only
    one of them judged.
    """

    first: str
    second: str
    items: int
    left_out: int
    nuggets: int
    same: float
    unweighted: Kappa
    linear: Kappa
    confusion: list[list[int]]
    disagreements: list[Disagreement]

    def as_dict(self) -> dict[str, Any]:
        plain = {"unweighted": self.unweighted._asdict(), "linear": self.linear._asdict(), "labels": list(LABELS)}
        return {**self._asdict(), **plain, "disagreements": [one._asdict() for one in self.disagreements]}


def kappa(confusion: NDArray[np.int64], *, weights: NDArray[np.float64]) -> float | None:
    """1 - observed / expected disagreement (Cohen 1968), `weights` being the disagreement of each pair of labels."""
    total = confusion.sum()
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / total
    chance = float((weights * expected).sum())
    return None if chance == 0.0 else 1.0 - float((weights * confusion).sum()) / chance


def weights_of(size: int) -> dict[str, NDArray[np.float64]]:
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    return {"unweighted": (steps > 0).astype(np.float64), "linear": steps / (size - 1)}


def agreement(
    first: Mapping[Key, Judgement],
    second: Mapping[Key, Judgement],
    *,
    common: bool = False,
    worst: int = 10,
    seed: int = 0,
) -> Agreement:
    """`common`: over what both judged, and count the rest; a judge may have failed on some.

    Raises: UsageError naming the items that only one side has, or whose nuggets or answers differ.
    """
    left_out = len(first.keys() ^ second.keys())
    if common:
        first, second = ({key: own[key] for key in sorted(first.keys() & second.keys())} for own in (first, second))
    _check_same(first, second)
    keys = sorted(first)
    tables = np.stack([_table(first[key], second[key]) for key in keys])
    confusion = tables.sum(axis=0)
    kappas = {name: _kappa(tables, weights, seed=seed) for name, weights in weights_of(len(LABELS)).items()}
    apart = sorted((_disagreement(first[key], second[key]) for key in keys), key=lambda one: -one.distance)
    return Agreement(
        first=_judges(first),
        second=_judges(second),
        items=len(keys),
        left_out=left_out,
        nuggets=int(confusion.sum()),
        same=float(np.trace(confusion) / confusion.sum()),
        **kappas,
        confusion=confusion.tolist(),
        disagreements=[one for one in apart[:worst] if one.distance > 0],
    )


def _kappa(tables_P: NDArray[np.int64], weights: NDArray[np.float64], *, seed: int) -> Kappa:
    rng = np.random.default_rng(seed)
    flat, size = tables_P.reshape(len(tables_P), -1), weights.shape[0]
    drawn: list[float] = []
    for _ in range(RESAMPLES):
        counts = np.bincount(rng.integers(0, len(flat), size=len(flat)), minlength=len(flat))
        value = kappa((counts @ flat).reshape(size, size), weights=weights)
        if value is not None:
            drawn.append(value)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist() if drawn else (None, None)
    return Kappa(kappa(tables_P.sum(axis=0), weights=weights), low, high)


def _table(first: Judgement, second: Judgement) -> NDArray[np.int64]:
    table = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)
    for ours, theirs in zip(first.completion.labels, second.completion.labels, strict=True):
        table[LABELS.index(ours), LABELS.index(theirs)] += 1
    return table


def _disagreement(first: Judgement, second: Judgement) -> Disagreement:
    weights, table = weights_of(len(LABELS))["linear"], _table(first, second)
    distance = float((weights * table).sum() / table.sum())
    return Disagreement(
        first.item, first.attempt, distance, list(first.completion.labels), list(second.completion.labels)
    )


def _judges(judgements: Mapping[Key, Judgement]) -> str:
    """The judge's name with the head of its prompt's hash; several where the file mixes them."""
    names = {(one.completion.judge, one.completion.prompt_sha256[:12]) for one in judgements.values()}
    return ", ".join(sorted(f"{judge} ({prompt})" if prompt else judge for judge, prompt in names))


def _check_same(first: Mapping[Key, Judgement], second: Mapping[Key, Judgement]) -> None:
    if not first and not second:
        raise UsageError("the two have no judged item in common; judge the same stored answers with both")
    for name, ours, theirs in (("first", first, second), ("second", second, first)):
        alone = sorted(ours.keys() - theirs.keys())
        if alone:
            raise UsageError(
                f"only the {name} file judges {_named(alone)}; judge the same items with both, or give --common"
            )
    differ = sorted(key for key in first if first[key].nuggets != second[key].nuggets)
    if differ:
        raise UsageError(f"the two files judge other nuggets for {_named(differ)}; judge both with the same nuggets")
    answers = sorted(key for key in first if _other_answer(first[key], second[key]))
    if answers:
        raise UsageError(
            f"the two files judge other answers for {_named(answers)}; judge the same stored answers with both "
            "(`karl eval ... --rejudge`)"
        )


def _other_answer(first: Judgement, second: Judgement) -> bool:
    return bool(first.answer_sha256 and second.answer_sha256) and first.answer_sha256 != second.answer_sha256


def _named(keys: list[Key]) -> str:
    shown = ", ".join(f"{item!r} (attempt {attempt})" for item, attempt in keys[:_NAMED])
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{shown}{more}"
