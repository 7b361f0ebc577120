"""Costs by the price table of the folder; a model without a price, or a table that cannot be read, is said so."""

from __future__ import annotations

from pathlib import Path

from karl.control.prices import Costs, Tokens, costs

TABLE = '[models."glm"]\ninput = 0.5\ncached_input = 0.1\noutput = 2.0\n'
SPENT = [Tokens("glm", 3_000_000, 500_000), Tokens("tiny", 10, 10)]


def test_costs_of_models_with_and_without_a_price(tmp_path: Path):
    assert costs(SPENT, folder=tmp_path) == Costs((None, None), "")
    (tmp_path / "prices.toml").write_text(TABLE, encoding="utf-8")
    assert costs(SPENT, folder=tmp_path) == Costs((2.5, None), "")


def test_a_broken_table_is_told(tmp_path: Path):
    (tmp_path / "prices.toml").write_text('[models."glm"]\ninput = "dear"\noutput = 1\n', encoding="utf-8")
    found = costs(SPENT, folder=tmp_path)
    assert found.usd == (None, None)
    assert "prices.toml: key 'models.glm.input'" in found.problem
