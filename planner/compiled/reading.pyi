from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SOURCE: str

class TextReader:
    def __init__(
        self,
        codes_of: Mapping[str, tuple[int, ...]],
        vectors: NDArray[np.float32],
        idf: NDArray[np.float32],
        pairs: NDArray[np.int64],
        of_code: NDArray[np.float32],
        weights: NDArray[np.float32],
        class_of: bytes,
        n_classes: int,
        most_characters: int,
        centre: NDArray[np.float32],
        scale: NDArray[np.float32],
        judged: NDArray[np.float32],
        least_known_share: float,
        most_distance: float,
        longest: float,
        far: float,
    ) -> None: ...
    def read(
        self, texts: list[str], named: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]: ...

class Trees:
    def __init__(self, function: int, settings: int) -> None: ...
    def predict(self, features: NDArray[np.float32], out: NDArray[np.float64]) -> int: ...

class BinReader:
    def __init__(
        self,
        prior: NDArray[np.float64],
        table: NDArray[np.float64],
        centre: float,
        scale: float,
        bound: float,
        ridge: NDArray[np.float64],
        ridge_intercept: float,
        ridge_share: float,
        least_rate: float,
        weights: NDArray[np.float64],
        offset: NDArray[np.float64],
        logit_share: float,
        idle: bool,
        mean_rates: NDArray[np.float64],
        informative: bool,
    ) -> None: ...
    def read(
        self, features: NDArray[np.float32], trees: NDArray[np.float64], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8]]: ...
