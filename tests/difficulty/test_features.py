from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.difficulty.fit_features import fit_features
from planner.difficulty.tokens import FIRST_WORD, TokenTable

TEXTS = [f"{word} the {number} boxes: f(x) = {number}?" for word in ("add", "take", "halve") for number in range(8)]
QUICK = fit_features(TEXTS, ["a", "b"] * 12, [{}] * 24)


@given(st.lists(st.text(max_size=60), min_size=2, max_size=8))
def test_a_batch_gives_what_each_prompt_gives_alone(texts):
    batch = QUICK.transform(texts, ["a"] * len(texts))
    alone = [QUICK.transform([text], ["a"]) for text in texts]
    assert np.allclose(batch.dense, np.concatenate([one.dense for one in alone]), atol=1e-5)
    assert np.allclose(batch.known_share, np.concatenate([one.known_share for one in alone]))


@given(st.text(max_size=200))
def test_any_text_has_finite_features(text):
    raw = QUICK.transform([text])
    assert np.isfinite(raw.dense).all()
    assert 0 <= raw.known_share[0] <= 1


def test_token_vectors_are_those_of_tfidf_and_svd():
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(
        token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), min_df=2, sublinear_tf=True, lowercase=True
    )
    plain = [text.replace("0", "zero") for text in TEXTS]
    quick = fit_features(plain, [None] * len(plain), [{}] * len(plain))
    projected = quick.transform(plain).dense[:, : quick.vectors.shape[1]]
    tfidf = words.fit_transform(plain).toarray()
    assert np.allclose(projected @ projected.T, tfidf @ tfidf.T, atol=0.15)


def test_an_unknown_number_is_a_number_of_so_many_digits():
    codes, lengths = TokenTable.fit(["add 12", "add 13"]).encode(["add 4711", "boggle", ""])
    assert codes[0] >= FIRST_WORD
    assert codes[1:].tolist() == [4, 0]
    assert lengths.tolist() == [2, 1, 0]


def test_ten_megabytes_are_read_as_quickly_as_their_beginning():
    text = "add the 5 boxes " * 650_000
    assert QUICK.transform([text]).n_characters[0] == len(text)


def test_an_unseen_data_set_has_no_column():
    known, unseen, missing = (QUICK.transform(["add"], [name]).dense[0, -2:] for name in ("b", "c", None))
    assert known.tolist() == [0, 1]
    assert unseen.tolist() == missing.tolist() == [0, 0]
