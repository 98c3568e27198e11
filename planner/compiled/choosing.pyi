import numpy as np
from numpy.typing import NDArray

SOURCE: str

class Forecaster:
    def __init__(
        self,
        accuracy: NDArray[np.float32],
        variance: NDArray[np.float32],
        leverage: NDArray[np.float32],
        spread: NDArray[np.float32],
        detail: NDArray[np.float32] | None,
        edge: float,
        lengths: NDArray[np.float32],
        slope: NDArray[np.float32],
        centre: NDArray[np.float32],
        prompt_share: NDArray[np.float32],
        least_prompt: float,
        least: float,
        most: float,
    ) -> None: ...
    def forecast(
        self, bins: NDArray[np.float32], features: NDArray[np.float32], n_characters: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]: ...

class Chooser:
    def __init__(
        self,
        difference: NDArray[np.float32],
        variance: NDArray[np.float32],
        least_difference: float,
        nothing: float,
    ) -> None: ...
    def choose(
        self,
        loads: NDArray[np.float32],
        ceilings: list[tuple[NDArray[np.float32], float]],
        price_table: NDArray[np.float32],
        mask: NDArray[np.uint8],
        hull: NDArray[np.uint8] | None,
        accuracy: NDArray[np.float32],
        stderr: NDArray[np.float32],
        usual: NDArray[np.float32],
        share: NDArray[np.float32],
        bins: NDArray[np.float32],
        low: float,
        high: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]: ...

def leading(worth: NDArray[np.float32], n: int) -> list[list[int]]: ...
def products(loads: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]: ...
