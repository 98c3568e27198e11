"""Batches as they are written: runs that are new apart from those that come again, samples in the order of runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.core.batch import Batch

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.float64]


def split(batch: Batch, chosen: Booleans) -> tuple[Batch, Batch]:
    """The chosen runs (a mask over runs) with their samples, and the others; prompts stand in both."""
    nothing = Batch(batch.prompts)
    if chosen.all():
        return batch, nothing
    if not chosen.any():
        return nothing, batch
    return _part(batch, chosen), _part(batch, ~chosen)


def in_order(batch: Batch) -> tuple[Batch, NDArray[np.intp]]:
    """The batch with its samples in the order of its runs, and the run of each sample."""
    owner = np.array(batch.samples.run, dtype=np.intp)
    if (np.diff(owner) >= 0).all():
        return batch, owner
    order = np.argsort(owner, kind="stable")
    return Batch(batch.prompts, batch.runs, batch.samples.take(order.tolist())), owner[order]


def grades(batch: Batch, owner: NDArray[np.intp], n_samples: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.int64]]:
    """Grades of the samples, NaN where there is none, and how many each run lacks: its samples', or its own.

    The grade of a run of one sample is its sample's.
    """
    own, of_samples = (np.array(column, dtype=np.float64) for column in (batch.runs.correct, batch.samples.correct))
    of_samples = np.where(np.isnan(of_samples) & (n_samples == 1)[owner], own[owner], of_samples)
    lacking = np.bincount(owner, weights=np.isnan(of_samples), minlength=len(own))
    return of_samples, np.where(n_samples > 0, lacking, np.isnan(own)).astype(np.int64)


def _part(batch: Batch, chosen: Booleans) -> Batch:
    owner = np.array(batch.samples.run, dtype=np.intp)
    rows = np.flatnonzero(chosen[owner])
    samples = batch.samples.take(rows.tolist())
    samples.run = (np.cumsum(chosen) - 1)[owner[rows]].tolist()
    return Batch(batch.prompts, batch.runs.take(np.flatnonzero(chosen).tolist()), samples)
