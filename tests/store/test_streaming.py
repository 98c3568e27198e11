from __future__ import annotations

from datetime import UTC, datetime

import pytest

from planner.core import Run, Sample
from planner.errors import InvalidInput
from planner.store import Store

RUN = Run(
    run_id="a",
    prompt_id="p",
    prompt="q?",
    dataset="d",
    reference="7",
    metadata={"level": 3},
    generator="g",
    verifier="v",
    search="cascade",
    selection="best_of_n",
    breadth=2,
    params={"temperature": 0.5},
    answer="7",
    correct=1,
    prompt_tokens=3,
    completion_tokens=9,
    verifier_calls=2,
    verifier_tokens=11,
    usd=0.5,
    latency_seconds=2,
    status="truncated",
    recommendation_id="r",
    propensity=0.5,
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    samples=(
        Sample(answer="7", correct=1, score=0.5, score_min=0.25, step_scores=(0.25, 0.5), text="so 7", generator="h"),
        Sample(chain=1, status="error", prompt_tokens=4, stage=1, verifier="w"),
    ),
)


def test_runs_come_back_as_they_were_logged(store: Store):
    store.append([RUN])
    assert list(store.stream_runs()) == [RUN]


def test_runs_of_one_prompt_come_together(store: Store):
    for number in range(6):
        store.append([Run(run_id=str(number), prompt=f"q{number % 2}", generator="g")])
    prompts = [run.prompt for run in store.stream_runs()]
    assert prompts == ["q0"] * 3 + ["q1"] * 3


def test_only_what_is_asked_for_comes(store: Store):
    store.append([RUN, RUN.model_copy(update={"run_id": "b", "prompt_id": "q", "prompt": "r?", "dataset": "e"})])
    assert [run.run_id for run in store.stream_runs(datasets=["e"])] == ["b"]
    assert list(store.stream_runs(datasets=["d"], generators=["h"])) == []


def test_an_unknown_name_is_refused(store: Store):
    store.append([RUN])
    with pytest.raises(InvalidInput, match="nobody"):
        store.stream_runs(generators=["nobody"])


def test_runs_are_found_by_their_ids(store: Store):
    store.append([RUN, RUN.model_copy(update={"run_id": "b"}), RUN.model_copy(update={"run_id": "c"})])
    assert sorted(run.run_id or "" for run in store.find_runs(["c", "a", "nothing"])) == ["a", "c"]
