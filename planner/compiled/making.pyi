from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.core import Cost, Forecast

SOURCE: str

_T = TypeVar("_T")

def make(model: type[_T], values: dict[str, Any], fields: set[str]) -> _T: ...

class ForecastMaker:
    def __init__(
        self,
        coefficients: NDArray[np.float32],
        start: NDArray[np.intp],
        generator: NDArray[np.intp],
        forecast: type[Forecast],
        forecast_fields: set[str],
        cost: type[Cost],
        cost_fields: set[str],
    ) -> None: ...
    def at_pairs(
        self,
        accuracy: NDArray[np.float32],
        stderr: NDArray[np.float32],
        loads: NDArray[np.float32],
        prompts: list[int],
        arms: list[int],
        support: list[tuple[int, int, bool]],
        z: float,
    ) -> list[Forecast]: ...
