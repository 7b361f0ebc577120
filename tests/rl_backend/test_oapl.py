"""OAPL's equations: limits, signs, invariances, and an independent float64 evaluation."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from rl_backend.oapl import (
    advantages,
    oapl_loss,
    optimal_value,
    policy_metrics,
    residual_metrics,
    segment_logratios,
)

REWARDS = tensor([0.0, 1.0, 1.0, 0.0, 0.25, 0.0, 1.0, 0.0])
GROUPS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=16).map(lambda rewards: tensor(rewards))
BETAS = st.floats(1e-3, 1e3)


def test_beta1_to_zero_gives_the_maximum():
    assert optimal_value(tensor([0.2, 0.9, 0.5]), beta1=1e-4).item() == pytest.approx(0.9, abs=1e-3)


def test_beta1_to_infinity_gives_the_mean():
    assert optimal_value(REWARDS, beta1=1e6).item() == pytest.approx(REWARDS.mean().item(), abs=1e-6)


def test_value_carries_the_one_over_g():
    # Without 1/G this would be ln(8), and every advantage of a solved question negative.
    assert optimal_value(torch.zeros(8), beta1=1.0).item() == 0.0


@pytest.mark.parametrize("reward", [0.0, 1.0, -3.5, 1e4])
@pytest.mark.parametrize("beta1", [1e-3, 1.0, 1e3])
def test_equal_rewards_give_zero_advantages(reward: float, beta1: float):
    assert advantages(torch.full((8,), reward), beta1=beta1).tolist() == [0.0] * 8


def test_small_beta1_does_not_overflow_float32():
    value = optimal_value(REWARDS, beta1=1e-3)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(1 + 1e-3 * math.log(3 / 8), abs=1e-6)


def test_winners_are_above_and_losers_below_zero():
    found = advantages(REWARDS, beta1=1.0)
    assert (found[REWARDS == 1.0] > 0).all()
    assert (found[REWARDS == 0.0] < 0).all()


def test_advantages_follow_a_permutation():
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(advantages(REWARDS[order], beta1=0.7), advantages(REWARDS, beta1=0.7)[order])


@given(GROUPS, BETAS)
def test_v_lies_between_the_mean_and_the_best_reward(rewards: torch.Tensor, beta1: float):
    value = optimal_value(rewards, beta1=beta1).item()
    assert math.isfinite(value)
    # So the advantages of a group never sum to more than nothing: the sign mistake of log-sum-exp without 1/G.
    assert rewards.mean().item() - 1e-5 <= value <= rewards.max().item() + 1e-6


@given(GROUPS, BETAS)
def test_v_is_the_equation_in_float64(rewards: torch.Tensor, beta1: float):
    top = max(rewards.tolist())
    mean = math.fsum(math.exp((reward - top) / beta1) for reward in rewards.tolist()) / len(rewards)
    assert optimal_value(rewards, beta1=beta1).item() == pytest.approx(top + beta1 * math.log(mean), rel=1e-5, abs=2e-6)


@given(GROUPS, BETAS, st.integers(2, 5))
def test_the_same_rollouts_several_times_do_not_move_v(rewards: torch.Tensor, beta1: float, times: int):
    once, often = optimal_value(rewards, beta1=beta1), optimal_value(rewards.repeat(times), beta1=beta1)
    assert often.item() == pytest.approx(once.item(), abs=1e-5)


@given(GROUPS, BETAS, st.floats(-100, 100, width=16))
def test_a_constant_reward_moves_v_and_no_advantage(rewards: torch.Tensor, beta1: float, constant: float):
    rewards = rewards.double()
    torch.testing.assert_close(
        advantages(rewards + constant, beta1=beta1), advantages(rewards, beta1=beta1), atol=1e-10, rtol=0
    )


@given(GROUPS, BETAS, st.randoms(use_true_random=False))
def test_order_within_a_group_means_nothing(rewards: torch.Tensor, beta1: float, draw: random.Random):
    order = draw.sample(range(len(rewards)), len(rewards))
    moved = advantages(rewards[order], beta1=beta1)
    torch.testing.assert_close(moved, advantages(rewards, beta1=beta1)[order], atol=1e-5, rtol=1e-5)


def test_advantages_match_a_hand_computed_group():
    value = math.log((math.e + 1) / 2)
    assert advantages(tensor([1.0, 0.0]), beta1=1.0).tolist() == pytest.approx([1 - value, -value], abs=1e-6)


@pytest.mark.parametrize("beta1", [0.0, -1.0, math.nan])
def test_a_beta1_that_is_not_positive_is_refused(beta1: float):
    with pytest.raises(ValueError, match="beta1"):
        optimal_value(REWARDS, beta1=beta1)


def test_an_empty_group_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        optimal_value(torch.zeros(0), beta1=1.0)


def test_logratio_is_a_sum_over_trained_tokens_not_a_mean():
    logp, ref = tensor([-1.0, -2.0, -3.0, -1.0, -1.0]), tensor([-1.5, -1.0, -9.0, -2.0, -4.0])
    mask = tensor([1, 1, 0, 1, 1])
    assert segment_logratios(logp, ref, mask, lengths_S=tensor([3, 2])).tolist() == pytest.approx([-0.5, 4.0])


def test_masked_tokens_may_hold_anything():
    logp, ref = tensor([math.inf, -1.0], requires_grad=True), tensor([math.nan, -1.0])
    found = segment_logratios(logp, ref, tensor([0, 1]), lengths_S=tensor([2]))
    found.sum().backward()
    assert found.tolist() == [0.0]
    assert logp.grad is not None and logp.grad.tolist() == [0.0, 1.0]


def test_loss_of_one_segment():
    assert oapl_loss(tensor([2.0]), tensor([0.5]), beta2=0.5).loss.item() == pytest.approx(0.25)


def test_per_rollout_sums_before_squaring():
    logratio_S, advantage_R = tensor([1.0, -3.0, 2.0]), tensor([0.5, -0.5])
    found = oapl_loss(logratio_S, advantage_R, beta2=0.1, term_S=tensor([0, 0, 1]))
    assert found.residual_K.tolist() == pytest.approx([-0.7, 0.7])
    assert found.loss.item() == pytest.approx(0.49)


def test_padding_terms_weigh_nothing():
    loss = oapl_loss(tensor([2.0, 50.0]), tensor([0.5, 9.0]), beta2=0.5, weight_K=tensor([1.0, 0.0])).loss
    assert loss.item() == pytest.approx(0.25)


def test_micro_batches_add_up_to_the_whole():
    logratio, advantage = torch.randn(6), torch.randn(6)
    parts = [oapl_loss(logratio[i : i + 2], advantage[i : i + 2], beta2=0.3, denominator=6).loss for i in (0, 2, 4)]
    assert sum(p.item() for p in parts) == pytest.approx(oapl_loss(logratio, advantage, beta2=0.3).loss.item())


def test_gradient_raises_winners_and_lowers_losers():
    logratio = torch.zeros(2, requires_grad=True)
    oapl_loss(logratio, tensor([0.4, -0.6]), beta2=0.1).loss.backward()
    assert logratio.grad is not None
    assert logratio.grad.tolist() == pytest.approx([-0.04, 0.06])


def test_loss_matches_an_independent_float64_evaluation():
    draw = random.Random(7)
    groups = [[float(draw.random() < 0.5) for _ in range(8)] for _ in range(6)]
    segments, terms, lengths, tokens = [], [], [], []
    for rewards in groups:
        value = 0.3 * math.log(sum(math.exp(r / 0.3) for r in rewards) / len(rewards))
        for reward in rewards:
            for _ in range(draw.randint(1, 3)):
                row = [(-3 * draw.random(), -3 * draw.random(), draw.randint(0, 1)) for _ in range(draw.randint(2, 90))]
                segments.append((0.1 * sum(m * (p - q) for p, q, m in row) - (reward - value)) ** 2)
                terms.append((rewards, reward))
                lengths.append(len(row))
                tokens += row
    expected = sum(segments) / len(segments)
    logp, ref, mask = (tensor(column) for column in zip(*tokens, strict=True))
    settled = {tuple(g): advantages(tensor(g), beta1=0.3) for g in groups}
    advantage_S = torch.stack([settled[tuple(g)][g.index(r)] for g, r in terms])
    logratio_S = segment_logratios(logp, ref, mask, lengths_S=tensor(lengths))
    assert oapl_loss(logratio_S, advantage_S, beta2=0.1).loss.item() == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-1, 1)), min_size=1, max_size=12), st.integers(1, 12))
def test_the_loss_is_the_same_however_it_is_split(terms: list[tuple[float, float]], size: int):
    logratio, advantage = tensor(terms, dtype=torch.float64).T
    whole = oapl_loss(logratio, advantage, beta2=0.1).loss
    parts = [
        oapl_loss(ratio, target, beta2=0.1, denominator=len(terms)).loss
        for ratio, target in zip(logratio.split(size), advantage.split(size), strict=True)
    ]
    assert math.fsum(part.item() for part in parts) == pytest.approx(whole.item(), rel=1e-12)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_per_rollout_does_not_see_where_a_rollout_was_cut(counts: list[int], draw: random.Random):
    term_S = torch.repeat_interleave(torch.arange(len(counts)), tensor(counts))
    logratio_S = tensor([draw.uniform(-5, 5) for _ in term_S], dtype=torch.float64)
    advantage_R = tensor([draw.uniform(-1, 1) for _ in counts], dtype=torch.float64)
    summed_R = torch.zeros(len(counts), dtype=torch.float64).index_add(0, term_S, logratio_S)
    cut = oapl_loss(logratio_S, advantage_R, beta2=0.3, term_S=term_S).loss
    assert cut.item() == pytest.approx(oapl_loss(summed_R, advantage_R, beta2=0.3).loss.item(), rel=1e-12)


def test_the_optimum_is_a_loss_of_nothing_and_a_gradient_of_nothing():
    advantage = advantages(REWARDS, beta1=1.0)
    logratio = (advantage / 0.1).requires_grad_()
    found = oapl_loss(logratio, advantage, beta2=0.1)
    found.loss.backward()
    assert found.loss.item() < 1e-12
    assert logratio.grad is not None and logratio.grad.abs().max() < 1e-7


def test_metrics_of_a_known_step():
    logratio, reward = tensor([1.0, -2.0, 40.0]), tensor([1.0, 0.0, 1.0])
    figures = policy_metrics(logratio, tensor([0.5, -0.5, 0.5]), reward, token_count=13)
    assert figures["reward"] == pytest.approx(2 / 3)
    assert figures["logratio_winners"] == pytest.approx(20.5)
    assert figures["logratio_losers"] == pytest.approx(-2.0)
    assert figures["kl_forward"] == pytest.approx(-13.0)
    assert figures["weighted_reward"] == pytest.approx((math.e + 5.0) / 3)  # exp(40) is clipped at 5
    assert figures["kl_reverse"] == pytest.approx((1 + (1 - 3 * math.exp(-2)) + (5 * math.log(5) - 4)) / 3)
    assert figures["winner_share"] == pytest.approx(2 / 3)
    assert figures["nll_shift"] == pytest.approx(-3.0)


def test_residuals_and_the_loss_are_split_by_the_sign_of_the_advantage():
    figures = residual_metrics(tensor([0.1, -0.3, 0.4, 5.0]), tensor([0.5, 0.5, -0.5, 0.0]))
    assert figures["residual_abs"] == pytest.approx(5.8 / 4)
    assert figures["residual_winners"] == pytest.approx(-0.1)
    assert figures["residual_losers"] == pytest.approx(0.4)
    assert figures["loss_winners"] == pytest.approx(0.05)
    assert figures["loss_losers"] == pytest.approx(0.16)


def test_metrics_of_an_empty_class_are_left_out():
    figures = policy_metrics(tensor([1.0]), tensor([0.0]), tensor([1.0]), token_count=1)
    figures |= residual_metrics(tensor([1.0]), tensor([0.0]))
    assert not any("winners" in name or "losers" in name for name in figures)


def test_no_reward_and_no_change_are_a_kl_of_nothing():
    figures = policy_metrics(torch.zeros(4), tensor([1.0, -1.0, 1.0, -1.0]), tensor([1.0, 0, 1, 0]), token_count=9)
    assert figures["kl_forward"] == figures["kl_reverse"] == figures["nll_shift"] == 0.0
    assert figures["weighted_reward"] == figures["reward"] == 0.5
