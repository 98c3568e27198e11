"""Where nothing but agreement can be seen, a session's plans are votes that stop when they are sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.core import BetaVoteStop
from planner.curves.cascade_draws import source
from planner.curves.stop import should_stop
from planner.policy.adaptive.learn import lay_out, learn
from planner.policy.adaptive.model import Adaptive
from planner.policy.adaptive.plans import carry
from planner.policy.adaptive.seen import Judged, Seen
from planner.policy.adaptive.votes import CONFIDENCES, GIVEN_UP, vote_plans


@pytest.fixture(scope="module")
def logs():
    rng = np.random.default_rng(2)
    both = world.pooled_logs(world.draw_prompts(20, rng), rng, n_small=8, n_larger=1)
    mine = both.samples.pool == 0
    columns = {name: getattr(both.samples, name)[mine] for name in vars(both.samples)}
    samples = replace(both.samples, **columns | {"score": np.full(mine.sum(), np.nan, np.float32)})
    return replace(both, samples=samples, pools=(replace(both.pools[0], verifier=None),))


@pytest.fixture(scope="module")
def seen(logs):
    prompts = np.arange(len(logs.prompts))
    learned = learn(logs, source(logs), prompts, seed=0)
    replays = lay_out(logs, source(logs), learned.where, prompts, seed=0)
    return Seen(replays, [Judged(learned.model, np.arange(len(replays)))])


def test_they_stop_where_the_beta_rule_is_sure(seen):
    plan = vote_plans(len(seen.replays.slots))[CONFIDENCES.index(0.95) - len(CONFIDENCES) - 1]
    drawn = carry(plan, seen).drew.sum(axis=0)
    by_rule = np.array([_drawn_by_rule(answers) for answers in seen.replays.drawn.answer])
    assert (by_rule == drawn).all()


def _drawn_by_rule(answers):
    given = [str(answer) for answer in answers.tolist()]
    for n in range(1, len(given) + 1):
        if should_stop(BetaVoteStop(confidence=0.95), given[:n], [None] * n):
            return n
    return len(given)


def test_votes_that_give_up_draw_so_many_at_most(seen):
    plans = vote_plans(len(seen.replays.slots))
    few = [plan for plan in plans[2:] if len(plan) < len(seen.replays.slots)]
    assert [len(plan) for plan in few] == list(GIVEN_UP)
    two = carry(few[1], seen).drew.sum(axis=0)
    agreed = seen.replays.drawn.answer[:, 0] == seen.replays.drawn.answer[:, 1]
    assert (two == np.where(agreed, 2, 3)).all()


def test_what_the_text_promises_moves_votes_where_it_tells_anything(logs):
    """Prompts that are surely easy or hopeless get fewer samples, the others more, at the same cost on average."""
    prompts = np.arange(len(logs.prompts))
    samples = logs.samples
    rate = np.bincount(samples.prompt, samples.correct, len(prompts)) / np.bincount(samples.prompt)
    told = learn(logs, source(logs), prompts, seed=0, foreseen=rate.astype(np.float32))
    adaptive = Adaptive.of(told, {}, {})
    least = adaptive.plans[adaptive.cheapest("generations").lower].cost["generations"][-1]
    spent = [_expected(adaptive, 2.5 * least, foreseen) for foreseen in rate.tolist()]
    assert np.mean(spent) == pytest.approx(2.5 * least, rel=0.25)
    assert np.ptp(spent) > 0.5
    untold = learn(logs, source(logs), prompts, seed=0, foreseen=np.full(len(prompts), 0.5, np.float32))
    assert untold.tilt is None


def _expected(adaptive, mean, foreseen):
    mixture = adaptive.average("generations", mean, foreseen=foreseen)
    low, high = (adaptive.plans[i].cost["generations"][-1] for i in (mixture.lower, mixture.upper))
    return (1 - mixture.share) * low + mixture.share * high


def test_a_full_vote_answers_with_the_majority(seen):
    draws = len(seen.replays.slots)
    counts = np.stack([(seen.replays.drawn.answer == code).sum(axis=1) for code in range(draws)], axis=1)
    lead = np.sort(counts, axis=1)
    clear = lead[:, -1] > lead[:, -2]
    right = np.take_along_axis(seen.replays.right, counts.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert (carry(vote_plans(len(seen.replays.slots))[-1], seen).grade[-1][clear] == right[clear]).all()


def test_a_lower_confidence_draws_fewer(seen):
    drawn = [carry(plan, seen).drew.sum(axis=0).mean() for plan in vote_plans(len(seen.replays.slots))]
    assert drawn[0] == 1.0
    assert drawn[1:] == sorted(drawn[1:])
    assert drawn[-1] == len(seen.replays.slots)
