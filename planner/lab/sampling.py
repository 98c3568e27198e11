"""From logits to the next token of every sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.lab.randomness import Keys, uniforms
from planner.lab.weights import Floats

Integers = NDArray[np.intp]


def draw(logits: Floats, temperatures: Floats, rows: Integers, keys: Keys, places: Integers) -> Integers:
    """The next token of each sample; logits and temperatures (0: the likeliest token) a row, the rest a sample."""
    heat = np.where(temperatures > 0, temperatures, np.float32(1))[:, None]
    weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / heat)
    sums = np.cumsum(weights, axis=1)
    totals = sums[rows, -1]
    points = (uniforms(keys, places) * totals).astype(np.float32)
    points = np.minimum(points, np.nextafter(totals, np.float32(0)))  # rounding must not lead past the last token
    drawn = np.count_nonzero(sums[rows] <= points[:, None], axis=1)
    tokens: Integers = np.where(temperatures[rows] > 0, drawn, logits.argmax(axis=1)[rows])
    return tokens


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities at temperature 1, of each row."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logprobs: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logprobs
