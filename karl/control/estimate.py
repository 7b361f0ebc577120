"""What a run will make and spend: rollouts from its settings, tokens and seconds as in an earlier run of this store,
cost from the user's prices. What nobody knows is None, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.prices import PriceTable
from karl.run_config import RunConfig
from store import queries
from store.queries import Pace
from store.session import Session
from store.types import Role, Stage

PRICES = "prices.toml"  # beside karl.toml, as `karl eval` reads it


@dataclass(frozen=True, slots=True)
class Estimate:
    """At most, for all iterations together.

    rollouts: kind -> how many; read, sampled: tokens; like: the earlier run that tokens and seconds are reckoned from,
    None: there is none; model: whose price is looked up; usd None: its price, or the tokens, are unknown.
    """

    rollouts: Mapping[str, int]
    like: str | None
    model: str
    read: int | None
    sampled: int | None
    seconds: float | None
    usd: float | None
    priced: bool

    @property
    def total(self) -> int:
        return sum(self.rollouts.values())


def rollouts_of(config: RunConfig, *, stages: Sequence[str], asked: int | None, epochs: int) -> dict[str, int]:
    """kind -> rollouts, at most. stages: of the iteration graph; asked: questions of the user's file, None: there is
    none; epochs: of the recipe, after each of which the validation questions are tried.
    """
    temperatures = len(config.eval_temperatures)
    arms = (1 + config.sft_control) if "train" in stages else 1
    held = config.held_out if asked is None else min(config.held_out, asked)
    evaluations = (1 + temperatures) + arms * (config.iterations * ("evaluate" in stages) + temperatures)
    trainings = config.iterations * arms if "train" in stages else 0
    found = {
        "hold out": 0 if asked is not None else 2 * config.held_out,
        "synthesize": config.iterations * config.generator_runs if "synthesize" in stages else 0,
        "solve": config.iterations * config.max_tasks * config.group_size if "solve" in stages else 0,
        "validate": trainings * epochs * config.validation_questions * config.validation_samples,
        "evaluate": evaluations * held * config.eval_samples,
    }
    return {kind: count for kind, count in found.items() if count}


def earlier(session: Session, config: RunConfig, *, model: str) -> Pace | None:
    """How the newest run of this policy, or of one trained from it, went; one with the same recipe before others.

    None: there is none. Another policy's tokens and seconds would say nothing.
    """
    same = [run for run in queries.paced_runs(session) if run.model == model]
    same.sort(key=lambda run: run.recipe != config.recipe)  # stable: the newest first among equals
    return queries.pace(session, same[0]) if same else None


def estimate(rollouts: Mapping[str, int], like: Pace | None, *, model: str, prices: PriceTable) -> Estimate:
    """`like`: from whose rollouts tokens and seconds are reckoned."""
    read, sampled = _tokens(rollouts, like)
    price = prices.models.get(model)
    usd = None
    if price is not None and read is not None and sampled is not None:
        usd = price.usd(input=read, cached_input=0, output=sampled)
    return Estimate(
        rollouts=dict(rollouts),
        like=like.run if like else None,
        model=model,
        read=read,
        sampled=sampled,
        seconds=_seconds(rollouts, like),
        usd=usd,
        priced=price is not None,
    )


def _role(kind: str) -> Role:
    return Role.GENERATOR if kind in ("hold out", "synthesize") else Role.SOLVER


def _tokens(rollouts: Mapping[str, int], like: Pace | None) -> tuple[int | None, int | None]:
    """(read, sampled); None where a role's are unknown."""
    if like is None or any(_role(kind) not in like.spent for kind in rollouts):
        return None, None
    spent = [(count, like.spent[_role(kind)]) for kind, count in rollouts.items()]
    sampled = round(sum(count * tokens.sampled for count, tokens in spent))
    prompts = [count * tokens.prompt for count, tokens in spent if tokens.prompt is not None]
    return (round(sum(prompts)) if len(prompts) == len(spent) else None), sampled


def _seconds(rollouts: Mapping[str, int], like: Pace | None) -> float | None:
    """A stage goes by the rollouts that it makes, one that makes none by those that it works on."""
    if like is None:
        return None
    by_stage = {
        Stage.SYNTHESIZE: rollouts.get("synthesize", 0) + rollouts.get("hold out", 0),
        Stage.DEDUPLICATE: rollouts.get("synthesize", 0),
        Stage.SOLVE: rollouts.get("solve", 0),
        Stage.FILTER: rollouts.get("solve", 0),
        Stage.TRAIN: rollouts.get("solve", 0),
        Stage.EVALUATE: rollouts.get("evaluate", 0) + rollouts.get("validate", 0),
    }
    if any(count and stage not in like.seconds for stage, count in by_stage.items()):
        return None
    return sum(count * like.seconds[stage] for stage, count in by_stage.items() if count)
