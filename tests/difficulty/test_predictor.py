from __future__ import annotations

from dataclasses import replace

import difficulty_worlds as worlds
import numpy as np
import pytest

from planner.curves.logs import PromptTable
from planner.difficulty import DifficultyPredictor
from planner.difficulty.belief import SOURCES
from planner.errors import InvalidInput, NotEnoughData


def mean_log(probabilities, bins):
    return float(np.log(np.maximum(probabilities[np.arange(len(bins)), bins], 1e-9)).mean())


def test_a_word_that_tells_the_bin_is_learned_from_a_hundred_prompts():
    world = worlds.pooled_world(100, n_samples=64, seed=3)
    unseen = worlds.pooled_world(500, seed=4, prefix="q")
    belief = DifficultyPredictor().fit(world.table).believe(unseen.table.prompts.texts)
    assert (belief.bins.argmax(axis=1) == unseen.bins).mean() > 0.85
    assert mean_log(belief.bins, unseen.bins) > -0.5


def test_text_without_a_signal_gives_the_prior_and_says_so(silent):
    belief = silent.believe(("apple river plain number 17", "tiger glass plain number 3"))
    assert np.allclose(belief.bins, silent.prior_, atol=1e-6)
    assert SOURCES[belief.source[0]] == "prior"


def test_posteriors_are_calibrated_on_unseen_prompts(fitted, unseen):
    belief = fitted.believe(unseen.table.prompts.texts)
    assert np.allclose(belief.bins.sum(axis=1), 1, atol=1e-5)
    for b in range(belief.bins.shape[1]):
        assert belief.bins[:, b].mean() == pytest.approx((unseen.bins == b).mean(), abs=0.07)
    assert mean_log(belief.bins, unseen.bins) > -1.0


def test_single_outcomes_and_text_together_place_a_prompt_better_than_outcomes_alone():
    table, bins = worlds.single_world(600)
    plain, _ = worlds.single_world(600, telling=False)
    with_text, without = DifficultyPredictor().fit(table), DifficultyPredictor().fit(plain)
    assert mean_log(with_text.membership_, bins) > -0.8 > mean_log(without.membership_, bins)


def test_bins_hold_equal_shares_of_the_prompts(fitted):
    assert fitted.membership_.mean(axis=0) == pytest.approx(np.full(5, 0.2), abs=0.01)


def test_membership_follows_many_samples(telling, fitted):
    rates = (telling.table.pools.n_correct / telling.table.pools.n_samples)[:, 0]
    assert fitted.membership_[rates > 0.97, 0].mean() > 0.8
    assert fitted.membership_[rates < 0.03, -1].mean() > 0.8


def test_membership_of_the_training_table_is_near_the_fitted_one(telling, fitted):
    assert np.abs(fitted.membership(telling.table) - fitted.membership_).mean() < 0.03


def test_the_training_belief_is_out_of_fold(telling, fitted):
    in_fold = fitted.believe(telling.table.prompts.texts)
    assert mean_log(fitted.belief_.bins, telling.bins) <= mean_log(in_fold.bins, telling.bins) + 1e-6


def test_absolute_edges_are_kept_but_for_those_that_leave_a_bin_empty(telling):
    fitted = DifficultyPredictor(edges=(0.3, 0.7)).fit(telling.table)
    assert fitted.edges_.tolist() == [0.7, 0.3]
    hopeless = replace(telling.table.pools, n_correct=np.zeros_like(telling.table.pools.n_correct))
    assert DifficultyPredictor(edges=(0.99,)).fit(replace(telling.table, pools=hopeless)).edges_.tolist() == []


def test_prompts_that_are_all_solved_still_make_a_predictor(telling):
    pools = replace(telling.table.pools, n_correct=telling.table.pools.n_samples)
    fitted = DifficultyPredictor().fit(replace(telling.table, pools=pools))
    assert np.isfinite(fitted.membership_).all()
    assert fitted.believe(("apple trivial",)).pass_rate[0] > 0.9


def test_a_named_metadata_value_is_learned_and_an_unseen_one_is_unknown(telling):
    prompts = telling.table.prompts
    plain = tuple(text.split()[0] for text in prompts.texts)
    metadata = tuple({"level": f"L{b}", "steps": int(b)} for b in telling.bins)
    table = replace(telling.table, prompts=PromptTable(prompts.ids, plain, prompts.datasets, metadata))
    for name in ("level", "steps"):
        fitted = DifficultyPredictor(metadata_features=(name,)).fit(table)
        easy, hard, odd = (metadata[list(telling.bins).index(b)] for b in (0, 4, 4))
        odd = {"level": "L99", "steps": None}
        rates = fitted.believe(("apple",) * 3, None, (easy, hard, odd)).pass_rate
        assert rates[0] > rates[2] > rates[1]


def test_equal_data_and_seed_give_equal_bytes(telling):
    states = [DifficultyPredictor(random_state=5).fit(telling.table, telling.logs).to_state() for _ in range(2)]
    assert states[0][1] == states[1][1]
    assert repr(states[0][0]) == repr(states[1][0])


def test_the_reference_is_the_generator_with_most_sampled_prompts():
    table, _ = worlds.single_world(60)
    assert DifficultyPredictor().fit(table).reference_ == "small"
    assert DifficultyPredictor(reference="larger").fit(table).reference_ == "larger"
    with pytest.raises(InvalidInput, match="known are: larger, small"):
        DifficultyPredictor(reference="missing").fit(table)


def test_too_few_prompts_are_refused_with_what_to_do(telling):
    with pytest.raises(NotEnoughData, match="planner logs import"):
        DifficultyPredictor().fit(telling.table.take_prompts(range(5)))


def test_prompts_without_stored_text_have_the_prior(telling):
    prompts = telling.table.prompts
    bare = PromptTable(prompts.ids, (None,) * len(prompts), prompts.datasets, prompts.metadata)
    fitted = DifficultyPredictor().fit(replace(telling.table, prompts=bare))
    belief = fitted.believe(("How many primes are below 1000?", None))
    assert np.allclose(belief.bins, fitted.prior_, atol=1e-6)
