"""Tokens by role times the user's prices; what has no price is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cost import Spender, TokenUse, cost_figures, cost_of, uses_of
from evals.prices import Price, PriceTable, load_prices
from store.errors import UsageError
from store.types import AlternativeRecord, StepKind, StepRecord
from tests.evals.behaviour_kit import PROVENANCE, answer, rollout, search

PRICES = PriceTable(
    models={
        "tiny": Price(input=1.0, cached_input=0.1, output=10.0),
        "judge": Price(input=2.0, output=4.0),
        "own": Price(input=0, output=0),
    }
)


def policy(input: int, output: int, *, cached: int | None = None, model: str = "tiny") -> TokenUse:
    return TokenUse(model, Spender.POLICY, input, output, cached)


def test_a_rollout_by_role() -> None:
    record = rollout(search("a", prompt_tokens=100), answer("x", prompt_tokens=140))
    judged = TokenUse("judge", Spender.JUDGE, 500, 50)
    cost = cost_of([*uses_of(record), judged], PRICES)
    assert uses_of(record) == [policy(240, 10)]
    assert cost.by_spender == {Spender.POLICY: pytest.approx(340e-6), Spender.JUDGE: pytest.approx(1200e-6)}
    assert cost.usd == pytest.approx(1540e-6) and cost.unpriced == ()


def test_cached_tokens_have_their_own_price_or_that_of_input() -> None:
    assert cost_of([policy(1000, 0, cached=800)], PRICES).usd == pytest.approx((200 + 80) / 1e6)
    assert cost_of([TokenUse("judge", Spender.JUDGE, 1000, 0, 800)], PRICES).usd == pytest.approx(2000e-6)


def test_what_a_prefix_cache_would_keep() -> None:
    summary = StepRecord(StepKind.COMPRESS, "so far", prompt_tokens=150, sampled_tokens=20)
    record = rollout(
        search("a", prompt_tokens=100, sampled_tokens=5),  # 105 are there then
        search("b", prompt_tokens=140, sampled_tokens=5),  # 105 cached, 145 there
        summary,  # 145 cached; a new prompt follows
        answer("x", prompt_tokens=60),
    )
    (use,) = uses_of(record, prefix_cache=True)
    assert (use.input, use.cached_input) == (450, 250)


def test_candidates_that_lost_are_paid_for() -> None:
    rivals = [AlternativeRecord("a", 0.9, kept=True, sampled_tokens=5), AlternativeRecord("b", 0.1, False, 7)]
    record = rollout(search("a", prompt_tokens=100, sampled_tokens=5, alternatives=rivals), answer("x"))
    assert uses_of(record) == [policy(210, 17)]
    assert uses_of(record, prefix_cache=True)[0].cached_input == 100  # the second candidate's prompt


def test_attempts_are_paid_at_their_own_model() -> None:
    other = replace(rollout(answer("x")), provenance=replace(PROVENANCE, model="own"))
    record = rollout(answer("x"), attempts=[other, other])
    assert [use.model for use in uses_of(record)] == ["tiny", "own", "own"]
    assert cost_of(uses_of(record), PRICES).usd == pytest.approx(60e-6)


def test_an_unknown_model_is_told_and_never_free() -> None:
    cost = cost_of([policy(10, 5), TokenUse("gpt-x", Spender.JUDGE, 10, 5)], PRICES)
    assert cost.usd is None and cost.unpriced == ("gpt-x",)
    assert cost.by_spender == {Spender.POLICY: pytest.approx(60e-6), Spender.JUDGE: None}
    figures = cost_figures({"q": [cost, cost_of([policy(10, 5)], PRICES)]})
    assert figures["usd_per_query"] is None and figures["unpriced"] == ["gpt-x"]
    assert cost_of([policy(0, 0, model="gpt-x")], PRICES).usd == 0.0  # nothing spent costs nothing anywhere


def test_a_query_costs_what_its_generations_cost_on_average() -> None:
    costs = {
        "a": [cost_of([policy(1_000_000, 0)], PRICES), cost_of([policy(3_000_000, 0)], PRICES)],
        "b": [cost_of([policy(0, 600_000)], PRICES)],
    }
    figures = cost_figures(costs)
    assert figures["usd_per_query"]["mean"] == pytest.approx(4.0)  # (2 + 6) / 2
    assert figures["tokens_per_query"]["policy"] == {"input": 1e6, "cached_input": None, "output": 3e5}
    assert (figures["questions"], figures["generations"]) == (2, 3)
    assert "judge" not in figures["tokens_per_query"]  # nobody said what the judge read: that is not 0


def test_small_costs_keep_their_digits() -> None:
    figures = cost_figures({"q": [cost_of([policy(123, 0)], PRICES)]})
    assert figures["usd_per_query"] == {"mean": 0.000123, "low": 0.000123, "high": 0.000123}


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="10 input tokens, 11 of them cached"):
        policy(10, 0, cached=11)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1))
def test_a_cache_never_makes_it_dearer(input: int, output: int, share: float) -> None:
    plain, cached = (cost_of([policy(input, output, cached=n)], PRICES).usd for n in (None, int(input * share)))
    assert plain is not None and cached is not None
    assert cached <= plain + 1e-9


def test_a_price_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[models."glm-4.5-air"]\ninput = 0.2\noutput = 1.1\n')
    assert load_prices(path).models == {"glm-4.5-air": Price(input=0.2, output=1.1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models.a]\ninput = 1\noutptu = 2\n", "unknown key 'models.a.outptu'; did you mean 'output'?"),
        ("[models.a]\ninput = 1\n", "key 'models.a.output': Field required; USD per million tokens"),
        ("[models.a]\ninput = -1\noutput = 2\n", "key 'models.a.input': Input should be greater than or equal to 0"),
        ("[models.a]\ninput = nan\noutput = 2\n", "key 'models.a.input': Input should be "),
        ("[gpt]\ninput = 1\noutput = 2\n", "unknown key 'gpt'; a model's prices stand under [models.\"gpt\"]"),
        ("[model.a]\ninput = 1\n", "unknown key 'model'; did you mean 'models'?"),
        ("[models.gpt-5.2]\ninput = 1\noutput = 2\n", 'a name with a point is quoted: [models."gpt-5.2"]'),
        ("[models.a.b.c]\ninput = 1\noutput = 2\n", 'is quoted: [models."a.b.c"]'),
        ("[models", "not valid TOML"),
    ],
)
def test_mistakes_in_a_price_file_name_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_prices(path)
    assert message in str(raised.value) and str(path) in str(raised.value)


def test_a_price_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the prices"):
        load_prices(tmp_path / "none.toml")
