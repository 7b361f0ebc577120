"""Is the training still learning? NaN stops it, and so does a collapse that the loss alone does not show.

Every message ends with what is left: the last state that was saved while all was well is a checkpoint that serves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rl_backend.config import TrainConfig
from store.errors import KarlError

# Weight of the newest step in the running mean: one odd batch is no collapse, five in a row are.
NEWEST = 0.3


@dataclass(slots=True)
class Watch:
    """Sees every step's figures in order. Healthy on the tiny policy: winners +0.3..+0.8 nats, losers -2.7..-3.9."""

    config: TrainConfig
    winners: float = 0.0
    last_good: Path | None = None

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise KarlError, naming the step and the mend, when a figure is not finite or the winners' odds collapse."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(figures[name]):
                raise KarlError(
                    f"training step {step}: {name} is {figures[name]}. Lower lr (now {self.config.lr:g}) or grad_clip "
                    f"(now {self.config.grad_clip:g}), and check the base checkpoint. {self._left()}"
                )
        if self.config.algorithm == "oapl" and "logratio_winners" in figures:
            self.winners += NEWEST * (figures["logratio_winners"] - self.winners)
            self._check_collapse(step)

    def _check_collapse(self, step: int) -> None:
        limit = self.config.collapse_nats
        if limit is not None and self.winners < -limit:
            raise KarlError(
                f"training step {step}: winning rollouts have become {-self.winners:.1f} nats less likely (limit "
                f"collapse_nats = {limit:g}): the policy is collapsing. Raise beta2 (now {self.config.beta2:g}) or "
                f"lower lr (now {self.config.lr:g}). {self._left()}"
            )

    def check_unfinished(self, step: int, share: float) -> None:
        """Raise KarlError when an evaluation between epochs found too large a share of rollouts that never finish."""
        limit = self.config.max_unfinished
        if limit is not None and share > limit:
            raise KarlError(
                f"training step {step}: {share:.0%} of the rollouts of the evaluation no longer finish (limit "
                f"max_unfinished = {limit:g}): the policy is collapsing. Raise beta2 (now {self.config.beta2:g}), "
                f"lower lr (now {self.config.lr:g}) or train fewer epochs. {self._left()}"
            )

    def _left(self) -> str:
        if self.last_good is None:
            return "No checkpoint was written"
        return f"The last good checkpoint is {self.last_good}"
