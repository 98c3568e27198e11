"""Prompts read: features on the scale of the training prompts, and the posteriors that they tell of.

In loops of C where these were built, else by the methods of features, domain, posterior and discriminant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import BUILT
from planner.curves.logs import Floats
from planner.difficulty.discriminant import Discriminant
from planner.difficulty.domain import FAR, Domain
from planner.difficulty.features import QuickFeatures
from planner.difficulty.latent import Doubles
from planner.difficulty.posterior import BinPosterior
from planner.difficulty.projection import TERM_WEIGHTS
from planner.difficulty.regress import LEAST_RATE, Blend, mix
from planner.difficulty.sketch_features import SketchFeatures
from planner.texts.characters import CLASS_OF_BYTE, CLASSES
from planner.texts.kept import Text
from planner.texts.tokens import MAX_CHARACTERS

if BUILT:
    from planner.compiled.reading import BinReader, TextReader


class Read(NamedTuple):
    """Standardised features (P, F), which prompts are near those that were logged (P,), lengths in characters (P,)."""

    features: Floats
    known: NDArray[np.bool_]
    n_characters: Floats


class Reader:
    """Features of prompts as they were fitted, and the bounds of what was logged."""

    def __init__(self, quick: QuickFeatures | SketchFeatures, domain: Domain) -> None:
        self._quick, self._domain = quick, domain
        self._compiled = _text_reader(quick, domain) if BUILT and isinstance(quick, QuickFeatures) else None

    def read(
        self,
        texts: Sequence[Text],
        datasets: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> Read:
        """Features of the prompts from their text or its sketch, and data set and metadata where they are known."""
        if self._compiled is None:
            raw = self._quick.transform(texts, datasets, metadata)
            features = self._domain.standardise(raw)
            return Read(features, self._domain.holds(raw, features), raw.n_characters)
        plain = [text if isinstance(text, str) else "" for text in texts]
        columns = self._quick.named.transform(len(plain), datasets, metadata)
        return Read(*self._compiled.read(plain, np.concatenate(columns, axis=1) if columns else None))


class Told(NamedTuple):
    """Posteriors over the bins (P, B), mean pass rates (P,), and whether the text told of them (P,)."""

    bins: Floats
    pass_rate: Floats
    by_text: NDArray[np.int8]


class Posteriors:
    """From features, and what the trees predict of them, to posteriors over the bins.

    prior, mean_rates: (B,) shares and pass rates of the bins. informative: whether texts tell anything.
    """

    def __init__(
        self,
        blend: Blend,
        posterior: BinPosterior,
        discriminant: Discriminant,
        mean_rates: Doubles,
        *,
        informative: bool,
    ) -> None:
        self._blend, self._posterior, self._discriminant = blend, posterior, discriminant
        self._mean_rates, self._informative = mean_rates, informative
        self._compiled = self._built() if BUILT else None

    def read(self, features: Floats, trees: Doubles, known: NDArray[np.bool_]) -> Told:
        """Posteriors of prompts of these features (P, F), of which the trees predict rates (P,).

        known: (P,) which are near those that were logged; of others the prior is all that is known.
        """
        if self._compiled is not None:
            return Told(*self._compiled.read(features, trees, known))
        logits = mix(trees, self._blend.ridge.predict(features), self._blend.ridge_share)
        return self.told(self._discriminant.apply(self._posterior.predict(logits), features), known)

    def _built(self) -> BinReader:
        blend, posterior, discriminant = self._blend, self._posterior, self._discriminant
        return BinReader(
            posterior.prior,
            posterior.table,
            posterior.centre,
            posterior.scale,
            posterior.bound,
            blend.ridge.coefficients,
            blend.ridge.intercept,
            blend.ridge_share,
            LEAST_RATE,
            discriminant.weights,
            discriminant.offset,
            discriminant.logit_share,
            discriminant.idle,
            self._mean_rates,
            self._informative,
        )

    def told(self, bins: Doubles, known: NDArray[np.bool_]) -> Told:
        """What posteriors (P, B) come to where only texts of `known` prompts (P,) count, if any."""
        by_text = known if self._informative else np.zeros_like(known)
        bins = np.where(by_text[:, None], bins, self._posterior.prior)
        return Told(bins.astype(np.float32), bins.dot(self._mean_rates).astype(np.float32), by_text.astype(np.int8))


def _text_reader(quick: QuickFeatures, domain: Domain) -> TextReader:
    return TextReader(
        quick.tokens.codes_of,
        quick.vectors,
        quick.idf,
        quick.pairs,
        quick.of_code,
        TERM_WEIGHTS,
        CLASS_OF_BYTE,
        len(CLASSES),
        MAX_CHARACTERS,
        domain.centre,
        domain.scale,
        domain.judged,
        domain.least_known_share,
        domain.most_distance,
        domain.most_characters,
        float(FAR),
    )
