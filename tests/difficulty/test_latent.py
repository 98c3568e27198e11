from __future__ import annotations

import difficulty_worlds as worlds
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core import Arm
from planner.curves.logs import Pool
from planner.difficulty.bins import RATES, RatePosterior, folds_of, rate_posterior
from planner.difficulty.evidence import gather
from planner.difficulty.latent import LOGITS, fit_latent, normal_log_prior
from planner.policy.evidence import Evidence as Outcomes


def shrunken_rates(table, column=0):
    evidence = gather(table)
    latent = fit_latent(evidence)
    return rate_posterior(latent, evidence, column, normal_log_prior(np.zeros(1), 1.0)).mean


def test_shrunken_rates_are_nearer_the_truth_than_raw_ones():
    world = worlds.pooled_world(400, n_samples=4)
    raw = (world.table.pools.n_correct / 4)[:, 0]
    shrunken = shrunken_rates(world.table)
    assert np.square(shrunken - world.rates).mean() < 0.8 * np.square(raw - world.rates).mean()


def test_other_generators_tell_of_prompts_without_reference_samples():
    world = worlds.pooled_world(300, n_samples=32)
    pools = world.table.pools
    n = np.repeat(pools.n_samples, 2, axis=1)
    correct = np.repeat(pools.n_correct, 2, axis=1)
    n[::2, 0] = correct[::2, 0] = 0
    empty = np.zeros((300, 0), np.float32)
    table = worlds.outcome_table(world.table.prompts, (), empty, empty, (Pool("a"), Pool("b")), n, correct)
    rates = shrunken_rates(table)
    assert np.corrcoef(rates[::2], world.rates[::2])[0, 1] > 0.9


def test_outcomes_replayed_from_a_pool_are_not_counted_twice(telling):
    n = len(telling.table.prompts)
    arms = (Arm(generator="small", breadth=4, selection="majority_vote"), Arm(generator="small", search="mcts"))
    outcome, weight = np.full((n, 2), 0.5, np.float32), np.full((n, 2), 2, np.float32)
    pools = telling.table.pools
    table = worlds.outcome_table(
        telling.table.prompts, arms, outcome, weight, pools.pools, pools.n_samples, pools.n_correct, slot_pool=(0, 0)
    )
    evidence = gather(table)
    assert evidence.is_pool.tolist() == [True, False]
    assert "mcts" in evidence.keys[1]


def test_votes_over_two_pools_of_a_generator_are_not_counted_beside_their_samples():
    """Half of the prompts are in a pool that nobody scored: a vote is replayed from either, and names only one."""
    scored = np.arange(20) < 10
    n = np.stack([np.where(scored, 8, 0), np.where(scored, 0, 8)], axis=1).astype(np.float32)
    arms = (
        Arm(generator="small", breadth=4, selection="majority_vote"),
        Arm(generator="small", verifier="judge", breadth=4, selection="best_of_n"),
    )
    outcome = np.full((20, 2), 0.5, np.float32)
    pools = (Pool("small", "judge"), Pool("small"))
    prompts = worlds.pooled_world(20).table.prompts
    table = worlds.outcome_table(prompts, arms, outcome, 2 * outcome, pools, n, n / 2, slot_pool=(1, 0))
    evidence = gather(table)
    assert evidence.is_pool.tolist() == [True, True, False]
    assert "best_of_n" in evidence.keys[2]  # runs of it on prompts whose samples have no scores tell of those
    assert evidence.n[:, 2].tolist() == [0.0] * 10 + [1.0] * 10


def test_selections_over_one_searchs_candidates_count_its_runs_once():
    """Two runs of a search on each prompt, whose candidates four selections choose from on every second prompt."""
    beam = Arm(generator="small", verifier="judge", search="beam_search", breadth=4, params={"beam_width": 2})
    by_least = {"selection": "weighted_vote", "params": {"beam_width": 2, "step_score": "min"}}
    others = ({"selection": "majority_vote"}, {"selection": "best_of_n"}, by_least)
    arms = (
        beam.model_copy(update={"selection": "weighted_vote"}),
        *(beam.model_copy(update=other) for other in others),
        beam.model_copy(update={"params": {"beam_width": 4}}),
    )
    outcome = np.full((20, 5), 0.5, np.float32)
    outcome[::2, 1:4] = np.nan
    none, prompts = np.zeros((20, 0), np.float32), worlds.pooled_world(20).table.prompts
    table = worlds.outcome_table(prompts, arms, outcome, np.where(np.isnan(outcome), 0, 2), (), none, none)
    evidence = gather(table)
    assert evidence.n[0].tolist() == [2, 0, 0, 0, 2]
    assert evidence.n[1].tolist() == [0.5, 0.5, 0.5, 0.5, 2]
    assert evidence.correct == pytest.approx(evidence.n / 2)
    assert Outcomes.of(table).n_outcomes == 20 * 4


@settings(max_examples=30)
@given(st.lists(st.floats(0.02, 0.98), min_size=1, max_size=6, unique=True), st.integers(0, 2**16))
def test_membership_is_a_distribution_for_any_edges(edges, seed):
    mass = np.random.default_rng(seed).dirichlet(np.full(len(RATES), 0.1), size=3)
    membership = RatePosterior(mass).membership(np.array(sorted(edges, reverse=True)))
    assert (membership >= -1e-9).all()
    assert membership.sum(axis=1) == pytest.approx(np.ones(3))


def test_membership_splits_the_mass_at_the_edge():
    mass = np.zeros((1, len(LOGITS)))
    mass[0, len(LOGITS) // 2] = 1.0
    assert RatePosterior(mass).membership(np.array([0.5]))[0] == pytest.approx([0.5, 0.5])


def test_prompts_of_equal_text_share_a_fold():
    folds = folds_of(["a", "b", "a", None, None, "b"], 3, seed=0)
    assert folds[0] == folds[2]
    assert folds[1] == folds[5]


def test_prompts_that_all_have_one_text_are_held_out_one_by_one():
    assert len(set(folds_of(["a"] * 20, 3, seed=0).tolist())) == 3
