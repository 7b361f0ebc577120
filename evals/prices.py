"""The price table: what a million tokens of each model cost, in USD, from the user's own TOML file.

[models."glm-4.5-air"]
input = 0.2
cached_input = 0.03   # optional; without it cached tokens cost what others do
output = 1.1
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from store.errors import UsageError

FILE = "prices.toml"  # beside karl.toml, where no other is given


class Price(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """USD a million tokens. A model of one's own may cost 0: say so."""

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0, description="read from a prompt cache; absent: as input")
    output: float = Field(ge=0)

    def usd(self, *, input: float, cached_input: float, output: float) -> float:
        cached = self.input if self.cached_input is None else self.cached_input
        return (input * self.input + cached_input * cached + output * self.output) / 1e6


class PriceTable(BaseModel, frozen=True, extra="forbid"):
    """Model -> price, by the exact name that rollouts and judges carry."""

    models: dict[str, Price] = Field(default_factory=dict)


def prices_in(folder: Path) -> PriceTable:
    """Of its `prices.toml`; without one no model has a price. Raises: as `load_prices`."""
    path = folder / FILE
    return load_prices(path) if path.is_file() else PriceTable()


def load_prices(path: Path) -> PriceTable:
    """Raises: UsageError naming file and key."""
    try:
        return PriceTable.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise UsageError(f"{path}: cannot read the prices: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: not valid TOML: {exc}") from exc
    except ValidationError as exc:
        told = [_problem(path, error) for error in exc.errors() if not _of_a_table_of_tables(error)]
        raise UsageError("\n".join(told)) from exc


def _problem(path: Path, error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] != "extra_forbidden":
        hint = "; USD per million tokens" if len(location) > 2 else ""
        return f"{path}: key {key!r}: {error['msg']}{hint}"
    if len(location) > 2 and isinstance(error["input"], dict):
        name = ".".join([*location[1:], *_below(error["input"])])
        return (
            f'{path}: [models.{name}] is read as a table in a table; a name with a point is quoted: [models."{name}"]'
        )
    known = Price.model_fields if len(location) > 1 else PriceTable.model_fields
    close = get_close_matches(location[-1], known, n=1)
    if len(location) == 1 and not close:
        return f'{path}: unknown key {key!r}; a model\'s prices stand under [models."{key}"]'
    return f"{path}: unknown key {key!r}; " + (
        f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    )


def _of_a_table_of_tables(error: Any) -> bool:
    """A price that is missing where tables stand instead: those are told."""
    return error["type"] == "missing" and any(isinstance(value, dict) for value in dict(error["input"]).values())


def _below(table: dict[str, Any]) -> list[str]:
    """Names of tables in a table, as long as each holds one table and nothing else."""
    names = list(table)
    inner = table[names[0]] if len(names) == 1 else None
    return [names[0], *_below(inner)] if isinstance(inner, dict) else []
