"""Replays, systems to solve and trees to grow on all cores: NumPy and LightGBM let go of the interpreter meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVarTuple

MOST_THREADS = 4
"""Each holds the matrices of one of them, some tens of megabytes."""
Ts = TypeVarTuple("Ts")


def side_by_side(work: Callable[[*Ts], None], items: Iterable[tuple[*Ts]]) -> None:
    """Call `work` with each of `items`, several at a time; what one of them raises is raised."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(min(MOST_THREADS, n_cores)) as threads:
        for done in [threads.submit(work, *item) for item in items]:
            done.result()
