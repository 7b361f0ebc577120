"""docs/fogbench.md shows what the command makes."""

from __future__ import annotations

from pathlib import Path

from evals.fog.make import make_fog
from evals.fog.settings import REGIMES, FogSettings

PAGE = (Path(__file__).parents[3] / "docs" / "fogbench.md").read_text(encoding="utf-8")


def test_the_pages_examples_are_the_first_two_of_each_regime() -> None:
    items = make_fog(FogSettings()).items
    for regime in REGIMES:
        for item in [item for item in items if item.kind == regime][:2]:
            wanted = [item.key, item.question, *item.reference.splitlines(), item.proof, *item.gold]
            assert [text for text in wanted if text not in PAGE] == []


def test_the_page_names_every_knob_with_its_default() -> None:
    for name, knob in FogSettings.model_fields.items():
        default = "all six" if name == "regimes" else knob.default
        assert f"| `{name}` | {default} |" in PAGE
