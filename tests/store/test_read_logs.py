from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from store_worlds import NOW, run, sampled, tree

from planner.core import ModelCard, Sample
from planner.curves.logs import Pool


def test_an_empty_store_gives_empty_tables(store):
    logs = store.read_logs()
    assert (len(logs.prompts), logs.pools, len(logs.samples), logs.arms, len(logs.runs), len(logs.candidates)) == (
        0, (), 0, (), 0, 0,
    )  # fmt: skip


def test_samples_of_sampling_runs_are_pooled(store):
    store.append([sampled("a", verifier="judge", params={"temperature": 0.8})])
    logs = store.read_logs()
    assert logs.pools == (Pool("small", "judge", {"temperature": 0.8}),)
    samples = logs.samples
    assert (samples.chain.tolist(), samples.correct.tolist()) == ([0, 1, 2], [1, 0, 1])
    assert samples.completion_tokens.tolist() == [10, 11, 12]
    assert np.isnan(samples.prompt_tokens).all()
    assert samples.answer[0] == samples.answer[2] != samples.answer[1]
    assert len(logs.runs) == 0


def test_settings_that_change_answers_keep_pools_apart(store):
    store.append([sampled("a", params={"temperature": 0}), sampled("b", params={"temperature": 1})])
    assert len(store.read_logs().pools) == 2


def test_parameters_of_the_selection_keep_no_pools_apart(store):
    votes = {"selection": "filter_vote", "verifier": "judge"}
    said = [{"threshold": 0.5}, {"threshold": 0.7}, {"aggregate": "min"}, {"step_score": "min"}, {}]
    store.append([sampled(str(place), params=params, **votes) for place, params in enumerate(said)])
    assert store.read_logs().pools == (Pool("small", "judge", {}),)


def test_one_run_of_one_sample_without_samples_is_its_own_sample(store):
    store.append([run("a", answer="7", correct=1, prompt_tokens=5, completion_tokens=9)])
    logs = store.read_logs()
    assert (logs.samples.correct.tolist(), logs.samples.completion_tokens.tolist()) == ([1], [9])
    assert logs.samples.answer.tolist() == [0]
    assert len(logs.runs) == 0


def test_a_larger_sampling_run_without_samples_is_one_outcome(store):
    store.append([run("a", breadth=4, depth=2, selection="best_of_n", correct=1, completion_tokens=80)])
    logs = store.read_logs()
    assert (len(logs.samples), logs.arms[0].selection, logs.runs.generations.tolist()) == (0, "best_of_n", [8])
    assert logs.runs.completion_tokens.tolist() == [80]


@pytest.mark.parametrize("search", ["cascade", "session"])
def test_samples_drawn_under_a_stop_rule_are_not_pooled(store, search):
    one = sampled("a", search=search, selection="majority_vote", correct=1).model_copy(update={"breadth": 8})
    store.append([one])
    logs = store.read_logs()
    assert (len(logs.samples), len(logs.candidates)) == (0, 0)
    assert (logs.runs.correct.tolist(), logs.runs.generations.tolist()) == ([1], [3])


def test_candidates_of_tree_searches_name_their_run(store):
    store.append([sampled("a", "first"), tree("b", "second"), tree("c", "first", correct=0)])
    logs = store.read_logs()
    assert (len(logs.samples), len(logs.runs), len(logs.arms)) == (3, 2, 1)
    assert logs.candidates.run.tolist() == [1, 1, 0, 0]
    assert logs.runs.prompt[logs.candidates.run].tolist() == logs.candidates.prompt.tolist() == [0, 0, 1, 1]
    assert set(logs.candidates.pool.tolist()) == {-1}


@pytest.mark.parametrize(
    ("values", "generations"),
    [
        ({"search": "beam_search", "breadth": 4}, 4),
        ({"search": "lookahead", "breadth": 256, "params": {"lookahead_steps": 3}}, 1024),
        ({"search": "lookahead", "breadth": 16, "params": {"lookahead_steps": 1}}, 32),
        ({"search": "mcts", "breadth": 4, "params": {"simulations": 16}}, 16),
        ({"search": "tree_of_thoughts", "breadth": 5, "depth": 4}, 20),
        ({"breadth": 3, "selection": "filter_vote", "verifier": "small", "verifier_calls": 3}, 6),
    ],
)
def test_generations_of_a_run_follow_its_search(store, values, generations):
    store.append([run("a", **values)])
    assert store.read_logs().runs.generations.tolist() == [generations]


TWO_STAGES = [{"generator": "small", "verifier": "judge", "max_samples": 3}, {"generator": "small", "verifier": "prm"}]


@pytest.mark.parametrize(
    ("values", "generations"),
    [
        ({"selection": "best_of_n", "breadth": 3, "verifier_calls": 3}, 6),
        ({"selection": "best_of_n", "breadth": 3}, 6),
        ({"selection": "majority_vote", "breadth": 3, "verifier_calls": 3}, 3),
        ({"selection": "best_of_n", "breadth": 3, "verifier": "prm", "verifier_calls": 3}, 3),
        ({"search": "beam_search", "breadth": 4, "verifier_calls": 17}, 21),
        ({"search": "lookahead", "breadth": 4, "params": {"lookahead_steps": 1}}, 16),
        ({"search": "cascade", "breadth": 4, "params": {"stages": TWO_STAGES}}, 7),
        ({"search": "cascade", "breadth": 4, "params": {"stages": TWO_STAGES[1:]}}, 4),
    ],
)
def test_verdicts_of_a_judge_are_generations_of_a_run_as_of_a_pools_arms(store, values, generations):
    store.save_models([ModelCard(name="judge", kind="generator"), ModelCard(name="prm", kind="prm")])
    store.append([run("a", **({"verifier": "judge"} | values))])
    assert store.read_logs().runs.generations.tolist() == [generations]


def test_a_cascade_that_stopped_counts_the_verdicts_of_what_it_drew(store):
    store.save_models([ModelCard(name="judge", kind="generator")])
    drawn = tuple(Sample(chain=chain, answer="1", correct=1, score=0.9) for chain in range(2))
    params = {"stages": [{"generator": "small", "verifier": "judge", "max_samples": 8}]}
    store.append([run("a", search="cascade", verifier="judge", breadth=8, params=params, samples=drawn)])
    assert store.read_logs().runs.generations.tolist() == [4]


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [("error", None, 0), ("truncated", None, 0), ("truncated", "7", np.nan), ("ok", None, np.nan)],
)
def test_what_failed_without_an_answer_is_not_correct(store, status, answer, expected):
    failed = Sample(status=status, answer=answer)
    store.append([run("a", samples=(failed,)), run("b", breadth=2, status=status, answer=answer)])
    logs = store.read_logs()
    assert np.array_equal(logs.samples.correct, [expected], equal_nan=True)
    assert np.array_equal(logs.runs.correct, [expected], equal_nan=True)


def test_samples_may_come_from_other_generators_than_the_run(store):
    mixed = (Sample(answer="1", correct=1), Sample(chain=1, answer="1", correct=1, generator="large", verifier="judge"))
    store.append([run("a", samples=mixed, breadth=2)])
    assert store.read_logs().pools == (Pool("large", "judge"), Pool("small"))


def test_answers_of_one_prompt_are_equal_across_pools(store):
    store.append([sampled("a"), sampled("b", generator="large")])
    samples = store.read_logs().samples
    right = samples.correct == 1
    assert len(set(samples.answer[right].tolist())) == 1


def test_no_answer_has_the_code_minus_one(store):
    store.append([run("a", samples=(Sample(correct=0), Sample(chain=1, answer="", correct=0)), breadth=2)])
    none, empty = store.read_logs().samples.answer.tolist()
    assert none == -1 < empty


def test_rows_are_sorted_by_pool_prompt_run_chain_and_attempt(store):
    samples = tuple(Sample(chain=c, attempt=a, correct=1) for c in (1, 0) for a in (1, 0))
    store.append(
        [run("z", "two", samples=samples, breadth=2, depth=2), run("y", "one", samples=samples, generator="b")]
    )
    rows = store.read_logs().samples
    keys = list(zip(rows.pool, rows.prompt, rows.run, rows.chain, rows.attempt, strict=True))
    assert keys == sorted(keys)


def test_logs_are_filtered_by_data_set_generator_and_time(store):
    store.append([sampled("a", "one", dataset="x"), sampled("b", "two", dataset="y", generator="large")])
    store.append([sampled("c", "three", started_at=NOW), sampled("d", "four", started_at=NOW - timedelta(days=9))])

    def ids(**chosen):
        logs = store.read_logs(**chosen)
        assert set(logs.samples.prompt.tolist()) == set(range(len(logs.prompts)))
        return [name.removeprefix("id of ") for name in logs.prompts.ids]

    assert ids(datasets=["x"]) == ["one"]
    assert ids(exclude_datasets=["x"]) == ["two", "three", "four"]
    assert ids(generators=["large"]) == ["two"]
    assert ids(exclude_generators=["large"]) == ["one", "three", "four"]
    assert "four" not in ids(since=NOW - timedelta(days=1))
    assert "three" in ids(since=NOW - timedelta(days=1))
    assert ids(since=datetime(26, 1, 1, tzinfo=UTC)) == ["one", "two", "three", "four"]
    assert ids(datasets=[]) == []


def test_model_cards_come_with_the_logs(store):
    from planner.core import ModelCard

    card = ModelCard(name="small", active_params=7e9)
    store.append([sampled("a", verifier="judge")])
    store.save_models([card])
    models = store.read_logs().models
    assert models["small"] == card
    assert models["judge"].active_params is None


def test_reading_twice_gives_the_same(store):
    store.append([sampled(f"r{i}", f"p{i % 7}", generator=f"g{i % 3}") for i in range(50)])
    first, second = store.read_logs(), store.read_logs()
    assert all(
        np.array_equal(value, getattr(second.samples, name), equal_nan=True)
        for name, value in vars(first.samples).items()
    )
