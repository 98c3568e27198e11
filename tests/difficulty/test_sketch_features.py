from __future__ import annotations

from dataclasses import replace

import difficulty_worlds as worlds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.artifacts.arrays import from_json, to_json
from planner.difficulty import DifficultyPredictor, difficulty_report
from planner.difficulty.bins import folds_of
from planner.difficulty.features import QuickFeatures
from planner.difficulty.sketch_features import SketchFeatures, fit_sketch_features
from planner.errors import ArtifactIncompatible
from planner.store.rows import text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import VERSION, sketch

TEXTS = [f"{word} the {number} boxes: f(x) = {number}?" for word in ("add", "take", "halve") for number in range(8)]
QUICK = fit_sketch_features(TEXTS, ["a", "b"] * 12, [{}] * 24)
FOREIGN = (
    "Il était une fois, dans un petit village au bord de la mer, une jeune fille qui aimait regarder les bateaux.",
    "asdkj qwoeiu zmxnc pqowie alskdj",
    "%%% $$$ @@@",
    "",
)


def hashed(text):
    return HashedText(text_hash(text), sketch(text))


def without_texts(world, rows=slice(None)):
    """The world with hashed texts at these rows."""
    texts = list(world.table.prompts.texts)
    texts[rows] = [hashed(text) for text in texts[rows]]
    prompts = replace(world.table.prompts, texts=tuple(texts))
    return replace(world.table, prompts=prompts), replace(world.logs, prompts=prompts)


@pytest.fixture(scope="module")
def sketched(telling):
    return DifficultyPredictor().fit(*without_texts(telling))


@given(st.lists(st.text(max_size=60), min_size=2, max_size=8))
def test_a_batch_gives_what_each_prompt_gives_alone(texts):
    batch = QUICK.transform(texts, ["a"] * len(texts))
    alone = [QUICK.transform([text], ["a"]) for text in texts]
    assert np.allclose(batch.dense, np.concatenate([one.dense for one in alone]), atol=1e-5)
    assert np.allclose(batch.known_share, np.concatenate([one.known_share for one in alone]))


def test_a_text_and_its_sketch_have_the_same_features():
    quick = fit_sketch_features([*TEXTS[:12], *map(hashed, TEXTS[12:])], [None] * 24, [{}] * 24)
    of_text, of_sketch = quick.transform(TEXTS), quick.transform([hashed(text) for text in TEXTS])
    assert np.array_equal(of_text.dense, of_sketch.dense)
    assert np.array_equal(of_text.known_share, of_sketch.known_share)


def test_logs_of_texts_are_read_by_words(fitted):
    assert isinstance(fitted.quick_, QuickFeatures)


def test_difficulty_is_learned_without_texts_as_well_as_with_them(fitted, sketched, unseen):
    ours, theirs = (difficulty_report(one, unseen.table)["predictor"] for one in (sketched, fitted))
    assert isinstance(sketched.quick_, SketchFeatures)
    assert ours["spearman"] > theirs["spearman"] - 0.02
    assert ours["calibration_error"] < theirs["calibration_error"] + 0.02


def test_half_texts_and_half_sketches_tell_what_all_sketches_tell(telling, sketched, unseen):
    mixed = DifficultyPredictor().fit(*without_texts(telling, slice(0, 100)))
    texts = unseen.table.prompts.texts
    assert np.array_equal(mixed.believe(texts).bins, sketched.believe(texts).bins)


def test_prompts_like_the_logged_ones_are_in_distribution(sketched, unseen):
    assert sketched.believe(unseen.table.prompts.texts).in_distribution.all()


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_texts_fall_back_to_the_prior(sketched, text):
    belief = sketched.believe((text,))
    assert not belief.in_distribution[0]
    assert np.allclose(belief.bins[0], sketched.prior_, atol=1e-6)


@pytest.mark.parametrize("number", ["7", "123456789012345678901234567890"])
def test_an_unseen_number_beside_known_words_is_in_distribution(sketched, number):
    assert sketched.believe((f"apple river stone cloud tiger lamp simple number {number}",)).in_distribution[0]


def test_many_words_of_a_large_log_leave_strange_words_strange():
    rng = np.random.default_rng(0)
    often = rng.zipf(1.3, size=(3000, 40)) % 50_000
    quick = fit_sketch_features([" ".join(f"w{i}" for i in row) for row in often], [None] * 3000, [{}] * 3000)
    strange = quick.transform([" ".join(f"v{i}" for i in row) for row in often[:200]])
    own = quick.transform([" ".join(f"w{i}" for i in row) for row in often[:200]])
    assert strange.known_share.mean() < 0.3
    assert own.known_share.mean() > 0.75


@pytest.mark.parametrize("kept", [None, bytes([VERSION + 1]) + sketch("x")[1:]])
def test_a_sketch_that_is_not_read_counts_as_no_text(sketched, fitted, kept):
    unread = HashedText("0" * 64, kept)
    for predictor in (sketched, fitted):
        belief = predictor.believe((unread,))
        assert not belief.in_distribution[0]
        assert np.array_equal(belief.bins, predictor.believe((None,)).bins)


def test_hashes_alone_leave_the_fit_to_the_texts(telling, unseen):
    table, logs = without_texts(telling, slice(0, 20))
    bare = tuple(HashedText(text.sha256) if isinstance(text, HashedText) else text for text in table.prompts.texts)
    prompts = replace(table.prompts, texts=bare)
    predictor = DifficultyPredictor().fit(replace(table, prompts=prompts), replace(logs, prompts=prompts))
    assert isinstance(predictor.quick_, QuickFeatures)
    assert predictor.believe(unseen.table.prompts.texts).in_distribution.all()


def test_equal_texts_share_a_fold_however_they_are_kept():
    folds = folds_of(["a", hashed("b"), hashed("a"), hashed("b"), None, None], 6, seed=0)
    assert folds[0] == folds[2]
    assert folds[1] == folds[3]
    assert len(set(folds.tolist())) == 4


def test_a_predictor_of_sketches_comes_back_as_it_was(sketched, unseen):
    state, model_text = sketched.to_state()
    again = DifficultyPredictor.from_state(from_json(to_json(state)), model_text)
    texts = unseen.table.prompts.texts
    assert np.array_equal(again.believe(texts).bins, sketched.believe(texts).bins)


def test_no_word_stands_in_a_predictor_of_sketches(sketched):
    state, model_text = sketched.to_state()
    written = to_json(state) + model_text.encode()
    assert not any(word.encode() in written for word in (*worlds.FILLER, *worlds.BIN_WORDS))


def test_a_predictor_of_sketches_of_another_version_is_refused(sketched):
    state, model_text = sketched.to_state()
    other = {**state, "quick": {**state["quick"], "sketch_version": VERSION + 1}}
    with pytest.raises(ArtifactIncompatible, match="planner fit"):
        DifficultyPredictor.from_state(other, model_text)


def test_a_planner_that_knows_no_sketches_refuses_the_predictor(fitted, sketched):
    assert (fitted.to_state()[0]["version"], sketched.to_state()[0]["version"]) == (3, 4)
