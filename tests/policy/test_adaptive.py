"""What a session decides by: answers pooled, plans found by replay, and none where too little is logged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.artifacts.arrays import from_json, to_json
from planner.core import Budget, ModelCard, Sample
from planner.curves.cascade_draws import source
from planner.policy.adaptive.contest import fit_adaptive
from planner.policy.adaptive.draws import Drawable, empty, lattice, slots_of, successors
from planner.policy.adaptive.learn import lay_out, learn
from planner.policy.adaptive.logistic import Logistic
from planner.policy.adaptive.model import Adaptive, Contest, Seat
from planner.policy.adaptive.plan import Plan
from planner.policy.adaptive.plans import THRESHOLDS, Search, carry
from planner.policy.adaptive.replays import pool_rates
from planner.policy.adaptive.seen import Judged, Seen
from planner.policy.evaluate import evaluate

REVISED = (Drawable("small", most_chains=2), Drawable("reviser", most_chains=1, most_attempts=3))
GOOD = Contest(np.array([1.0, 1e12]), np.array([0.01, 0.01]), np.array([0.0, 0.0]))


@pytest.fixture(scope="module")
def logs():
    """Cheap samples with a verifier's score, and dear ones of a better generator without."""
    rng = np.random.default_rng(1)
    return world.pooled_logs(world.draw_prompts(30, rng), rng, n_small=16, n_larger=4)


@pytest.fixture(scope="module")
def learned(logs):
    return learn(logs, source(logs), np.arange(len(logs.prompts)), seed=0)


@pytest.fixture(scope="module")
def adaptive(logs):
    return fit_adaptive(logs, evaluate(logs, folds=3, seed=0, probes=()), seed=0)


@pytest.fixture(scope="module")
def seen(logs, learned):
    replays = lay_out(logs, source(logs), learned.where, np.arange(len(logs.prompts)), seed=3)
    return Seen(replays, [Judged(learned.model, np.arange(len(replays)))])


def test_a_lattice_holds_every_state_that_draws_can_lead_to():
    nodes = lattice(REVISED)
    assert nodes[0] == empty(REVISED)
    assert len(nodes) == len(set(nodes)) == 3 * 4
    assert all(len(slots_of(after)) == len(slots_of(node)) + 1 for node in nodes for after in _after(node))
    assert {after for node in nodes for after in _after(node)} == set(nodes[1:])


def _after(node):
    return successors(node, REVISED).values()


def test_a_further_attempt_needs_a_chain_to_go_on():
    assert set(successors(empty(REVISED), REVISED)) == {0, 2}
    assert set(successors(((), (1,)), REVISED)) == {0, 3}


def test_a_logistic_regression_finds_the_weights_that_made_its_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2)) * [1.0, 5.0] + [3.0, 0.0]
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-(x @ [1.0, -0.2] - 2.0)))).astype(float)
    found = Logistic.fit(x, y, ridge=1e-3)
    assert np.allclose([*found.weights, found.intercept], [1.0, -0.2, -2.0], atol=0.1)


def test_the_pooled_chance_is_calibrated_on_replays(seen):
    for node in (((1,), ()), ((1, 1, 1), ()), ((1, 1), (1,))):
        chance, grade = seen.at(node)
        assert abs(chance.mean() - grade.mean()) < 0.04
        assert grade[chance > 0.8].mean() > grade[chance < 0.5].mean() + 0.3


def test_agreement_and_scores_raise_the_chance_and_disagreement_lowers_it(adaptive):
    one = Sample(answer="7", score=0.9)
    alone = adaptive.best([Seat(0, one)])
    agreed = adaptive.best([Seat(0, one), Seat(0, one)])
    doubted = adaptive.best([Seat(0, one), Seat(0, Sample(answer="8", score=0.9))])
    assert doubted.chance < alone.chance < agreed.chance
    assert adaptive.best([Seat(0, Sample(answer="7", score=0.1))]).chance < alone.chance


def test_the_best_answer_is_the_sample_that_speaks_most_for_it(adaptive):
    seats = [Seat(0, Sample(answer=a, score=s)) for a, s in (("7", 0.2), ("8", 0.1), ("7", 0.9), (None, None))]
    assert adaptive.best(seats).place == 2


def test_without_any_answer_there_is_no_best_one(adaptive):
    assert adaptive.best([Seat(0, Sample(answer=None))]) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(THRESHOLDS.tolist()), min_size=4, max_size=4), st.permutations([0, 0, 0, 2]))
def test_a_plan_replayed_is_the_plan_followed_draw_by_draw(seen, thresholds, draws):
    carried = carry(Plan(tuple(draws), tuple(thresholds)), seen)
    row = 17
    node, grade, drew = empty(seen.replays.pools), None, []
    for draw, stop_at in zip(draws, thresholds, strict=True):
        node = successors(node, seen.replays.pools)[draw]
        drew.append(True)
        chance, right = (values[row] for values in seen.at(node))
        grade = right
        if chance >= stop_at:
            break
    assert carried.grade[-1, row] == grade
    assert carried.drew[:, row].tolist() == drew + [False] * (4 - len(drew))


def test_of_plans_of_two_draws_no_other_is_worth_more(seen):
    cost = seen.replays.cost["flops"]
    only = Seen(
        replace(seen.replays, pools=(replace(seen.replays.pools[0], most_chains=1), _one(seen, 1))), seen.judged
    )
    price = 0.02 / float(cost.mean(axis=0).min())

    def worth(plan):
        carried = carry(plan, only)
        return (carried.grade[-1] - price * carried.cost(cost)[-1]).mean()

    best = worth(Search(only).best(cost, price))
    others = [Plan(draws, (stop, 0.0)) for draws in ((0, 2), (2, 0)) for stop in THRESHOLDS.tolist()]
    assert best >= max(map(worth, [*others, Plan((0,), (0.0,)), Plan((2,), (0.0,))])) - 1e-9


def _one(seen, place):
    return replace(seen.replays.pools[place], most_chains=1)


def test_a_higher_price_buys_less(seen):
    cost = seen.replays.cost["flops"]
    least = float(cost.mean(axis=0).min())
    spent = [
        carry(Search(seen).best(cost, price / least), seen).cost(cost)[-1].mean() for price in (0.0005, 0.01, 0.05)
    ]
    assert spent[0] > spent[1] > spent[2]


def test_sessions_beat_the_best_cascades_where_scored_and_unscored_answers_must_be_pooled(adaptive):
    flops = adaptive.means["flops"]
    middle = (flops.amount > 8e8) & (flops.amount < 4e9)
    assert (flops.gain[middle] > 0.01).all()
    assert (flops.gain[middle] > 2 * flops.stderr[middle]).any()
    assert adaptive.follow(Budget(mean_flops=2e9), 0.5) is not None


def test_the_mean_cost_of_what_is_followed_keeps_the_average(adaptive):
    for mean in (1.2e9, 2e9, 3e9):
        lots = (np.arange(200) + 0.5) / 200
        plans = {costed.plan: costed.cost["flops"][-1] for costed in adaptive.plans}
        spent = [plans[adaptive.follow(Budget(mean_flops=mean), lot).plan] for lot in lots.tolist()]
        assert np.mean(spent) == pytest.approx(mean, rel=0.02)


def test_a_draw_that_a_language_model_judges_counts_its_verdict(logs, learned):
    judged = replace(logs, models={**logs.models, "verifier": ModelCard(name="verifier", kind="generator")})
    where = learned.where
    generations = pool_rates(judged, source(judged), where.places, where.pools)["generations"]
    assert generations[0].tolist() == [2 if pool.verifier else 1 for pool in where.pools]
    assert generations.max() == 2


def test_where_cascades_did_better_nothing_is_followed(adaptive):
    worse = {unit: Contest(c.amount, -np.abs(c.gain) - 1e-3, c.stderr) for unit, c in adaptive.means.items()}
    assert replace(adaptive, means=worse).follow(Budget(mean_flops=2e9), 0.5) is None


@pytest.mark.parametrize("budget", [Budget(max_latency_seconds=5), Budget(mean_usd=1.0), Budget(mean_flops=1.0)])
def test_a_limit_that_was_not_learned_or_cannot_be_kept_is_left_to_the_recommendation(adaptive, budget):
    assert adaptive.follow(budget, 0.5) is None


def test_what_is_followed_under_ceilings_begins_with_draws_that_fit_them(adaptive):
    sure = replace(adaptive, ceilings=dict.fromkeys(adaptive.ceilings, GOOD), means=dict.fromkeys(adaptive.means, GOOD))
    for budget in (Budget(max_flops=5e8), Budget(max_flops=4e9, max_tokens=700), Budget(max_generations=3)):
        plan = sure.follow(budget, 0.5).plan
        for unit, ceiling in budget.ceilings.items():
            assert sure.costs(unit)[plan.draws[0]] <= ceiling * (1 + 1e-6)


def test_longer_prompts_leave_fewer_draws_under_a_ceiling(adaptive):
    ceilings = {"flops": 3e9}
    twice = np.full((4, len(adaptive.pools)), 2.0, dtype=np.float32)
    assert sum(adaptive.fitting(ceilings, twice)) < sum(adaptive.fitting(ceilings))


def test_few_prompts_teach_no_session(logs):
    few = logs.take_prompts(np.arange(40))
    assert learn(few, source(few), np.arange(40), seed=0) is None


def test_one_sample_a_prompt_teaches_no_session(logs):
    samples = logs.samples
    first = (samples.pool == 0) & (samples.chain == 0)
    columns = {name: getattr(samples, name)[first] for name in vars(samples)}
    single = replace(logs, samples=replace(samples, **columns))
    assert learn(single, source(single), np.arange(len(logs.prompts)), seed=0) is None


def test_the_same_logs_and_seed_give_the_same_bytes(logs, learned):
    again = learn(logs, source(logs), np.arange(len(logs.prompts)), seed=0)
    assert _bytes(Adaptive.of(again, {}, {})) == _bytes(Adaptive.of(learned, {}, {}))


def test_reading_and_writing_again_gives_the_same_bytes_and_decisions(adaptive):
    again = Adaptive.from_state(from_json(_bytes(adaptive)))
    seats = [Seat(0, Sample(answer="7", score=0.9)), Seat(2, Sample(answer="8"))]
    assert _bytes(again) == _bytes(adaptive)
    assert again.best(seats) == adaptive.best(seats)
    assert again.follow(Budget(mean_flops=2e9), 0.3) == adaptive.follow(Budget(mean_flops=2e9), 0.3)


def _bytes(adaptive):
    return to_json(adaptive.to_state())
