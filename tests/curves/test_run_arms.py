from __future__ import annotations

import numpy as np
import pytest
from plain import Row, RunRow, logs_of

from planner.core import Arm, ModelCard
from planner.curves import concatenate_arms, replay_cascades, tabulate
from planner.curves.logs import Pool
from planner.errors import InvalidInput

BEAM = Arm(
    generator="small",
    verifier="prm",
    search="beam_search",
    selection="weighted_vote",
    breadth=3,
    params={"beam_width": 3},
)


def column(table, values, **fields):
    found = [i for i, arm in enumerate(table.arms) if all(getattr(arm, n) == v for n, v in fields.items())]
    assert len(found) == 1
    return values[:, found[0]]


def leaves(*scored, run=0):
    return tuple(
        Row(pool=-1, run=run, chain=c, answer=answer, correct=float(answer == 0), score=score)
        for c, (answer, score) in enumerate(scored)
    )


def test_a_session_that_planned_as_it_went_is_no_arm():
    session = Arm(generator="small", search="session", selection="best_of_n", breadth=3)
    runs = (RunRow(arm=0, correct=1.0), RunRow(arm=1, correct=1.0))
    table = tabulate(logs_of([], (), n_prompts=1, arms=(BEAM, session), runs=runs), cascades=False)
    assert {arm.search for arm in table.arms} == {"beam_search"}


@pytest.mark.parametrize("params", [{}, {"stages": []}, {"stages": [{"generator": "small", "max_samples": 0}]}])
def test_a_cascade_whose_stages_cannot_be_read_is_no_arm_and_stops_no_others(params):
    unknown = Arm(generator="small", search="cascade", selection="best_of_n", breadth=3, params=params)
    runs = (RunRow(arm=0, correct=1.0), RunRow(arm=1, correct=1.0))
    table = tabulate(logs_of([], (), n_prompts=1, arms=(BEAM, unknown), runs=runs))
    assert {arm.search for arm in table.arms} == {"beam_search"}


def test_repeats_of_a_run_are_averaged_and_counted():
    runs = (
        RunRow(correct=1.0, completion_tokens=10),
        RunRow(correct=0.0, completion_tokens=30),
        RunRow(prompt=1, correct=1.0),
    )
    table = tabulate(logs_of([], (), n_prompts=3, arms=(BEAM,), runs=runs), cascades=False)
    assert table.outcome[:2, 0].tolist() == [0.5, 1.0]
    assert np.isnan(table.outcome[2, 0])
    assert table.weight[:, 0].tolist() == [2, 1, 0]
    assert table.expected.completion_tokens[0, 0] == 20
    assert np.isnan(table.expected.completion_tokens[1, 0])


def test_an_ungraded_run_tells_its_cost_but_no_outcome():
    table = tabulate(logs_of([], (), arms=(BEAM,), runs=(RunRow(completion_tokens=10),)), cascades=False)
    assert np.isnan(table.outcome[0, 0])
    assert table.weight[0, 0] == 0
    assert table.expected.completion_tokens[0, 0] == 10


def test_a_searchs_candidates_are_replayed_over_every_selection():
    runs = (RunRow(correct=1.0), RunRow(correct=0.0))
    first = leaves((0, 0.9), (1, 0.5), (1, 0.3))  # best and filtered-out-tie: see below
    second = leaves((0, 0.2), (0, 0.1), (1, 0.6), run=1)
    table = tabulate(logs_of([], (), arms=(BEAM,), runs=runs, candidates=(*first, *second)), cascades=False)
    assert column(table, table.outcome, selection="weighted_vote")[0] == 0.5  # as logged
    assert column(table, table.outcome, selection="majority_vote")[0] == (0 + 1) / 2
    assert column(table, table.outcome, selection="best_of_n")[0] == (1 + 0) / 2
    assert column(table, table.outcome, selection="filter_vote")[0] == (0.5 + 0) / 2


def test_a_searchs_own_outcome_is_the_logged_one():
    runs = (RunRow(correct=0.0),)
    table = tabulate(logs_of([], (), arms=(BEAM,), runs=runs, candidates=leaves((0, 0.9), (0, 0.5))), cascades=False)
    assert column(table, table.outcome, selection="weighted_vote")[0] == 0.0


def test_candidates_of_sampling_runs_are_no_search_to_replay():
    arm = Arm(generator="small", verifier="prm", selection="best_of_n", breadth=2)
    table = tabulate(
        logs_of([], (), arms=(arm,), runs=(RunRow(correct=1.0),), candidates=leaves((0, 0.9), (0, 0.5))),
        cascades=False,
    )
    assert table.arms == (arm,)


def test_a_search_pays_its_verifier_whatever_selects():
    runs = (RunRow(correct=1.0, prompt_tokens=30, completion_tokens=50),)
    table = tabulate(logs_of([], (), arms=(BEAM,), runs=runs, candidates=leaves((0, 0.9), (1, 0.5))), cascades=False)
    assert column(table, table.expected.verifier_tokens, selection="majority_vote") == 80


def test_sampling_with_an_idle_verifier_is_the_arm_without_one():
    arm = Arm(generator="small", verifier="prm", selection="majority_vote", breadth=4)
    table = tabulate(
        logs_of([], (), arms=(arm,), runs=(RunRow(correct=1.0, prompt_tokens=8, completion_tokens=9),)),
        cascades=False,
    )
    assert table.arms[0].verifier is None
    assert table.expected.verifier_tokens[0, 0] == 0


def test_runs_and_pools_of_one_arm_are_merged_by_their_weights():
    rows = [Row(chain=c, answer=c, correct=float(c == 0), completion_tokens=20.0) for c in range(4)]
    arm = Arm(generator="small")
    logs = logs_of(rows, arms=(arm,), runs=(RunRow(correct=1.0, completion_tokens=70),))
    table = tabulate(logs, cascades=False)
    assert column(table, table.outcome, selection="first")[0] == pytest.approx((4 * 0.25 + 1) / 5)
    assert column(table, table.weight, selection="first")[0] == 5
    assert column(table, table.expected.completion_tokens, selection="first")[0] == pytest.approx((4 * 20 + 70) / 5)


def test_generations_not_logged_are_those_of_the_plan():
    arm = Arm(generator="small", selection="last", depth=3)
    table = tabulate(logs_of([], (), arms=(arm,), runs=(RunRow(correct=1.0),)), cascades=False)
    assert table.expected.generations[0, 0] == 3


def test_tokens_of_a_cascade_of_two_models_are_not_told_apart():
    stages = [{"generator": "small"}, {"generator": "large"}]
    arm = Arm(generator="small", search="cascade", selection="last", breadth=2, params={"stages": stages})
    run = RunRow(correct=1.0, prompt_tokens=10, completion_tokens=10)
    table = tabulate(logs_of([], (), arms=(arm,), runs=(run,)), cascades=False)
    assert np.isnan(table.expected.completion_tokens[0, 0])


def cascade_of(*stages):
    params = {"stages": list(stages)}
    most = sum(stage["max_samples"] for stage in stages)
    return Arm(generator="small", verifier="prm", search="cascade", selection="best_of_n", breadth=most, params=params)


SURE = {"generator": "small", "verifier": "prm", "max_samples": 4, "stop": {"rule": "score", "threshold": 0.8}}


def test_a_run_of_a_cascade_that_stopped_is_not_its_worst_case():
    run = RunRow(correct=1.0, generations=1, prompt_tokens=10, completion_tokens=20, latency_seconds=0.5)
    table = tabulate(logs_of([], (), arms=(cascade_of(SURE),), runs=(run,)), cascades=False)
    assert table.expected.generations.tolist() == [[1]]
    assert table.worst.generations.tolist() == [[4]]
    assert table.worst.completion_tokens.tolist() == [[80]]
    assert table.latency_worst_seconds.tolist() == [[2]]


def test_a_cascade_pays_the_verifier_of_its_stages_whatever_its_run_names():
    run = RunRow(correct=1.0, prompt_tokens=10, completion_tokens=20, verifier_tokens=99)
    arm = cascade_of(SURE).model_copy(update={"verifier": None})
    table = tabulate(logs_of([], (), arms=(arm,), runs=(run,)), cascades=False)
    assert table.slots.verifier == ("prm",)
    assert table.expected.verifier_tokens.tolist() == [[99]]


def test_a_run_of_a_replayed_cascade_adds_its_outcome_and_leaves_the_cost():
    arm = cascade_of(SURE, {"generator": "large", "verifier": "prm", "max_samples": 2})
    rows = [Row(chain=c, answer=c, correct=0.0, score=0.5, prompt_tokens=5.0, completion_tokens=20.0) for c in range(4)]
    rows += [
        Row(pool=1, chain=c, answer=0, correct=1.0, score=0.7, prompt_tokens=5.0, completion_tokens=30.0)
        for c in range(2)
    ]
    logs = logs_of(
        rows, (Pool("small", "prm"), Pool("large", "prm")), arms=(arm,), runs=(RunRow(correct=0.0, generations=1),)
    )
    replayed = replay_cascades(logs, [arm])
    table = concatenate_arms([tabulate(logs, cascades=False), replayed])
    place = table.arms.index(arm)
    slots = table.slots.arm == place
    assert [name for name, own in zip(table.slots.generator, slots, strict=True) if own] == ["small", "large"]
    for use in ("expected", "worst"):
        assert getattr(table, use).generations[:, slots].tolist() == getattr(replayed, use).generations.tolist()
    weight = replayed.weight[0, 0]
    assert table.weight[0, place] == weight + 1
    assert table.outcome[0, place] == pytest.approx(replayed.outcome[0, 0] * weight / (weight + 1))


def test_simulations_of_mcts_wait_for_one_another_and_beams_do_not():
    fast = ModelCard(name="small", tokens_per_second=10)
    prm = ModelCard(name="prm", kind="prm", tokens_per_second=1e9)
    mcts = Arm(generator="small", verifier="prm", search="mcts", selection="best_of_n", breadth=3)
    runs = tuple(RunRow(arm=a, correct=1.0, prompt_tokens=1, completion_tokens=60, verifier_tokens=1) for a in range(2))
    table = tabulate(logs_of([], (), arms=(BEAM, mcts), runs=runs, models=(fast, prm)), cascades=False)
    assert table.latency_seconds[0].tolist() == pytest.approx([2, 6])


def test_arms_side_by_side_keep_their_columns():
    rows = [Row(chain=c, answer=0, correct=1.0, completion_tokens=5.0) for c in range(2)]
    runs = (RunRow(correct=0.0, completion_tokens=50, prompt_tokens=1),)
    both = tabulate(logs_of(rows, arms=(BEAM,), runs=runs), cascades=False)
    alone = both.take_arms([2]), both.take_arms([0, 1])
    joined = concatenate_arms(alone)
    assert [arm.key for arm in joined.arms] == [both.arms[i].key for i in (2, 0, 1)]
    assert joined.outcome[0].tolist() == both.outcome[0, [2, 0, 1]].tolist()
    assert joined.slots.arm.tolist() == [0, 1, 2]
    assert joined.expected.completion_tokens[0].tolist() == [50, 5, 10]


def test_tables_of_different_prompts_are_not_put_together():
    one, two = (tabulate(logs_of([], (), n_prompts=n), cascades=False) for n in (1, 2))
    with pytest.raises(InvalidInput, match="same prompts"):
        concatenate_arms([one, two])
    with pytest.raises(InvalidInput, match="no table"):
        concatenate_arms([])


def test_pools_of_two_verifiers_give_one_arm_without_a_verifier():
    rows = [Row(pool=p, chain=c, answer=c, correct=float(p)) for p in range(2) for c in range(3 - p)]
    table = tabulate(logs_of(rows, (Pool("small", "a"), Pool("small", "b"))), cascades=False)
    assert column(table, table.outcome, selection="first")[0] == pytest.approx(2 / 5)
