from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError

from planner.core import Alternative, Arm, Budget, Cost, Difficulty, Forecast, Recommendation

numbers = st.floats(allow_nan=False)
amounts = st.none() | numbers.map(abs)
costs = st.builds(Cost, generations=amounts, prompt_tokens=amounts, flops=amounts, usd=amounts)
forecasts = st.builds(
    Forecast,
    accuracy=numbers,
    accuracy_low=numbers,
    accuracy_high=numbers,
    cost=costs,
    cost_worst=costs,
    n_prompts=st.integers(0, 2**40),
    n_runs=st.integers(0, 2**40),
    extrapolated=st.booleans(),
)
arms = st.builds(
    Arm,
    generator=st.text(min_size=1),
    breadth=st.integers(1, 64),
    params=st.dictionaries(st.text(), st.text() | st.booleans() | st.integers(-9, 9) | st.lists(st.text())),
)
budgets = st.none() | st.builds(Budget, max_tokens=st.floats(1, 1e30), mean_usd=st.none() | st.floats(1e-9, 1e3))
recommendations = st.builds(
    Recommendation,
    recommendation_id=st.text(),
    prompt_id=st.text(),
    budget=budgets,
    arm=arms,
    forecast=forecasts,
    difficulty=st.builds(
        Difficulty,
        pass_rate=numbers,
        bin_probabilities=st.lists(numbers).map(tuple),
        most_likely_bin=st.integers(1, 9),
        source=st.sampled_from(["text", "probes", "prior"]),
    ),
    alternatives=st.lists(st.builds(Alternative, arm=arms, forecast=forecasts), max_size=2).map(tuple),
    reason=st.text(),
    target_accuracy=st.none() | st.floats(0.01, 1),
    policy_id=st.text(),
)


@given(recommendations)
def test_a_recommendation_in_words_is_what_its_model_says(plan):
    assert plan.json_text == plan.model_dump_json()


@given(recommendations)
def test_a_recommendation_that_was_put_into_words_goes_to_another_process(plan):
    def known(given):
        return [
            given.json_text,
            given.arm.label,
            given.arm.key,
            given.budget and (given.budget.mean, given.budget.ceilings),
        ]

    words = known(plan)
    for other in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan), copy.copy(plan)):
        assert other == plan
        assert known(other) == words
    copy.deepcopy(plan).arm.params["only"] = "in the copy"
    assert "only" not in plan.arm.params


@given(recommendations)
def test_a_copy_has_words_of_its_own(plan):
    before = plan.json_text
    copy = plan.model_copy(update={"reason": plan.reason + "!"})
    assert copy.json_text == copy.model_dump_json() != before


def test_an_id_that_is_no_valid_text_has_the_error_of_its_model(plan_of):
    with pytest.raises(PydanticSerializationError):
        _ = plan_of("\ud800").json_text


@pytest.fixture
def plan_of():
    cost = Cost(generations=1)
    forecast = Forecast(
        accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6, cost=cost, cost_worst=cost, n_prompts=1, n_runs=1
    )

    def make(prompt_id):
        return Recommendation.trusted(
            {
                "recommendation_id": "a",
                "prompt_id": prompt_id,
                "budget": None,
                "arm": Arm(generator="a"),
                "forecast": forecast,
                "difficulty": Difficulty(pass_rate=0.5, bin_probabilities=(1.0,), most_likely_bin=1, source="text"),
                "alternatives": (),
                "reason": "",
                "declined": False,
                "target_accuracy": None,
                "policy_id": "p",
                "propensity": 1.0,
            }
        )

    return make
