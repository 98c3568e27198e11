from __future__ import annotations

import numpy as np
import pyarrow.parquet
import pytest
from difficulty_worlds import outcome_table

from planner.curves.logs import Pool, PromptTable
from planner.difficulty import DifficultyPredictor, difficulty_report


def test_text_predicts_the_difficulty_of_date_puzzles(public_data):
    rows = pyarrow.parquet.read_table(public_data / "date_understanding.samples.parquet").to_pydict()
    ids, place = np.unique(rows["prompt_id"], return_inverse=True)
    texts = {name: text for name, text in zip(rows["prompt_id"], rows["prompt"], strict=True) if text}
    n = np.bincount(place).astype(np.float32)[:, None]
    correct = np.bincount(place, np.array(rows["correct"], dtype=float)).astype(np.float32)[:, None]
    empty = np.zeros((len(ids), 0), np.float32)
    prompts = PromptTable(tuple(ids), tuple(texts[name] for name in ids), (None,) * len(ids), ({},) * len(ids))
    table = outcome_table(prompts, (), empty, empty, (Pool("gpt-3.5-turbo"),), n, correct)
    order = np.random.default_rng(0).permutation(len(ids))
    fitted = DifficultyPredictor().fit(table.take_prompts(order[:280]))
    report = difficulty_report(fitted, table.take_prompts(order[280:]))
    assert report["predictor"]["spearman"] > 0.45
    assert report["predictor"]["auc"] > report["global_mean"]["auc"] + 0.15
    assert report["predictor"]["calibration_error"] < 0.15
    assert report["log_score_over_prior"] == pytest.approx(0.35, abs=0.25)
