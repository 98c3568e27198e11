"""Arguments of the wrong kind: each is refused by its name before anything is planned, spent or stored."""

from __future__ import annotations

import numpy as np
import pytest

from planner import Arm, Budget, Planner, Probe
from planner.errors import InvalidInput

PROMPT = "Start with 11. Multiply by 5. How many now?"
TWO = Budget(max_generations=2)
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def opened(home):
    with Planner.open() as planner:
        yield planner


def refused(words, ask, *given, **named):
    with pytest.raises(InvalidInput, match=words):
        ask(*given, **named)


def test_limits_that_are_no_budget_are_refused_by_name(opened):
    plan = opened.recommend(PROMPT, TWO)
    for wrong in ({"max_tokens": 8000}, 8000, "8000"):
        for ask in (opened.recommend, opened.session, opened.run):
            refused(r"budget: expected a planner\.Budget, such as", ask, PROMPT, wrong)
        refused("budget: expected", opened.recommend_batch, [PROMPT], wrong)
        refused("budget: expected", opened.run, plan, wrong, endpoint=NOWHERE)
        refused("total: expected", opened.recommend_batch, [PROMPT], total=wrong)
    for wrong in ("small", {"generator": "small"}):
        refused(r"arm: expected a planner\.Arm", opened.recommend, PROMPT, arm=wrong)
    for wrong in ("0.9", True):
        refused("target_accuracy: expected a number", opened.recommend, PROMPT, target_accuracy=wrong)
    assert opened.recommend(PROMPT, target_accuracy=np.float32(0.5)).arm


def test_a_lone_text_is_no_list_to_be_read_by_its_letters(opened):
    for name in ("generators", "searches", "selections"):
        for wrong in ("lab-small", None, [3]):
            refused(rf"{name}: expected a list such as", opened.recommend, PROMPT, TWO, **{name: wrong})
    for ask in (opened.recommend_batch, opened.run_batch, opened.explore):
        for wrong in (PROMPT, {"prompt": PROMPT}, None):
            named = {} if ask == opened.recommend_batch else {"endpoint": NOWHERE}
            refused("prompts: expected a list of prompts", ask, wrong, **named)


def test_prompts_may_be_gone_through_once(opened):
    plans = opened.recommend_batch((prompt for prompt in (PROMPT, PROMPT + " ")), TWO)
    assert [plan.arm for plan in plans] == [opened.recommend(PROMPT, TWO).arm] * 2


def test_a_prompt_that_cannot_be_read_is_named_by_its_place(opened):
    refused(r"prompts\[1\]: the prompt is empty", opened.recommend_batch, [PROMPT, " "], TWO)
    refused(r"prompts\[1\]: reference: expected text", opened.run_batch, [PROMPT, {"prompt": PROMPT, "reference": 55}],
            TWO, endpoint=NOWHERE)  # fmt: skip


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("prompt_id", 7),
        ("prompt_id", "\ud800"),
        ("dataset", ["lab"]),
        ("metadata", "level 5"),
        ("metadata", [5]),
        ("probes", "55"),
        ("probes", [{"answer": "55"}]),
        ("probes", Probe(answer="55")),
        ("probes", [None]),
    ],
)
def test_what_is_known_of_a_prompt_is_refused_by_name(opened, member, wrong):
    """One that cannot be stored would take with it all that is stored beside it."""
    refused(f"^{member}: ", opened.recommend, PROMPT, TWO, **{member: wrong})
    refused(rf"prompts\[0\]: {member}: ", opened.recommend_batch, [{"prompt": PROMPT, member: wrong}], TWO)
    refused(f"^{member}: ", opened.run, {"prompt": PROMPT, member: wrong}, TWO, endpoint=NOWHERE)


def test_a_reference_that_is_no_text_is_refused_before_anything_is_spent(opened):
    for given in (PROMPT, opened.recommend(PROMPT, arm=Arm(generator="lab-small"))):
        refused("reference: expected text", opened.run, given, TWO, reference=55, endpoint=NOWHERE)


@pytest.mark.parametrize(
    "total",
    [
        Budget(),
        Budget(mean_tokens=400),
        Budget(max_tokens=400, mean_usd=1),
        Budget(max_latency_seconds=4),
        {"max_tokens": 4},
    ],
)
def test_a_total_that_could_not_be_kept_is_none(opened, total):
    """Runs would go on without end where the caller counts on one."""
    refused("total", opened.running, "lab", total=total)


def test_where_models_are_reached_is_refused_by_name(opened):
    for wrong in (0, -1, "4", 2.5, True):
        refused("max_concurrency: expected a whole number of at least 1", opened.run, PROMPT, TWO, endpoint="lab",
                max_concurrency=wrong)  # fmt: skip
    refused("endpoint: expected a URL", opened.run, PROMPT, TWO, endpoint=5)
    refused("verifiers: expected a mapping", opened.run, PROMPT, TWO, endpoint="lab", verifiers=["module:score"])


def test_what_a_fit_cannot_use_is_refused_by_name(opened):
    for name in ("datasets", "exclude_datasets", "exclude_generators", "metadata_features"):
        for wrong in ("lab", [3]):
            refused(f"{name}: expected a list such as", opened.fit, **{name: wrong})
    for wrong in ("0", 0.5, True, None):
        refused("seed: expected a whole number", opened.fit, seed=wrong)
    refused("since: expected a datetime", opened.fit, since="2026-01-31")
    refused("reference: expected text", opened.fit, reference=3)
    assert len(opened.policies()) == 1


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("unit", "euros", "unit: expected one of generations, tokens, flops, usd, latency_seconds"),
        ("budgets", Budget(mean_tokens=300), "budgets: expected a list such as"),
        ("budgets", [300.0], "budgets: expected a list such as"),
        ("budgets", 300.0, "budgets: expected a list such as"),
        ("budgets", [Budget()], "limits nothing"),
        ("folds", "5", "folds: expected a whole number"),
        ("seed", "0", "seed: expected a whole number"),
        ("probes", 4, "probes: expected a list such as"),
        ("probes", [0], "probes: expected a whole number of at least 1"),
        ("metadata_features", "level", "metadata_features: expected a list such as"),
    ],
)
def test_what_an_evaluation_cannot_use_is_refused_by_name(opened, name, wrong, words):
    refused(words, opened.evaluate, **{name: wrong})


def test_a_grade_that_is_no_number_is_refused(opened):
    run_id = next(iter(opened.store.stream_runs())).run_id
    for wrong in ("yes", None):
        refused("correct: expected a number", opened.grade, run_id, correct=wrong)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("generators", "lab-small"),
        ("revisers", "lab-reviser"),
        ("searches", "beam_search"),
        ("samples", "4"),
        ("samples", -1),
        ("depth", 1.5),
        ("tree_sizes", 4),
        ("tree_sizes", [0]),
        ("rollouts", "1"),
        ("total", {"max_tokens": 400}),
    ],
)
def test_what_a_sweep_cannot_use_is_refused_by_name(opened, name, wrong):
    named = {"generators": ["lab-small"], "verifier": None, name: wrong}
    refused(f"^{name}: expected", opened.explore, [PROMPT], endpoint=NOWHERE, **named)
