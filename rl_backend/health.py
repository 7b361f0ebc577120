"""Is the training still learning? NaN stops it, and so does a collapse that the loss alone does not show.

Every message ends with what is left: the last state that was saved while all was well is a checkpoint that serves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rl_backend.config import TrainConfig
from store.errors import CollapseError

# Weight of the newest step in the running mean: one odd batch is no collapse, five in a row are.
NEWEST = 0.3


@dataclass(slots=True)
class Watch:
    """Sees every step's figures in order. Healthy on the tiny policy: winners +0.3..+0.8 nats, losers -2.7..-3.9.

    A collapse does not show in the loss: V is no less than the mean reward, so the advantages of a group sum to 0 or
    less and the regression pushes more than it pulls; what winners and losers have in common sinks while it falls.
    """

    config: TrainConfig
    winners: float = 0.0
    losers: float = 0.0
    last_good: Path | None = None

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise CollapseError, naming step and mend, when a figure is not finite or the winners' odds collapse."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(figures[name]):
                raise CollapseError(
                    f"training step {step}: {name} is {figures[name]}. Lower lr (now {self.config.lr:g}) or grad_clip "
                    f"(now {self.config.grad_clip:g}), and check the base checkpoint. {self._left()}"
                )
        if self.config.algorithm != "sft":  # its reference may be a script, which has no log-probs
            self.winners = _running(self.winners, figures.get("logratio_winners"))
            self.losers = _running(self.losers, figures.get("logratio_losers"))
            self._check_collapse(step, "winning", self.winners, key="collapse_nats", limit=self.config.collapse_nats)
            losers_limit = self.config.collapse_losers_nats
            self._check_collapse(step, "losing", self.losers, key="collapse_losers_nats", limit=losers_limit)

    def _check_collapse(self, step: int, which: str, logratio: float, *, key: str, limit: float | None) -> None:
        if limit is not None and logratio < -limit:
            raise CollapseError(
                f"training step {step}: {which} rollouts have become {-logratio:.1f} nats less likely (limit {key} = "
                f"{limit:g}; winners {self.winners:+.1f}, losers {self.losers:+.1f}): the policy is collapsing. "
                f"{self._mend()}. {self._left()}"
            )

    def check_unfinished(self, step: int, share: float) -> None:
        """Raise CollapseError when an evaluation between epochs found too many rollouts that never finish."""
        limit = self.config.max_unfinished
        if limit is not None and share > limit:
            raise CollapseError(
                f"training step {step}: {share:.0%} of the rollouts of the evaluation no longer finish (limit "
                f"max_unfinished = {limit:g}): the policy is collapsing. {self._mend()}, or train fewer epochs. "
                f"{self._left()}"
            )

    def _mend(self) -> str:
        lr = f"lower lr (now {self.config.lr:g})"
        match self.config.algorithm:
            case "oapl":
                return f"Raise beta2 (now {self.config.beta2:g}) or {lr}"
            case "grpo":
                return f"Raise kl_coef (now {self.config.kl_coef:g}) or {lr}"
            case "sft":
                return lr.capitalize()

    def _left(self) -> str:
        if self.last_good is None:
            return "No checkpoint was written"
        return f"The last good checkpoint is {self.last_good}"


def _running(mean: float, newest: float | None) -> float:
    return mean if newest is None else mean + NEWEST * (newest - mean)
