"""LightGBM's shared library through ctypes: predictions without importing lightgbm, which would load scikit-learn.

The text of a damaged model aborts the process instead of raising: whoever reads it from disk checks its hash first.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from planner.compiled import BUILT
from planner.curves.logs import Floats
from planner.difficulty.latent import Doubles
from planner.errors import NotReady, PlannerError

if BUILT:
    from planner.compiled.reading import Trees

_FLOAT32, _ROW_MAJOR, _NORMAL, _ALL_TREES = 0, 1, 0, -1
_ONE_THREAD = b"num_threads=1"
_NAMES = {"win32": ("lib_lightgbm.dll",), "darwin": ("lib_lightgbm.dylib", "lib_lightgbm.so")}


class NativeBooster:
    """A LightGBM model, read from its text; predicts with one thread and equals `Booster.predict`."""

    def __init__(self, model_text: str, n_features: int) -> None:
        self._library = _library()
        self._n_features = n_features
        self._booster = ctypes.c_void_p()
        n_trees = ctypes.c_int()
        self._check(
            self._library.LGBM_BoosterLoadModelFromString(
                model_text.encode(), ctypes.byref(n_trees), ctypes.byref(self._booster)
            )
        )
        self._single_row = ctypes.c_void_p()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster, _NORMAL, 0, _ALL_TREES, _FLOAT32, ctypes.c_int32(n_features), _ONE_THREAD,
                ctypes.byref(self._single_row),
            )
        )  # fmt: skip

        self._trees = self._compiled() if BUILT else None

    def _compiled(self) -> Trees:
        """What asks for a single row without the detour by ctypes."""
        function = ctypes.cast(self._library.LGBM_BoosterPredictForMatSingleRowFast, ctypes.c_void_p)
        assert function.value is not None
        assert self._single_row.value is not None
        return Trees(function.value, self._single_row.value)

    def __del__(self) -> None:
        if getattr(self, "_single_row", None):
            self._library.LGBM_FastConfigFree(self._single_row)
        if getattr(self, "_booster", None):
            self._library.LGBM_BoosterFree(self._booster)

    def predict(self, features: Floats) -> Doubles:
        """Predictions of the rows of features (P, n_features); (P,)."""
        assert features.shape[1] == self._n_features, "LightGBM would read past the end of narrower rows"
        out = np.empty(len(features), dtype=np.float64)
        if not len(features):
            return out
        if len(features) == 1 and self._trees is not None:
            self._check(self._trees.predict(np.ascontiguousarray(features, dtype=np.float32), out))
            return out
        rows = np.array(features, dtype=np.float32, order="C")  # a copy: what is read-only gives no address
        length = ctypes.c_int64()
        if len(rows) == 1:
            self._check(
                self._library.LGBM_BoosterPredictForMatSingleRowFast(
                    self._single_row, _address(rows), ctypes.byref(length), _address(out)
                )
            )
            return out
        self._check(
            self._library.LGBM_BoosterPredictForMat(
                self._booster, _address(rows), _FLOAT32, ctypes.c_int32(len(rows)), ctypes.c_int32(rows.shape[1]),
                _ROW_MAJOR, _NORMAL, 0, _ALL_TREES, _ONE_THREAD, ctypes.byref(length), _address(out),
            )
        )  # fmt: skip
        return out

    def _check(self, status: int) -> None:
        if status != 0:
            raise PlannerError(f"LightGBM cannot predict: {self._library.LGBM_GetLastError().decode()}")


def _address(array: Floats | Doubles) -> Any:  # noqa: ANN401 - ctypes has no public name for a reference
    # A tenth of the time of array.ctypes.data. Arrays are buffers; Python can say so from 3.12 on.
    return ctypes.byref(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]


@cache
def _library() -> Any:  # noqa: ANN401 - ctypes types nothing of a library's functions
    path = _library_path()
    try:
        library = ctypes.cdll.LoadLibrary(str(path))
    except OSError as error:
        raise NotReady(
            f"{path} cannot be loaded ({error}): reinstall it with `pip install --force-reinstall lightgbm`"
        ) from error
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _library_path() -> Path:
    spec = importlib.util.find_spec("lightgbm")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    names = _NAMES.get(sys.platform, ("lib_lightgbm.so",))
    for folder in folders:
        for path in (folder / place / name for place in ("lib", ".", "bin") for name in names):
            if path.is_file():
                return path
    raise NotReady("LightGBM's shared library is not installed: run `pip install lightgbm`")
