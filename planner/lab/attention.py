"""Attention over cached keys and values, for one token a row and for whole stretches of text.

Two features are added so that plain products do what else takes passes over all scores. Values end with 1: one product
gives the weighted sum and what it is to be divided by. Queries end with 1 and keys with 0, or with a great negative
number where no token stands: such places weigh nothing, and no mask is needed.
As in llama.py the shapes of products are fixed, or shown not to matter: numbers do not depend on the batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.lab.llama import LANES, Llama
from planner.lab.weights import Floats

KEY_BLOCK = 64
_SUM_BLOCK = 256  # BLAS splits longer sums, in a way that depends on their length
NO_TOKEN = np.float32(-1e9)
KeyValues = tuple[Floats, Floats]
"""Keys and values, both (layers, rows, kv heads, places, features and one more)."""


def empty(model: Llama, rows: int, places: int) -> KeyValues:
    """Room for keys and values of so many rows, all places without a token."""
    shape = model.shape
    size = (shape.layers, rows, shape.kv_heads, places, shape.head_width + 1)
    keys, values = np.zeros(size, np.float32), np.zeros(size, np.float32)
    keys[..., -1] = NO_TOKEN
    values[..., -1] = 1
    return keys, values


def forget(memory: KeyValues, row: int, start: int) -> None:
    """Take the tokens of a row away, from a place on."""
    memory[0][:, row, :, start:, -1] = NO_TOKEN


def one_token(model: Llama, memory: KeyValues, tokens: NDArray[np.intp], positions: NDArray[np.intp]) -> Floats:
    """Logits (rows, vocabulary) after one more token in each of the memory's first rows, which are written to."""
    keys, values = memory
    n = len(tokens)
    rows = np.arange(n)
    places = min(-(-(int(positions.max()) + 1) // 32) * 32, keys.shape[3])
    hidden, rotation = model.embed(tokens), model.rotation(positions)
    attended = np.zeros((hidden.shape[0] * LANES, model.shape.width), np.float32)
    for layer in range(model.shape.layers):
        query, key, value = _split(model, model.query_key_value(layer, hidden, rotation))
        keys[layer, rows, :, positions] = key[:n]
        values[layer, rows, :, positions] = value[:n]
        attended[:n] = _read(query[:n], keys[layer, :n, :, :places], values[layer, :n, :, :places])
        hidden = model.after_attention(layer, hidden, attended)
    return model.logits(hidden)[:n]


def stretches(
    model: Llama, memory: KeyValues, tokens: NDArray[np.intp], rows: NDArray[np.intp], positions: NDArray[np.intp]
) -> Floats:
    """Logits (tokens, vocabulary) after each of these tokens, at their places of rows of the memory, written to.

    A row's tokens follow on what the row holds. Places of the memory are a multiple of 64.
    """
    keys, values = memory
    n = len(tokens)
    hidden, rotation = model.embed(tokens), model.rotation(positions)
    attended = np.zeros((hidden.shape[0] * LANES, model.shape.width), np.float32)
    blocks = [_QueryBlock(block, rows, positions) for block in np.unique(positions // LANES)]
    for layer in range(model.shape.layers):
        query, key, value = _split(model, model.query_key_value(layer, hidden, rotation))
        keys[layer, rows, :, positions] = key[:n]
        values[layer, rows, :, positions] = value[:n]
        for block in blocks:
            attended[block.tokens] = block.read(query, keys[layer], values[layer])
        hidden = model.after_attention(layer, hidden, attended)
    return model.logits(hidden)[:n]


class _QueryBlock:
    """The tokens at 16 neighbouring places, of all rows that have some there."""

    def __init__(self, block: int, rows: NDArray[np.intp], positions: NDArray[np.intp]) -> None:
        self.tokens = np.flatnonzero(positions // LANES == block)
        self.rows, self._row = np.unique(rows[self.tokens], return_inverse=True)
        self._lane = positions[self.tokens] % LANES
        self._places = -(-(int(block) + 1) * LANES // KEY_BLOCK) * KEY_BLOCK
        later = np.arange(self._places) > int(block) * LANES + np.arange(LANES)[:, None]
        self._later = np.where(later, NO_TOKEN, np.float32(0)).reshape(LANES, -1, KEY_BLOCK).transpose(1, 0, 2)

    def read(self, query: Floats, keys: Floats, values: Floats) -> Floats:
        """What the heads of these tokens read: rows (tokens, width). Query: (all tokens, kv heads, group, features)."""
        kv_heads, group, width = query.shape[1:]
        laid = np.zeros((len(self.rows), kv_heads, LANES, group, width), np.float32)
        laid[self._row, :, self._lane] = query[self.tokens]
        shape = (len(self.rows), kv_heads, self._places // KEY_BLOCK, KEY_BLOCK)
        key, value = (part[self.rows, :, : self._places].reshape(*shape, width) for part in (keys, values))
        scores = np.matmul(laid.reshape(len(self.rows), kv_heads, 1, LANES * group, width), key.swapaxes(-1, -2))
        scores.reshape(*shape[:3], LANES, group, KEY_BLOCK)[:] += self._later[:, :, None]
        scores -= np.maximum.reduce(scores, axis=(2, 4), keepdims=True)
        np.exp(scores, out=scores)
        summed = np.add.reduce(np.matmul(scores, value), axis=2).reshape(*shape[:2], LANES, group, width)
        return _weighted(summed[self._row, :, self._lane])


def _split(model: Llama, rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Queries (rows, kv heads, group, features), keys and values (rows, kv heads, features), each with one more."""
    shape = model.shape
    width, kept = shape.head_width, shape.kv_heads * shape.head_width
    query = np.ones((len(rows), shape.kv_heads, shape.heads // shape.kv_heads, width + 1), np.float32)
    query[..., :-1] = rows[:, : shape.width].reshape(*query.shape[:-1], width)
    key = np.zeros((len(rows), shape.kv_heads, width + 1), np.float32)
    key[..., :-1] = rows[:, shape.width : shape.width + kept].reshape(len(rows), -1, width)
    value = np.ones_like(key)
    value[..., :-1] = rows[:, shape.width + kept :].reshape(len(rows), -1, width)
    return query, key, value


def _read(query: Floats, keys: Floats, values: Floats) -> Floats:
    scores = np.matmul(query, keys.swapaxes(-1, -2))
    scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    mixed = np.matmul(scores[..., :_SUM_BLOCK], values[:, :, :_SUM_BLOCK])
    for start in range(_SUM_BLOCK, scores.shape[-1], _SUM_BLOCK):
        end = start + _SUM_BLOCK
        mixed += np.matmul(scores[..., start:end], values[:, :, start:end])
    return _weighted(mixed)


def _weighted(sums: Floats) -> Floats:
    """Weighted means, heads side by side: (rows, width)."""
    means: Floats = sums[..., :-1] / sums[..., -1:]
    return means.reshape(len(sums), -1)
