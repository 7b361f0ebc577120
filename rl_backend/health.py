"""Is the training still learning? NaN stops it, and so does a collapse that the loss alone does not show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rl_backend.config import TrainConfig
from store.errors import KarlError

# Weight of the newest step in the running mean: one odd batch is no collapse, five in a row are.
NEWEST = 0.3


@dataclass(slots=True)
class Watch:
    """Sees every step's figures in order. Healthy on the tiny policy: winners +0.3..+0.8 nats, losers -2.7..-3.9."""

    config: TrainConfig
    winners: float = 0.0

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise KarlError, naming the step and the mend, when a figure is not finite or the winners' odds collapse."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(figures[name]):
                raise KarlError(
                    f"training step {step}: {name} is {figures[name]}. Lower lr (now {self.config.lr:g}) or grad_clip "
                    f"(now {self.config.grad_clip:g}), and check the base checkpoint. No checkpoint was written"
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
                f"lower lr (now {self.config.lr:g}). No checkpoint was written"
            )
