"""What a fog is made of: the seed and the knobs of its difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from store.errors import UsageError

Regime = Literal[
    "entity_search", "report_synthesis", "tabular_arithmetic", "entity_lists", "procedures", "meeting_notes"
]
REGIMES: tuple[Regime, ...] = get_args(Regime)
SMALL_CONSTRAINTS = 3  # the small vocabulary says three things of a customer that others may share
SMALL_LIST = 12  # of its 16 concerns, which the fact lists consist of


class FogSettings(BaseModel, frozen=True, extra="forbid"):
    """The same settings make the same files, byte for byte."""

    seed: int = Field(default=0, ge=0)
    size: int = Field(default=600, ge=20, le=50_000, description="documents, exactly as many")
    regimes: tuple[Regime, ...] = Field(
        default=REGIMES, min_length=1, description="what is asked; the documents hold all six"
    )
    questions: int = Field(default=10, ge=1, description="per regime, as far as the documents allow")
    hops: int = Field(
        default=2, ge=1, le=3, description="1: things are named; 2 and 3: described through one or two others"
    )
    constraints: int = Field(
        default=3, ge=2, le=5, description="of an entity search; 3 at most in the small vocabulary"
    )
    distractors: int = Field(
        default=3, ge=0, le=10, description="near misses of a question, and rows like the one asked about"
    )
    aliases: float = Field(default=0.3, ge=0, le=1, description="share of customers that accounts call by another name")
    conflicts: float = Field(
        default=0.3, ge=0, le=1, description="share of facts of which an older document says otherwise"
    )
    tables: int = Field(default=3, ge=1, le=5, description="of a filing")
    list_length: int = Field(
        default=5, ge=2, le=20, description="entities of a list, actions of a fact list, own steps"
    )
    vocabulary: Literal["full", "small"] = Field(
        default="full", description="small: the embedded policy's sentences and names"
    )

    @model_validator(mode="before")
    @classmethod
    def _small_defaults(cls, given: Any) -> Any:
        """The small vocabulary has neither dates nor second names: both knobs are off unless someone turns them on."""
        if isinstance(given, Mapping) and given.get("vocabulary") == "small":
            return {"aliases": 0.0, "conflicts": 0.0, **given}
        return given

    @field_validator("regimes", mode="after")
    @classmethod
    def _once(cls, regimes: tuple[Regime, ...]) -> tuple[Regime, ...]:
        """In the suite's order, so that the order of writing makes no other fog."""
        return tuple(regime for regime in REGIMES if regime in regimes)

    @model_validator(mode="after")
    def _small_can_say(self) -> FogSettings:
        limits = {"aliases": 0.0, "conflicts": 0.0, "constraints": SMALL_CONSTRAINTS, "list_length": SMALL_LIST}
        over = [f"{name} at most {limit:g}" for name, limit in limits.items() if getattr(self, name) > limit]
        if self.vocabulary == "small" and over:
            raise ValueError(f"the small vocabulary can't say that: {', '.join(over)}, or vocabulary=full")
        return self


def fog_settings(given: Mapping[str, Any]) -> FogSettings:
    """Raises: UsageError that names the setting, and what there is."""
    try:
        return FogSettings.model_validate(dict(given))
    except ValidationError as exc:
        problems = "; ".join(": ".join([*map(str, error["loc"][:1]), error["msg"]]) for error in exc.errors())
        raise UsageError(f"FogBench: {problems}; settings: {', '.join(FogSettings.model_fields)}") from exc
