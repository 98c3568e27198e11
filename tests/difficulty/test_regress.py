"""Trees and ridges on folds that are held out side by side."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from planner.difficulty.regress import fit_blend


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 6)).astype(np.float32)
    return features, 1 / (1 + np.exp(-features[:, 0].astype(float))), np.ones(200), np.arange(200) % 4


def test_all_threads_that_use_lightgbm_side_by_side_name_the_same_number_of_threads(data, monkeypatch):
    """It is one for the process: a prediction with another one beside trees that grow ends in a segmentation fault."""
    asked = []
    predict, train, dataset = lightgbm.Booster.predict, lightgbm.train, lightgbm.Dataset

    def predicted(self, *args, **given):
        asked.append(given["num_threads"])
        return predict(self, *args, **given)

    def trained(parameters, *args, **given):
        asked.append(parameters["num_threads"])
        return train(parameters, *args, **given)

    def made(*args, **given):
        asked.append(given["params"]["num_threads"])
        return dataset(*args, **given)

    monkeypatch.setattr(lightgbm.Booster, "predict", predicted)
    monkeypatch.setattr(lightgbm, "train", trained)
    monkeypatch.setattr(lightgbm, "Dataset", made)
    fit_blend(*data, seed=0)
    assert len(asked) > 3 * 4
    assert set(asked) == {1}


def test_a_fit_gives_the_same_model_each_time(data):
    models = {fit_blend(*data, seed=0).blend.model_text for _ in range(3)}
    assert len(models) == 1
