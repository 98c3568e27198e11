"""Rows of keys and values that branch where the samples that share them part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.lab import attention
from planner.lab.llama import Llama
from planner.lab.prefixes import Node

_PLACES = 64


class Rows:
    """Texts that are being written, one a row: rows 0 to `count` are in use, without holes."""

    def __init__(self, model: Llama) -> None:
        self._model = model
        self.count = 0
        self.lengths = np.zeros(16, np.intp)
        self.temperatures = np.zeros(16, np.float32)
        self.logits = np.zeros((16, model.shape.vocabulary), np.float32)
        self._memory = attention.empty(model, 16, _PLACES)

    def add(self, node: Node, temperature: float) -> int:
        """A new row that goes on from a text that has been read, for samples of this temperature."""
        row = self.count
        self._make_room(row + 1, node.end + 1)
        self.count += 1
        node.write(self._memory, row)
        attention.forget(self._memory, row, node.end)
        self.lengths[row] = node.end
        self.temperatures[row] = temperature
        self.logits[row] = node.logits
        return row

    def grow(self, samples: NDArray[np.intp], tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows of samples, given the row of each and its next token; rows without a sample are dropped."""
        if len(samples) == 0:
            self.count = 0
            return samples
        vocabulary = self._model.shape.vocabulary
        children, own = np.unique(samples * vocabulary + tokens, return_inverse=True)
        parents, written = np.divmod(children, vocabulary)
        places = self._branch(parents)
        ordered = np.empty(len(children), np.intp)
        ordered[places] = written
        lengths = self.lengths[: self.count]
        self.logits[: self.count] = attention.one_token(self._model, self._memory, ordered, lengths)
        lengths += 1
        return places[own]

    def _branch(self, parents: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give each child a row: a parent's first child stays in it, the others fill what is free."""
        count = len(parents)
        self._make_room(count, int(self.lengths[: self.count].max()) + 1)
        stays = np.ones(count, np.bool_)
        stays[1:] = parents[1:] != parents[:-1]
        stays &= parents < count
        places = np.where(stays, parents, 0)
        free = np.ones(count, np.bool_)
        free[parents[stays]] = False
        holes = np.flatnonzero(free)
        if len(holes):
            # No hole is a source: sources are rows that stay, or lie beyond the last row in use.
            sources = parents[~stays]
            places[~stays] = holes
            self.lengths[holes] = self.lengths[sources]
            self.temperatures[holes] = self.temperatures[sources]
            self._copy(sources, holes)
        self.count = count
        return places

    def _copy(self, sources: NDArray[np.intp], holes: NDArray[np.intp]) -> None:
        end = int(self.lengths[holes].max())
        for part in self._memory:
            part[:, holes, :, :end] = part[:, sources, :, :end]
        self._memory[0][:, holes, :, end:, -1] = attention.NO_TOKEN

    def _make_room(self, rows: int, places: int) -> None:
        keys = self._memory[0]
        have_rows, have_places = keys.shape[1], keys.shape[3]
        if rows <= have_rows and places <= have_places:
            return
        if rows > have_rows:
            rows = max(rows, 2 * have_rows)
            more = rows - have_rows
            self.lengths = np.pad(self.lengths, (0, more))
            self.temperatures = np.pad(self.temperatures, (0, more))
            self.logits = np.pad(self.logits, ((0, more), (0, 0)))
        rows = max(rows, have_rows)
        places = max(-(-places // _PLACES) * _PLACES, have_places)
        memory = attention.empty(self._model, rows, places)
        for new, old in zip(memory, self._memory, strict=True):
            new[:, : self.count, :, :have_places] = old[:, : self.count]
        self._memory = memory
