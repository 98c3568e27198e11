"""States as JSON: what is read is what was written, and equal states are equal bytes."""

from __future__ import annotations

import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.artifacts.arrays import from_json, to_json

DTYPES = [np.float32, np.float64, np.int8, np.int32, np.int64, np.uint32, np.bool_]
ARRAYS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, min_side=0)))


@given(ARRAYS)
def test_an_array_comes_back_bit_by_bit(array):
    again = from_json(to_json({"a": array}))["a"]
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_data_comes_back(value):
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "base64"}:
        assert from_json(to_json(value)) == value


def test_the_order_of_members_does_not_matter():
    assert to_json({"a": 1, "b": 2}) == to_json({"b": 2, "a": 1})


def test_the_bytes_are_json():
    assert json.loads(to_json({"a": np.zeros(2, np.float32)}))["a"]["shape"] == [2]


def test_what_has_no_place_is_refused():
    with pytest.raises(TypeError, match="no place"):
        to_json({"a": object()})
