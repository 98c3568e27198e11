"""Where no texts of prompts are stored: the same recommendations, and no words in any file."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from planner import Budget, Planner
from planner.config import Settings
from planner.difficulty.sketch_features import SketchFeatures
from planner.lab.problems import problems
from planner.texts.kept import HashedText

FRESH = [problem.prompt for problem in problems(200, seed=3)]
OUR_OWN = {"times", "Start", "Double", "rounding"}
"""What the planner and LightGBM say: 0.9 times the cost, started_at, DOUBLE, stochastic_rounding."""
BUDGETS = (Budget(max_generations=4), Budget(max_generations=16), Budget(mean_flops=4e8))


def opened(folder: Path, **settings: object) -> Planner:
    return Planner.open(settings=Settings.load(database_url=f"sqlite:///{folder / 'planner.db'}", **settings))


def words_of(prompts: list[str]) -> set[str]:
    return {word for prompt in prompts for word in re.findall(r"[A-Za-z]{5,}", prompt)}


def found_in(folder: Path, words: set[str]) -> set[str]:
    """Which of the words stand in any file."""
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()).lower()
    return {word for word in words if word.lower().encode() in content}


@pytest.fixture
def without_texts(hashed_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(hashed_home, tmp_path / "hashed")
    return tmp_path / "hashed"


@pytest.fixture(scope="module")
def halves(small_log: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The log in two files, each of half of the prompts."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(small_log)
    first = pc.is_in(table["prompt_id"], pc.unique(table["prompt_id"]).slice(0, 45))
    folder = tmp_path_factory.mktemp("halves")
    for name, rows in (("first", first), ("second", pc.invert(first))):
        pq.write_table(table.filter(rows), folder / f"{name}.parquet")
    return folder / "first.parquet", folder / "second.parquet"


@pytest.fixture(scope="module")
def both(fitted_home: Path, hashed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Planner]]:
    """Planners over the same logs, with texts and without."""
    planners = []
    for name, home in (("texts", fitted_home), ("hashes", hashed_home)):
        folder = tmp_path_factory.mktemp("both") / name
        shutil.copytree(home, folder)
        planners.append(opened(folder))
    yield planners
    for planner in planners:
        planner.close()


@pytest.mark.parametrize("budget", BUDGETS, ids=("4 generations", "16 generations", "4e8 FLOPs on average"))
def test_recommendations_are_those_that_texts_lead_to(both, budget):
    with_texts, without = (planner.recommend_batch(FRESH, budget) for planner in both)
    assert sum(plan.declined for plan in without) <= sum(plan.declined for plan in with_texts)
    accuracy, cost = (
        np.array([[of(plan) for plan in plans] for plans in (with_texts, without)])
        for of in (lambda plan: plan.forecast.accuracy, lambda plan: plan.forecast.cost.flops)
    )
    assert abs(accuracy[1].mean() - accuracy[0].mean()) < 0.02
    assert 0.8 < cost[1].mean() / cost[0].mean() < 1.25


def test_difficulty_is_foreseen_as_with_texts(both):
    told, hashed = (planner.policy.predictor.believe(FRESH) for planner in both)
    assert np.corrcoef(told.pass_rate, hashed.pass_rate)[0, 1] > 0.7
    assert hashed.in_distribution.mean() >= told.in_distribution.mean()


def test_what_is_foreign_is_told_as_with_texts(both):
    foreign = (
        "Write a poem about the sea.",
        "asdkj qwoeiu zmxnc pqowie",
        "Résumez ce contrat en trois points.",
        "%% $$",
    )
    for planner in both:
        assert not planner.policy.predictor.believe(foreign).in_distribution.any()


def test_no_word_of_a_prompt_stands_in_store_or_policy(hashed_home, fitted_home, small_log):
    import pyarrow.parquet as pq

    words = words_of(pq.read_table(small_log, columns=["prompt"])["prompt"].drop_null().unique().to_pylist())
    assert len(words) > 20
    assert found_in(fitted_home, words) == words
    assert found_in(hashed_home, words) <= OUR_OWN


def test_a_store_that_ceased_to_keep_texts_is_fitted_on_sketches_of_all(halves, tmp_path):
    first, second = halves
    with opened(tmp_path) as planner:
        planner.import_logs(first)
    with opened(tmp_path, store_prompt_text=False) as planner:
        planner.import_logs(second)
        assert [type(text) for text in planner.store.read_logs().prompts.texts] == [str] * 45 + [HashedText] * 45
        assert planner.fit(seed=0).warnings == ()
        assert isinstance(planner.policy.predictor.quick_, SketchFeatures)
        assert planner.policy.predictor.believe(FRESH).in_distribution.mean() > 0.98
        assert not any(plan.declined for plan in planner.recommend_batch(FRESH, BUDGETS[1]))


def test_the_same_logs_again_bring_the_texts(without_texts, small_log):
    with opened(without_texts) as planner:
        assert planner.import_logs(small_log).import_id is None
        assert all(isinstance(text, str) for text in planner.store.read_logs().prompts.texts)


def test_a_store_of_an_older_planner_gets_its_sketches_from_the_same_logs(without_texts, small_log):
    with closing(sqlite3.connect(without_texts / "planner.db")) as connection, connection:
        connection.execute("UPDATE prompts SET sketch = NULL WHERE prompt_key <= 30")
        connection.execute("UPDATE prompts SET sketch = CAST(x'ff' || substr(sketch, 2) AS BLOB) WHERE prompt_key > 80")
    with opened(without_texts, store_prompt_text=False) as planner:
        warnings = planner.fit(seed=0).warnings
        assert [warning.partition(" ")[0] for warning in warnings] == ["10", "30"]
        (newest, *_) = planner.policies()
        assert newest.summary["warnings"] == list(warnings)
        planner.import_logs(small_log)
        assert all(text.is_readable for text in planner.store.read_logs().prompts.texts)


def test_runs_and_explorations_keep_sketches_and_no_words(without_texts):
    asked = [f"{prompt} Xylophone!" for prompt in FRESH[:3]]
    with opened(without_texts, store_prompt_text=False) as planner:
        budget = Budget(max_generations=2)
        planner.run(planner.recommend(asked[0], budget), endpoint="lab")
        planner.run_batch([{"prompt": asked[1]}], budget, endpoint="lab")
        planner.explore([{"prompt": asked[2], "reference": "7"}], endpoint="lab", generators=["lab-small"], samples=2)
        kept = dict(zip((p := planner.store.read_logs().prompts).ids, p.texts, strict=True))
    assert sum(text.is_readable for text in kept.values()) == len(kept) == 93
    assert found_in(without_texts, {"Xylophone", *words_of(asked)}) <= OUR_OWN
