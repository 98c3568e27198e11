"""One fixed arm over all prompts, and the table that such columns make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from planner.core import Arm
from planner.curves.logs import Floats, Logs
from planner.curves.table import OutcomeTable, PoolTable, Slots, Usage
from planner.curves.usage import written_by


@dataclass(frozen=True)
class Column:
    """One arm of one slot; every array is (prompts,), NaN where nothing is known.

    usage: generations, prompt tokens, completion tokens and verifier tokens. What a fixed arm spends at worst
    is what it is expected to spend, since all its samples are always drawn. worst: how many times as much an arm
    spends, and takes, that had stopped before its end; None for a fixed arm.
    """

    arm: Arm
    outcome: Floats
    weight: Floats
    pool: int
    usage: tuple[Floats, Floats, Floats, Floats]
    latency_seconds: Floats
    worst: Floats | None = None


def called(arm: Arm) -> tuple[str, str | None]:
    """Generator and verifier that an arm of one slot calls: of a cascade its first stage's, whatever the arm names."""
    by = arm.stages[0] if arm.search == "cascade" else arm
    return by.generator, by.verifier


def table_of(columns: Sequence[Column], logs: Logs, pools: PoolTable) -> OutcomeTable:
    """Outcome table of arms of one slot; where all are fixed, expected and worst use are the same arrays."""
    shape = (len(logs.prompts), len(columns))
    usage = Usage(*(_stack([column.usage[kind] for column in columns], shape) for kind in range(4)))
    latency = _stack([column.latency_seconds for column in columns], shape)
    worst, latency_worst = usage, latency
    if any(column.worst is not None for column in columns):
        once = np.ones(shape[0], dtype=np.float32)
        times = _stack([once if column.worst is None else column.worst for column in columns], shape)
        worst, latency_worst = Usage(*(getattr(usage, f.name) * times for f in fields(Usage))), latency * times
    generators, verifiers = zip(*(called(column.arm) for column in columns), strict=True) if columns else ((), ())
    pool = np.array([column.pool for column in columns], dtype=np.int32)
    return OutcomeTable(
        prompts=logs.prompts,
        arms=tuple(column.arm for column in columns),
        models=logs.models,
        outcome=_stack([column.outcome for column in columns], shape),
        weight=_stack([column.weight for column in columns], shape),
        slots=Slots(
            arm=np.arange(len(columns), dtype=np.int32),
            generator=generators,
            verifier=verifiers,
            pool=pool,
            written=written_by(verifiers, pool, logs),
        ),
        expected=usage,
        worst=worst,
        latency_seconds=latency,
        latency_worst_seconds=latency_worst,
        extrapolated=np.zeros(len(columns), dtype=bool),
        pools=pools,
    )


def _stack(columns: list[Floats], shape: tuple[int, int]) -> Floats:
    stacked = np.empty(shape, dtype=np.float32)
    for place, column in enumerate(columns):
        stacked[:, place] = column
    return stacked
