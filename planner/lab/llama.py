"""The dense part of a Llama in NumPy: everything but attention, over tokens in blocks of 16 lanes.

Numbers do not depend on what else is in a batch. A matrix product in BLAS may round a row in another way when the
number of rows is another; here every product has the same shape, (outputs, inputs) by (inputs, 16 tokens), whatever
the number of tokens. So hidden states lie as (blocks, features, 16).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.lab.weights import Floats, Weights

LANES = 16
MAX_POSITIONS = 1024
_BLOCKS_AT_ONCE = 8  # what the MLP holds between its matrices should stay in the processor's cache


class Llama:
    """One model's arithmetic, token by token; who attends to whom is the caller's (attention.py)."""

    def __init__(self, weights: Weights) -> None:
        self.shape = shape = weights.shape
        self._weights = weights
        half = shape.head_width // 2
        frequencies = 1.0 / shape.rope_theta ** (np.arange(half) / half)
        angles = np.arange(MAX_POSITIONS)[:, None] * frequencies.astype(np.float32)
        self._cos, self._sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def embed(self, tokens: NDArray[np.intp]) -> Floats:
        """Hidden states (blocks, width, 16) of tokens; lanes beyond the last token hold padding."""
        lanes = np.zeros(-(-len(tokens) // LANES) * LANES, dtype=np.intp)
        lanes[: len(tokens)] = tokens
        rows = self._weights.embedding[lanes].reshape(-1, LANES, self.shape.width)
        return np.ascontiguousarray(rows.transpose(0, 2, 1))

    def rotation(self, positions: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Cosines and sines (blocks, 1, half a head, 16) of tokens at these positions."""
        lanes = np.zeros(-(-len(positions) // LANES) * LANES, dtype=np.intp)
        lanes[: len(positions)] = positions
        half = self.shape.head_width // 2
        cos, sin = (
            np.ascontiguousarray(table[lanes].reshape(-1, LANES, half).transpose(0, 2, 1))[:, None]
            for table in (self._cos, self._sin)
        )
        return cos, sin

    def query_key_value(self, layer: int, hidden: Floats, rotation: tuple[Floats, Floats]) -> Floats:
        """Rows (lanes, features): queries of all heads, then keys, then values; queries and keys turned."""
        shape = self.shape
        mixed = np.matmul(self._weights.layers[layer].qkv, self._normed(hidden))
        cos, sin = rotation
        half = shape.head_width // 2
        turned = mixed[:, : -shape.kv_heads * shape.head_width].reshape(len(mixed), -1, 2, half, LANES)
        first, second = turned[:, :, 0], turned[:, :, 1]
        kept = first * cos - second * sin
        turned[:, :, 1] = second * cos + first * sin
        turned[:, :, 0] = kept
        return np.ascontiguousarray(mixed.transpose(0, 2, 1)).reshape(-1, mixed.shape[1])

    def after_attention(self, layer: int, hidden: Floats, attended: Floats) -> Floats:
        """Hidden states after the layer, in place; attended: rows (lanes, width) of what its heads read."""
        rows = attended.reshape(-1, LANES, self.shape.width).transpose(0, 2, 1)
        for start in range(0, len(hidden), _BLOCKS_AT_ONCE):
            piece = slice(start, start + _BLOCKS_AT_ONCE)
            hidden[piece] += np.matmul(self._weights.layers[layer].out, rows[piece])
            hidden[piece] += self._mlp(layer, self._normed(hidden[piece]))
        return hidden

    def _mlp(self, layer: int, normed: Floats) -> Floats:
        matrices = self._weights.layers[layer]
        inner = np.matmul(matrices.gate_up, normed)
        gate, up = inner[:, : self.shape.inner], inner[:, self.shape.inner :]
        gated = np.negative(gate)
        np.exp(gated, out=gated)
        gated += np.float32(1)
        np.divide(gate, gated, out=gated)
        gated *= up
        added: Floats = np.matmul(matrices.down, gated)
        return added

    def logits(self, hidden: Floats) -> Floats:
        """Rows (lanes, vocabulary) of the next token's logits."""
        scores = np.matmul(self._weights.head, self._normed(hidden))
        return np.ascontiguousarray(scores.transpose(0, 2, 1)).reshape(-1, self.shape.vocabulary)

    def _normed(self, hidden: Floats) -> Floats:
        squares: Floats = np.add.reduce(np.square(hidden), axis=1, keepdims=True)
        squares *= np.float32(1 / self.shape.width)
        squares += np.float32(self.shape.epsilon)
        np.sqrt(squares, out=squares)
        return hidden / squares
