"""`plugins`: one settings model per kind; the order in the file is the order in which they are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from graphs.schema.closed import Closed


class StepBudget(Closed):
    """Ends the rollout after `steps` turns; the reply before the last one ends with the `last_call` prompt."""

    kind: Literal["step_budget"]
    steps: int = Field(ge=1, description="turns of the policy; compressions do not count")
    last_call: bool = True


class Compression(Closed):
    """When the open segment exceeds `trigger_tokens` after a tool's reply, the policy summarises its history."""

    kind: Literal["compression"]
    trigger_tokens: int = Field(ge=1)
    summary_tokens: int = Field(ge=1)


class TokenBudget(Closed):
    """Ends the rollout once it has sampled `tokens` tokens."""

    kind: Literal["token_budget"]
    tokens: int = Field(ge=1)


PluginSpec = Annotated[StepBudget | Compression | TokenBudget, Field(discriminator="kind")]
PLUGIN_OUTCOMES = {"step_budget": "exhausted", "token_budget": "exhausted", "compression": "compress"}
