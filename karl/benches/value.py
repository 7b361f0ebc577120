"""Does a trained value model tell right from wrong on unknown questions, and does guided search pay for its tokens?

Per seed: rollouts of one generated company train the value model; on another company it is measured, and guided search
(k = 2, N searches, votes) is held against parallel sampling with a majority vote that cost at least as many tokens,
at several temperatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from evals.bench_frame import Target, bench_report, commit
from karl.benches.value_gains import BEST, claimed, lowest, vote_figures
from karl.benches.value_seed import SeedFigures, ValueBench, measure_seed
from karl.reporting import Reporter
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from rl_backend.checkpoint import weights_sha256
from store.jsonfile import read_json, write_json

CANDIDATES = 2


class KeptSeed(BaseModel, frozen=True, extra="forbid"):
    """A seed that was measured, and with what."""

    made_with: dict[str, Any]
    figures: SeedFigures


def value_bench(
    *, seeds: Sequence[int], sizes: ValueBench, checkpoint: Path = POLICY_FOLDER, settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """Figures per seed, and votes over the questions of all seeds with bootstrap intervals.

    A seed that the same commit has measured with the same sizes is not measured again.
    """
    measured = {
        seed: _measured(seed, sizes, checkpoint=checkpoint, settings=settings, reporter=reporter) for seed in seeds
    }
    return value_report(measured, sizes)


def value_report(measured: dict[int, SeedFigures], sizes: ValueBench) -> dict[str, Any]:
    votes = vote_figures({seed: figures.contests for seed, figures in measured.items()})
    claim = claimed(votes, searches=sizes.searches_compared[-1])
    return bench_report(
        "value",
        figures={
            "seeds": list(measured),
            "sizes": sizes._asdict(),
            "candidates": CANDIDATES,
            "per_seed": [figures.model_dump(exclude={"contests"}) for figures in measured.values()],
            "guided weighted majority over parallel majority": claim,
            "votes": votes,
        },
        compared={
            "parallel": "the same policy, majority vote, at least as many sampled tokens but for `short_draws`",
            "likelihood": "the same search guided by the policy's own likelihood",
            "base rate": "a constant: the share of correct tokens of the training rollouts",
        },
        targets=_targets([figures.held_out for figures in measured.values()], claim["trained"]),
        seconds=sum(figures.seconds for figures in measured.values()),
        seed=next(iter(measured)),
    )


def _targets(held_out: Sequence[dict[str, Any]], gains: dict[str, Any]) -> list[Target]:
    """The first pair of temperatures is that of the first temperature on both sides."""
    worst_auc = min(held["model"]["auc"] for held in held_out)
    below = min(held["base rate"]["cross_entropy"] - held["model"]["cross_entropy"] for held in held_out)
    return [
        Target("AUC at turns' ends on another company, worst seed", worst_auc, ">", 0.5),
        Target("cross-entropy below the base rate's, worst seed", below, ">", 0.0),
        *(
            Target(
                "guided search, weighted majority, over parallel majority at equal tokens, "
                f"{pair}: low end of the interval or worst seed",
                lowest(gains[pair]),
                ">",
                0.0,
            )
            for pair in (next(iter(gains)), BEST)
        ),
    ]


def _measured(seed: int, sizes: ValueBench, *, checkpoint: Path, settings: Settings, reporter: Reporter) -> SeedFigures:
    path = Path(settings.home) / "bench" / f"value-{seed}.json"
    made_with = {
        "commit": commit(),
        "checkpoint": weights_sha256(checkpoint),
        "sizes": {**sizes._asdict(), "temperatures": list(sizes.temperatures)},
    }
    if found := kept_figures(path, made_with=made_with):
        reporter.say(f"seed {seed}: measured before, {path}")
        return found
    figures = measure_seed(seed, sizes, checkpoint=checkpoint, settings=settings, reporter=reporter)
    keep_figures(path, figures, made_with=made_with)
    return figures


def keep_figures(path: Path, figures: SeedFigures, *, made_with: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, KeptSeed(made_with=made_with, figures=figures).model_dump(mode="json"))


def kept_figures(path: Path, *, made_with: dict[str, Any]) -> SeedFigures | None:
    """None for other code, sizes or weights; code that is no commit, or differs from it (+), is never the same."""
    if not path.is_file() or str(made_with["commit"] or "+").endswith("+"):
        return None
    try:
        kept = KeptSeed.model_validate(read_json(path))
    except ValidationError:  # written by another version, so by another commit
        return None
    return kept.figures if kept.made_with == made_with else None
