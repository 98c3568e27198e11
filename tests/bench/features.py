"""Quick features beside scikit-learn's Tfidf + TruncatedSVD, on real logs: `python -m tests.bench.features`.

Both are fitted on the training folds and go through the same regressors; prompts of equal text share a fold.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import lightgbm
import numpy as np
import pyarrow.parquet as pq
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from planner.curves.logs import Floats
from planner.difficulty.bins import folds_of
from planner.difficulty.domain import fit_domain
from planner.difficulty.fit_features import fit_features
from planner.difficulty.reading import Reader
from planner.difficulty.regress import fit_blend, mix
from planner.difficulty.report import auc, spearman
from tests.bench.readme import markdown_table, write_figures

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NAMES = ("mmlu_pro", "zeroeval", "cruxeval", "date_understanding")
MOST_PROMPTS = 4000
Featurise = Callable[[Sequence[str]], Floats]


def read(name: str) -> tuple[list[str], Floats]:
    """Texts and mean correctness over all generators of up to `MOST_PROMPTS` prompts."""
    columns = pq.read_table(DATA / f"{name}.samples.parquet", columns=["prompt_id", "prompt", "correct"]).to_pydict()
    texts = {key: text for key, text in zip(columns["prompt_id"], columns["prompt"], strict=True) if text}
    ids, place = np.unique(columns["prompt_id"], return_inverse=True)
    rates = np.bincount(place, np.array(columns["correct"], dtype=float)) / np.bincount(place)
    rows = np.random.default_rng(0).permutation(len(ids))[:MOST_PROMPTS]
    return [texts[ids[row]] for row in rows], rates[rows].astype(np.float32)


def quick(texts: Sequence[str]) -> Featurise:
    """The planner's own features."""
    fitted = fit_features(texts, [None] * len(texts), [{}] * len(texts))
    domain, _ = fit_domain(fitted.transform(texts), fitted.number_columns)
    reader = Reader(fitted, domain)
    return lambda others: reader.read(others).features


def slow(texts: Sequence[str]) -> Featurise:
    """Tfidf of words and bigrams and TruncatedSVD of 64 components, standardised."""
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), TruncatedSVD(64, random_state=0)
    )
    own = pipeline.fit_transform(texts)
    centre, scale = own.mean(axis=0), own.std(axis=0) + 1e-9
    return lambda others: ((pipeline.transform(others) - centre) / scale).astype(np.float32)


def held_out(texts: list[str], rates: Floats, fit: Callable[[Sequence[str]], Featurise]) -> tuple[Floats, float]:
    """Predicted logits from the other folds, and the median microseconds of the features of one prompt."""
    folds = folds_of(texts, 5, seed=1)
    predicted = np.empty(len(texts))
    for fold in range(5):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        own = [texts[row] for row in train]
        featurise = fit(own)
        weight = np.ones(len(train))
        blend = fit_blend(featurise(own), rates[train].astype(float), weight, folds_of(own, 5, seed=2), seed=0).blend
        features = featurise([texts[row] for row in test])
        trees = np.asarray(lightgbm.Booster(model_str=blend.model_text).predict(features))
        predicted[test] = mix(trees, blend.ridge.predict(features), blend.ridge_share)
    return predicted.astype(np.float32), median(_microseconds(featurise, text) for text in texts[:200])


def _microseconds(featurise: Featurise, text: str) -> float:
    start = time.perf_counter()
    featurise([text])
    return 1e6 * (time.perf_counter() - start)


def main() -> None:
    """Print Spearman, AUC (harder or easier than the median prompt) and the time of one prompt for both."""
    if not DATA.is_dir():
        sys.exit("the public logs (shared/data beside the checkout) are not here")
    rows = []
    for name in NAMES:
        texts, rates = read(name)
        easy = (rates > np.median(rates)).astype(np.float32)
        for label, fit in (("quick", quick), ("Tfidf + SVD", slow)):
            predicted, microseconds = held_out(texts, rates, fit)
            area = auc(predicted, easy, 1 - easy)
            rows.append((name, label, f"{spearman(predicted, rates):.3f}", f"{area:.3f}", f"{microseconds:.0f}"))
    table = markdown_table(("logs", "features", "Spearman", "AUC", "microseconds a prompt"), rows)
    print(table)
    write_figures("features", table)


if __name__ == "__main__":
    main()
