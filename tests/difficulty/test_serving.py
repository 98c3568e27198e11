from __future__ import annotations

import subprocess
import sys

import lightgbm
import numpy as np
import pytest

from planner.difficulty import DifficultyPredictor, native
from planner.difficulty.native import NativeBooster
from planner.errors import ArtifactIncompatible, NotReady


@pytest.fixture(scope="module")
def rows(fitted):
    return np.random.default_rng(0).normal(size=(64, fitted.belief_.features.shape[1])).astype(np.float32)


def test_the_native_booster_equals_lightgbm_for_a_batch_and_for_one_row(fitted, rows):
    text = fitted.blend_.model_text
    expected = lightgbm.Booster(model_str=text).predict(rows)
    booster = NativeBooster(text, rows.shape[1])
    assert booster.predict(rows).tolist() == expected.tolist()
    assert [booster.predict(row[None, :])[0] for row in rows] == expected.tolist()
    assert booster.predict(rows[:0]).shape == (0,)
    assert booster.predict(np.broadcast_to(rows[0], (1, rows.shape[1])))[0] == expected[0]  # it is read-only


def test_of_a_prompt_alone_is_believed_what_is_believed_of_it_among_others(fitted, unseen):
    texts = unseen.table.prompts.texts[:50]
    among = fitted.believe(texts)
    for row, text in enumerate(texts):
        alone = fitted.believe([text])
        assert np.allclose(alone.bins, among.bins[row], atol=1e-5)
        assert np.allclose(alone.pass_rate, among.pass_rate[row], atol=1e-5)


def test_a_missing_library_is_an_error_with_the_command_that_mends_it(monkeypatch):
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match="pip install lightgbm"):
        native._library_path()


def test_a_predictor_comes_back_from_its_state(fitted, unseen):
    back = DifficultyPredictor.from_state(*fitted.to_state())
    texts = unseen.table.prompts.texts
    assert back.believe(texts).bins.tolist() == fitted.believe(texts).bins.tolist()
    assert back.membership(unseen.table).tolist() == fitted.membership(unseen.table).tolist()
    assert repr(back.to_state()) == repr(fitted.to_state())


def test_a_state_of_another_version_is_refused(fitted):
    state, text = fitted.to_state()
    with pytest.raises(ArtifactIncompatible, match="planner fit"):
        DifficultyPredictor.from_state(state | {"version": 0}, text)


def test_serving_imports_neither_lightgbm_nor_sklearn():
    code = (
        "import sys, planner.difficulty.predictor, planner.difficulty.native as n; n._library();"
        "print([m for m in ('lightgbm', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
