from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cascade_worlds import answer_value, candidate, cascade, logs_of, random_logs, simulate
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core import AgreementStop, BetaVoteStop, ModelCard, ScoreStop, Stage
from planner.curves import tabulate
from planner.curves.cascade import cascade_table, replay_cascades
from planner.curves.cascade_draws import draw_orders, source, stage_rows
from planner.curves.cascade_replay import plan_of, replay
from planner.curves.cascade_trace import Trace, chains_used
from planner.curves.exact import best_of_n, majority_vote
from planner.curves.logs import Pool
from planner.errors import InvalidInput

stops = st.one_of(
    st.none(),
    st.builds(ScoreStop, threshold=st.sampled_from([0.2, 0.5, 0.8, 0.95])),
    st.builds(AgreementStop, share=st.sampled_from([0.5, 0.7, 1.0]), min_samples=st.integers(1, 4)),
    st.builds(BetaVoteStop, confidence=st.sampled_from([0.7, 0.8, 0.95])),
)
stages = st.builds(
    Stage,
    generator=st.sampled_from(["g0", "g1"]),
    verifier=st.just("v"),
    draw=st.sampled_from(["samples", "attempts"]),
    batch=st.integers(1, 3),
    max_samples=st.integers(1, 3),
    stop=stops,
)
selections = st.sampled_from(["majority_vote", "weighted_vote", "filter_vote", "best_of_n"])


@settings(max_examples=60, deadline=None)
@given(st.lists(stages, min_size=1, max_size=3), selections, st.integers(0, 10_000), st.booleans())
def test_a_replay_does_what_a_plain_simulation_does_on_the_same_orders(chosen, selection, seed, last_stage_answers):
    logs = random_logs(seed, n_prompts=3, n_samples=9, depth=3, silent=0.3, digits=1)
    arm = cascade(*chosen, selection=selection, **({"answer_from": "last_stage"} if last_stage_answers else {}))
    laid = source(logs)
    plan = plan_of(arm, laid)
    orders = draw_orders(laid.chains, np.arange(3), n_orders=5, n_draws=9, rng=np.random.default_rng(seed))
    found = replay(Trace(plan, laid, orders), arm, 5, [None] * len(plan))

    expected = (
        np.zeros((3, 5)),
        np.zeros((3, 5, len(plan))),
        np.zeros((3, 5, len(plan))),
        np.zeros((3, 5, len(plan))),
    )
    for prompt in range(3):
        for order in range(5):
            queues, rows = [], []
            for place, draw in enumerate(plan):
                skip = chains_used(plan[:place], draw.pool)
                row = stage_rows(
                    laid.chains[draw.pool], orders, draw.pool,
                    draw=draw.kind, skip=skip, n_draws=draw.n, n_rows=len(logs.samples),
                )[prompt, order]  # fmt: skip
                rows.append(row)
                queues.append([candidate(logs.samples, i) for i in row])
            made, ended = simulate(chosen, queues)
            drawn = [queue[:n] for queue, n in zip(queues, made, strict=True)]
            candidates = drawn[ended] if last_stage_answers else [one for queue in drawn for one in queue]
            expected[0][prompt, order] = answer_value(selection, candidates)
            expected[1][prompt, order] = made
            expected[2][prompt, order] = [
                logs.samples.completion_tokens[r[:n]].sum() for r, n in zip(rows, made, strict=True)
            ]
            expected[3][prompt, order, ended] = 1
    assert found.outcome == pytest.approx(expected[0].mean(axis=1), abs=1e-5)
    assert found.generations == pytest.approx(expected[1].mean(axis=1), abs=1e-5)
    assert found.completion_tokens == pytest.approx(expected[2].mean(axis=1), rel=1e-5)
    assert found.ended == pytest.approx(expected[3].mean(axis=1), abs=1e-5)


def test_best_of_n_without_a_stop_rule_equals_its_fixed_arm():
    logs = random_logs(1, n_prompts=12, n_samples=10, n_pools=1)
    table = replay_cascades(logs, [cascade(Stage(generator="g0", verifier="v", max_samples=4))], n_orders=2000)
    scores, correct = logs.samples.score.reshape(12, 10), logs.samples.correct.reshape(12, 10)
    exact = [best_of_n(s, c, 4) for s, c in zip(scores, correct, strict=True)]
    # Standard error of a share over 2,000 orders is .011 at most.
    assert table.outcome[:, 0] == pytest.approx(exact, abs=0.05)
    assert table.outcome[:, 0].mean() == pytest.approx(np.mean(exact), abs=0.006)


def test_a_vote_without_a_stop_rule_equals_its_fixed_arm():
    logs = random_logs(2, n_prompts=12, n_samples=10, n_pools=1)
    arm = cascade(Stage(generator="g0", max_samples=5), selection="majority_vote")
    table = replay_cascades(logs, [arm], n_orders=2000)
    exact = [majority_vote(np.bincount(answers, minlength=4), 5) for answers in logs.samples.answer.reshape(12, 10)]
    assert table.outcome[:, 0] == pytest.approx(exact, abs=0.05)
    assert table.outcome[:, 0].mean() == pytest.approx(np.mean(exact), abs=0.006)


@pytest.mark.parametrize("selection", ["majority_vote", "weighted_vote", "filter_vote", "best_of_n"])
def test_a_cascade_that_draws_the_whole_pool_is_exact(selection):
    logs = random_logs(3, n_prompts=6, n_samples=8, n_pools=1)
    table = replay_cascades(logs, [cascade(Stage(generator="g0", verifier="v", max_samples=8), selection=selection)])
    samples = logs.samples
    rows = [candidate(samples, i) for i in range(len(samples))]
    exact = [answer_value(selection, rows[i : i + 8]) for i in range(0, 48, 8)]
    assert table.outcome[:, 0] == pytest.approx(exact, abs=1e-5)


def test_one_sample_is_replayed_without_monte_carlo_error():
    logs = random_logs(4, n_prompts=6, n_samples=8, n_pools=1)
    table = replay_cascades(logs, [cascade(Stage(generator="g0", verifier="v"))])
    assert table.outcome[:, 0] == pytest.approx(logs.samples.correct.reshape(6, 8).mean(axis=1), abs=1e-6)


def test_every_sample_comes_first_equally_often():
    logs = random_logs(5, n_prompts=3, n_samples=8)
    orders = draw_orders(source(logs).chains, np.arange(3), n_orders=16, n_draws=8, rng=np.random.default_rng(0))
    for order in orders.by_pool:
        assert (np.sort(order, axis=2) == np.arange(8)).all()
        for prompt in range(3):
            assert (np.bincount(order[prompt, :, 0], minlength=8) == 2).all()


def test_more_permissive_thresholds_never_cost_more():
    logs = random_logs(6, n_prompts=20)
    arms = [
        cascade(Stage(generator="g0", verifier="v", max_samples=8, stop=ScoreStop(threshold=t)))
        for t in (0.2, 0.5, 0.9)
    ]
    spent = replay_cascades(logs, arms).expected.completion_tokens
    assert (np.diff(spent, axis=1) >= -1e-4).all()


def test_worst_use_draws_everything_at_its_mean_tokens():
    logs = random_logs(7, n_prompts=5, depth=3)
    arm = cascade(
        Stage(generator="g0", verifier="v", max_samples=2, stop=ScoreStop(threshold=0)),
        Stage(generator="g1", verifier="v", draw="attempts", max_samples=3),
    )
    table = replay_cascades(logs, [arm])
    tokens = logs.samples.completion_tokens.reshape(2, 5, 8, 3)
    assert table.expected.generations.tolist() == [[1.0, 0.0]] * 5
    assert table.worst.generations.tolist() == [[2.0, 3.0]] * 5
    assert table.worst.completion_tokens[:, 0] == pytest.approx(2 * tokens[0, :, :, 0].mean(axis=1), rel=1e-5)
    assert table.worst.completion_tokens[:, 1] == pytest.approx(tokens[1].mean(axis=1).sum(axis=1), rel=1e-5)


def test_the_verifier_is_charged_for_prompt_and_candidate_of_every_scored_draw():
    logs = random_logs(8, n_prompts=5, n_pools=1, depth=2)
    arm = cascade(Stage(generator="g0", verifier="v", draw="attempts", max_samples=2))
    table = replay_cascades(logs, [arm])
    prompt = logs.samples.prompt_tokens.reshape(5, 8, 2)[:, :, :1]
    read = (prompt + logs.samples.completion_tokens.reshape(5, 8, 2)).sum(axis=2).mean(axis=1)
    assert table.expected.verifier_tokens[:, 0] == pytest.approx(read, rel=1e-5)
    assert table.worst.verifier_tokens[:, 0] == pytest.approx(read, rel=1e-5)


def test_a_vote_that_asks_for_no_score_pays_no_verifier():
    arm = cascade(Stage(generator="g0", max_samples=3), selection="majority_vote")
    table = replay_cascades(random_logs(9), [arm])
    assert table.slots.verifier == (None,)
    assert (table.expected.verifier_tokens == 0).all()


def test_stages_of_one_generator_share_a_slot_and_never_draw_a_sample_twice():
    stop = ScoreStop(threshold=1.0)
    one = Stage(generator="g0", verifier="v", max_samples=3, stop=stop)
    split = [one.model_copy(update={"max_samples": n}) for n in (1, 2)]
    logs = random_logs(10, n_pools=1)
    table = replay_cascades(logs, [cascade(one), cascade(*split)])
    assert len(table.slots) == 2
    assert table.outcome[:, 0] == pytest.approx(table.outcome[:, 1], abs=1e-6)
    assert table.expected.completion_tokens[:, 0] == pytest.approx(table.expected.completion_tokens[:, 1], rel=1e-5)


def test_a_prompt_with_too_few_samples_says_nothing_of_the_arm():
    rows = [(0, 0, chain, 0, 0, 1.0, 0.9, 5.0) for chain in range(4)] + [(0, 1, 0, 0, 0, 1.0, 0.9, 5.0)]
    logs = logs_of(rows, [Pool("g0", "v")])
    table = replay_cascades(logs, [cascade(Stage(generator="g0", verifier="v", max_samples=2))])
    assert table.outcome[0, 0] == 1
    assert np.isnan(table.outcome[1, 0])
    assert table.weight[:, 0].tolist() == [4.0, 0.0]
    assert np.isnan(table.worst.completion_tokens[1, 0])


def test_samples_without_answer_vote_for_nothing_but_count_as_drawn():
    rows = [(0, 0, chain, 0, answer, float(answer == 0), 0.9, 5.0) for chain, answer in enumerate([0, 0, -1, -1])]
    arm = cascade(
        Stage(generator="g0", max_samples=4, batch=4, stop=AgreementStop(share=0.6)), Stage(generator="g1"),
        selection="majority_vote",
    )  # fmt: skip
    logs = logs_of([*rows, (1, 0, 0, 0, 1, 0.0, 0.9, 5.0)], [Pool("g0", "v"), Pool("g1", "v")])
    table = replay_cascades(logs, [arm])
    assert table.outcome[0, 0] == 1
    assert table.expected.generations[0].tolist() == [4.0, 1.0]


def test_latency_is_the_slowest_of_each_batch_in_turn():
    rows = [(0, 0, chain, 0, 0, 1.0, 0.1, 10.0 * (1 + chain)) for chain in range(4)]
    models = {"g0": ModelCard(name="g0", tokens_per_second=10, max_concurrency=2)}
    logs = logs_of(rows, [Pool("g0", "v")], models)
    stages = [Stage(generator="g0", max_samples=4, batch=batch) for batch in (1, 4)]
    table = replay_cascades(logs, [cascade(stage, selection="majority_vote") for stage in stages], n_orders=64)
    assert table.latency_seconds[0, 0] == pytest.approx(10.0, rel=1e-5)
    # Two waves of two: the one with the longest sample takes 4 s, the other 1 to 3 s.
    assert 6.0 < table.latency_worst_seconds[0, 1] < 7.0


def test_latency_is_unknown_where_no_speed_is():
    table = replay_cascades(random_logs(11), [cascade(Stage(generator="g0", verifier="v"))])
    assert np.isnan(table.latency_seconds).all()


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (
            cascade(Stage(generator="g0", stop=ScoreStop(threshold=0.5)), selection="majority_vote"),
            "needs a verifier",
        ),
        (cascade(Stage(generator="g0")), "needs a verifier"),
        (cascade(Stage(generator="g9", verifier="v")), "no samples of 'g9' scored by 'v'"),
        (cascade(Stage(generator="g0", verifier="w")), "no samples of 'g0' scored by 'w'"),
        (cascade(Stage(generator="g0", verifier="v"), selection="loudest"), "cannot choose by 'loudest'"),
    ],
)
def test_a_cascade_that_the_logs_cannot_replay_is_refused(arm, message):
    with pytest.raises(InvalidInput, match=message):
        replay_cascades(random_logs(12), [arm])


def test_pools_of_other_settings_are_told_apart():
    rows = [(pool, 0, chain, 0, 0, float(pool), 0.9, 5.0) for pool in range(2) for chain in range(2)]
    logs = logs_of(rows, [Pool("g0", "v", {"temperature": 0.2}), Pool("g0", "v", {"temperature": 0.8})])
    arm = cascade(Stage(generator="g0", verifier="v", max_samples=2), settings=[{"temperature": 0.8}])
    assert replay_cascades(logs, [arm]).outcome[0, 0] == 1


def partly_scored(seed, *, depth=1):
    """Logs of one pool, half of whose samples have no score; the last prompt has none but for silent samples."""
    logs = random_logs(seed, n_prompts=30, n_samples=16, n_pools=1, depth=depth, silent=0.1)
    s = logs.samples
    silent = s.prompt == 29
    unscored = (s.chain % 2 == 1) | silent
    changed = {"answer": np.where(silent, -1, s.answer), "correct": np.where(silent, 0, s.correct)}
    return replace(logs, samples=replace(s, score=np.where(unscored, np.nan, s.score).astype(np.float32), **changed))


@pytest.mark.parametrize("selection", ["best_of_n", "weighted_vote"])
@pytest.mark.parametrize(("draw", "depth"), [("samples", 1), ("attempts", 2)])
def test_samples_without_a_score_are_left_out_where_it_is_read_as_in_fixed_arms(draw, depth, selection):
    logs = partly_scored(16, depth=depth)
    arm = cascade(Stage(generator="g0", verifier="v", draw=draw, max_samples=2), selection=selection)
    fixed, found = tabulate(logs, cascades=False), replay_cascades(logs, [arm], n_orders=2000)
    shape = (selection, 2, 1) if draw == "samples" else (selection, 1, 2)
    same = fixed.outcome[:, [(one.selection, one.breadth, one.depth) for one in fixed.arms].index(shape)]
    assert np.isfinite(same).all()
    assert found.outcome[:, 0] == pytest.approx(same, abs=0.05)
    assert found.outcome[:, 0].mean() == pytest.approx(same.mean(), abs=0.006)


def test_a_vote_draws_from_samples_without_a_score_too():
    logs = partly_scored(17)
    votes = [
        cascade(Stage(generator="g0", max_samples=16), selection="majority_vote"),
        cascade(Stage(generator="g0", verifier="v", max_samples=16), selection="majority_vote"),
    ]
    table = replay_cascades(logs, votes)
    assert np.isfinite(table.outcome[:, 0]).all()
    assert np.isnan(table.outcome[:29, 1]).all()
    assert {arm.breadth for arm in cascade_table(logs).arms if arm.selection == "majority_vote"} >= {16}


def split(logs, *, scored, kept=8):
    """The logs' one pool as two: without a verifier, and (on prompts `scored`, `kept` samples each) with one."""
    s = logs.samples
    rows = list(
        zip(s.pool, s.prompt, s.chain, s.attempt, s.answer, s.correct, s.score, s.completion_tokens, strict=True)
    )
    plain = [(*row[:6], np.nan, row[7]) for row in rows if row[1] not in scored]
    judged = [(1, *row[1:]) for row in rows if row[1] in scored and row[2] < kept]
    return logs_of([*plain, *judged], [Pool("g0"), Pool("g0", "v")])


@pytest.mark.parametrize("n", [1, 8])
def test_a_vote_draws_from_all_pools_of_its_generator(n):
    logs = random_logs(13, n_prompts=6, n_samples=8, n_pools=1)
    arm = cascade(Stage(generator="g0", max_samples=n), selection="majority_vote")
    one, two = (replay_cascades(each, [arm]) for each in (logs, split(logs, scored={1, 4})))
    assert two.outcome == pytest.approx(one.outcome, abs=1e-6)
    assert two.weight.tolist() == one.weight.tolist()
    for kind in ("expected", "worst"):
        tokens = [getattr(table, kind).completion_tokens for table in (two, one)]
        assert tokens[0] == pytest.approx(tokens[1], rel=1e-5)


def test_a_vote_draws_from_the_pool_with_most_samples_of_a_prompt():
    logs = random_logs(14, n_prompts=2, n_samples=8, n_pools=1)
    s = logs.samples
    rows = list(
        zip(s.pool, s.prompt, s.chain, s.attempt, s.answer, s.correct, s.score, s.completion_tokens, strict=True)
    )
    again = [(1, *row[1:]) for row in rows if row[1] == 0 or row[2] < 4]
    doubled = logs_of([*rows, *again], [Pool("g0", "v"), Pool("g0", "w")])
    arms = [cascade(Stage(generator="g0", max_samples=n), selection="majority_vote") for n in (4, 8, 12)]
    one, two = (replay_cascades(each, arms, n_orders=64) for each in (logs, doubled))
    assert two.outcome[:, 1] == pytest.approx(one.outcome[:, 1], abs=1e-6)
    assert np.isnan(two.outcome[:, 2]).all()
    assert two.weight[:, 0].tolist() == [8, 8]


def test_stages_with_and_without_a_verifier_draw_no_sample_twice():
    logs = random_logs(15, n_prompts=4, n_samples=8, n_pools=1)
    stages = [Stage(generator="g0", verifier=verifier, max_samples=2) for verifier in ("v", None)]
    arm = cascade(*stages, selection="majority_vote")
    for kept, known in ((4, [False, True, True, False]), (3, [False] * 4)):
        table = replay_cascades(split(logs, scored={1, 2}, kept=kept), [arm])
        assert np.isfinite(table.outcome[:, 0]).tolist() == known
