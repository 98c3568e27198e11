"""Random numbers by counting: each is a function of a sample's key and a place, whatever else is drawn beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def sample_keys(seed: int, n: int, first: int = 0) -> Keys:
    """Keys of the samples `first` to `first + n` of a request with this seed, the same however many are asked for."""
    base = _mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))
    return _mix(base + np.arange(first + 1, first + n + 1, dtype=np.uint64) * _GAMMA)


def uniforms(keys: Keys, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """One number in [0, 1) for each key at its place.

    Source: SplitMix64 (Steele, Lea and Flood 2014), its state taken at any place at once.
    """
    bits = _mix(keys + (places.astype(np.uint64) + np.uint64(1)) * _GAMMA)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: Keys) -> Keys:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Keys = z ^ (z >> np.uint64(31))
    return mixed
