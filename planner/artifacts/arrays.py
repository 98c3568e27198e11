"""Arrays inside JSON: exact, small, and read a hundred times quicker than numbers written as digits."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

_DTYPES = {"float32": "<f4", "float64": "<f8", "int8": "<i1", "int32": "<i4", "int64": "<i8", "uint32": "<u4"}
_KEYS = {"dtype", "shape", "base64"}


def to_json(state: Any) -> bytes:  # noqa: ANN401 - dicts, lists, scalars and arrays, nested
    """Canonical JSON of a state: sorted keys, no spaces, so that equal states are equal bytes.

    An array becomes `{"dtype", "shape", "base64"}` with its bytes in little-endian order.
    """
    text = json.dumps(state, default=_encode, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def from_json(data: bytes) -> Any:  # noqa: ANN401
    """The state that `to_json` wrote; arrays are read-only."""
    return json.loads(data.decode("utf-8", "surrogatepass"), object_hook=_decode)


def _encode(value: object) -> object:
    if isinstance(value, np.ndarray):
        name = "int8" if value.dtype == np.bool_ else value.dtype.name
        array = np.ascontiguousarray(value, dtype=_DTYPES[name])
        dtype = "bool" if value.dtype == np.bool_ else name
        return {"dtype": dtype, "shape": list(value.shape), "base64": base64.b64encode(array.tobytes()).decode()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in an artifact")


def _decode(value: dict[str, Any]) -> object:
    if value.keys() != _KEYS:
        return value
    name = value["dtype"]
    array = np.frombuffer(base64.b64decode(value["base64"]), dtype=_DTYPES["int8" if name == "bool" else name])
    return array.astype(np.bool_).reshape(value["shape"]) if name == "bool" else array.reshape(value["shape"])
