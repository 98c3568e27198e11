"""What is compiled is held to what NumPy does: the same features, bins, forecasts and choices."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import simulated as world
from hypothesis import given
from hypothesis import strategies as st

from planner import compiled
from planner.artifacts.policy_files import policy_files, policy_from_files
from planner.budget import model
from planner.budget.cost import CostModel
from planner.core import Arm, Budget, Cost, Forecast
from planner.core import base as core_base
from planner.difficulty import native, reading
from planner.difficulty.domain import fit_domain
from planner.difficulty.features import QuickFeatures
from planner.difficulty.fit_features import fit_features
from planner.difficulty.reading import Posteriors, Reader
from planner.errors import InfeasibleBudget
from planner.policy import PromptInput, Restriction, choose, quick_choice
from planner.policy.choose import leading

SAMPLE = world.FLOPS_PER_SMALL_SAMPLE
TEXTS = [*world.draw_prompts(10, np.random.default_rng(5)).texts, "of no known word", "1 2 30 4,000 99999999999", ""]
BUDGETS = [
    Budget(max_flops=6 * SAMPLE),
    Budget(max_flops=40 * SAMPLE, max_generations=9),
    Budget(max_tokens=3000),
    Budget(mean_flops=2.3 * SAMPLE),
    Budget(mean_flops=8 * SAMPLE, max_flops=60 * SAMPLE),
    Budget(mean_generations=3),
]


def in_numpy(monkeypatch, make):
    """The same object as where nothing was built."""
    with monkeypatch.context() as patch:
        patch.setattr(reading, "BUILT", False)
        return make()


@given(texts=st.lists(st.text(max_size=200), min_size=1, max_size=4))
def test_any_text_has_the_features_that_numpy_gives_it(policy, texts):
    quick, domain = policy.predictor.quick_, policy.predictor.domain_
    read = Reader(quick, domain).read(texts)
    raw = quick.transform(texts)
    expected = domain.standardise(raw)
    assert np.allclose(read.features, expected, atol=2e-5)
    assert read.known.tolist() == domain.holds(raw, expected).tolist()
    assert read.n_characters.tolist() == raw.n_characters.tolist()


def test_long_texts_and_characters_of_every_kind_are_read_alike(policy, monkeypatch):
    texts = [*TEXTS, "Add 3 and 4. " * 5000, "\ud800\u00df\u0130 é 漢字 \U0001f600?", " \n\t", "x" * 50_000]
    make = lambda: Reader(policy.predictor.quick_, policy.predictor.domain_)  # noqa: E731
    own, other = make().read(texts), in_numpy(monkeypatch, make).read(texts)
    assert np.allclose(own.features, other.features, atol=2e-5)
    assert own.known.tolist() == other.known.tolist()


def test_data_sets_and_metadata_stand_beside_the_text(policy, monkeypatch):
    rng = np.random.default_rng(1)
    texts = [f"add {a} and {b}" for a, b in rng.integers(0, 50, (60, 2))]
    datasets = [("one", "two")[i % 2] for i in range(60)]
    metadata = [{"level": float(i % 5), "kind": "abc"[i % 3]} for i in range(60)]
    quick = fit_features(texts, datasets, metadata, metadata_features=("level", "kind"), seed=0)
    assert isinstance(quick, QuickFeatures)
    domain, _ = fit_domain(quick.transform(texts, datasets, metadata), quick.number_columns)
    asked = (["add 1 and 2", "what", "add"], ["two", None, "other"], [{"level": 3}, {"kind": "b"}, {}])
    own = Reader(quick, domain).read(*asked)
    other = in_numpy(monkeypatch, lambda: Reader(quick, domain)).read(*asked)
    assert np.allclose(own.features, other.features, atol=2e-5)
    assert own.known.tolist() == other.known.tolist()


@pytest.mark.parametrize("ridge_share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("idle", [False, True])
@pytest.mark.parametrize("informative", [False, True])
def test_bins_are_those_that_numpy_gives(policy, monkeypatch, ridge_share, idle, informative):
    p, rng = policy.predictor, np.random.default_rng(2)
    n_features = len(p.domain_.centre)
    told = replace(p.discriminant_, weights=rng.normal(0, 0.2, (n_features, len(p.prior_))), logit_share=0.6)
    discriminant = type(told).none(p.prior_, n_features) if idle else told
    ridge = replace(p.blend_.ridge, coefficients=rng.normal(0, 0.05, n_features))
    blend = replace(p.blend_, ridge=ridge, ridge_share=ridge_share)
    make = lambda: Posteriors(blend, p.posterior_, discriminant, p.mean_rates_, informative=informative)  # noqa: E731
    features = rng.normal(size=(30, n_features)).astype(np.float32)
    given_ = features, rng.uniform(-0.1, 1.1, 30), rng.random(30) < 0.8
    own, other = make().read(*given_), in_numpy(monkeypatch, make).read(*given_)
    assert np.allclose(own.bins, other.bins, atol=1e-6)
    assert np.allclose(own.pass_rate, other.pass_rate, atol=1e-6)
    assert own.by_text.tolist() == other.by_text.tolist()


@pytest.fixture(scope="module")
def plain(policy):
    """The same policy where nothing was built."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (reading, model, native, quick_choice):
            patch.setattr(module, "BUILT", False)
        other = policy_from_files(policy_files(policy), policy.policy_id)
        assert other._quick is other.budget_model._compiled is None  # from now on
    return other


@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 2), slice(None), slice(0, 0)], ids=repr)
def test_forecasts_are_those_that_numpy_gives(policy, plain, rows):
    belief = policy.believe([PromptInput(text) for text in TEXTS]).take(np.arange(len(TEXTS))[rows])
    own, other = policy.budget_model.forecast(belief), plain.budget_model.forecast(belief)
    for name in ("accuracy", "stderr", "loads"):
        assert np.allclose(getattr(own, name), getattr(other, name), rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize("budget", BUDGETS, ids=repr)
@pytest.mark.parametrize("restriction", [Restriction(), Restriction(searches=("sampling",))], ids=["any", "fixed"])
def test_plans_are_those_that_numpy_gives(policy, plain, budget, restriction):
    prompts = [PromptInput(text) for text in TEXTS]
    expected = plain.recommend(prompts, budget, restriction=restriction, seed=3)
    together = policy.recommend(prompts, budget, restriction=restriction, seed=3)
    alone = [policy.recommend([prompt], budget, restriction=restriction, seed=3)[0] for prompt in prompts]
    for plan, other in zip([*together, *alone], [*expected, *expected], strict=True):
        if isinstance(other, InfeasibleBudget):
            assert str(plan) == str(other)
            continue
        assert plan.arm == other.arm
        assert plan.propensity == pytest.approx(other.propensity)
        assert plan.reason == other.reason
        assert plan.forecast.accuracy == pytest.approx(other.forecast.accuracy, abs=1e-5)
        assert plan.forecast.cost.flops == pytest.approx(other.forecast.cost.flops, rel=1e-4)
        assert len(plan.alternatives) == len(other.alternatives)


def test_a_ceiling_that_nothing_fits_has_the_words_that_it_has_in_numpy(policy, plain):
    asked = [PromptInput(TEXTS[0])], Budget(max_flops=SAMPLE / 100)
    (own,), (other,) = policy.recommend(*asked), plain.recommend(*asked)
    assert isinstance(own, InfeasibleBudget)
    assert str(own) == str(other)


@given(st.lists(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 0.5, 1.0]), min_size=5, max_size=5), min_size=1))
def test_the_leading_arms_are_those_that_a_sort_gives(rows):
    value = np.array(rows, dtype=np.float32)
    expected = [
        [arm for _, arm in sorted([(x, a) for a, x in enumerate(row) if x > -np.inf], reverse=True)][:3] for row in rows
    ]
    assert leading(value, 3) == expected


def test_the_leading_arms_are_the_same_where_nothing_was_built(monkeypatch):
    value = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32).round(1)
    value[:, ::3] = -np.inf
    own = leading(value, 4)
    monkeypatch.setattr(choose, "BUILT", False)
    assert leading(value, 4) == own


def test_forecasts_are_the_same_where_nothing_was_built(policy, monkeypatch):
    forecasts = policy.budget_model.forecast(policy.believe([PromptInput(text) for text in TEXTS[:3]]))
    assert {arm.search for arm in policy.arms} >= {"sampling", "cascade"}  # of one slot and of several
    rows, arms = (places.ravel().tolist() for places in np.indices((3, len(policy.arms))))
    own = forecasts.at_pairs(rows, arms)
    assert own[-1] == forecasts.at(rows[-1], arms[-1])
    monkeypatch.setattr(CostModel, "maker", None)
    for made, other in zip(own, forecasts.at_pairs(rows, arms), strict=True):
        for mine, its in ((made.cost, other.cost), (made.cost_worst, other.cost_worst)):
            assert mine.model_fields_set == its.model_fields_set
            assert mine.model_dump(exclude_none=True) == pytest.approx(its.model_dump(exclude_none=True), rel=1e-5)
        same = {"cost": made.cost, "cost_worst": made.cost_worst}
        assert made == other.model_copy(update=same)
        assert list(vars(made)) == list(Forecast.model_fields)


def test_objects_are_made_as_their_models_make_them():
    values = Cost(generations=2, prompt_tokens=3).model_dump()
    for make in (core_base._made, core_base._make):
        made = make(Cost, dict(values), set(values))
        assert made == Cost(**values)
        assert made.model_dump_json() == Cost(**values).model_dump_json()
        with pytest.raises(ValueError, match="frozen"):
            made.generations = 3
        assert made.model_copy(update={"generations": 5}).generations == 5
    arm = Arm(generator="a", breadth=4)
    assert Arm.trusted(arm.model_dump() | {"params": {}}).label == arm.label


def test_what_another_source_was_built_from_is_left_alone(monkeypatch):
    assert compiled._is_built()
    monkeypatch.setattr(compiled, "digest_of", lambda _: "another")
    assert not compiled._is_built()


def test_without_a_build_the_same_plans_are_made(policy, tmp_path):
    """In a process of its own, which finds no compiled modules."""
    for name, data in policy_files(policy).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS[:5]), "utf-8")
    code = """
import json, sys
from pathlib import Path
sys.modules["planner.compiled.choosing"] = None
from planner.compiled import BUILT
assert not BUILT
from planner.artifacts.policy_files import policy_from_files
from planner.core import Budget
from planner.policy import PromptInput
folder = Path(sys.argv[1])
policy = policy_from_files({path.name: path.read_bytes() for path in folder.iterdir()}, "other")
for text in json.loads((folder / "texts.json").read_text("utf-8")):
    for budget in (Budget(max_flops=float(sys.argv[2])), Budget(mean_flops=float(sys.argv[2]))):
        (plan,) = policy.recommend([PromptInput(text)], budget)
        print(plan.arm.key, round(plan.forecast.accuracy, 4), plan.propensity)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(6 * SAMPLE)], check=False, capture_output=True, text=True
    )
    own = []
    for text in TEXTS[:5]:
        for budget in (Budget(max_flops=6 * SAMPLE), Budget(mean_flops=6 * SAMPLE)):
            (plan,) = policy.recommend([PromptInput(text)], budget)
            own.append(f"{plan.arm.key} {round(plan.forecast.accuracy, 4)} {plan.propensity}")
    assert done.stdout.splitlines() == own, done.stderr
