"""Tables of arms side by side; an arm that occurs more than once becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable, Slots, Usage
from planner.errors import InvalidInput


def concatenate_arms(tables: Sequence[OutcomeTable]) -> OutcomeTable:
    """One table with the arms of all, which must hold the same prompts and pools.

    Equal arms are merged: outcomes, use and latency averaged with the number of samples or runs behind them. Of equal
    cascades the last is the replay: it alone tells what each stage spends, and at worst.
    Raises InvalidInput where the prompts differ or there is no table.
    """
    if not tables:
        raise InvalidInput("there is no table of arms to put together")
    first = tables[0]
    if any(table.prompts.ids != first.prompts.ids for table in tables):
        raise InvalidInput("tables of arms can only be put together where they hold the same prompts")
    offsets = np.cumsum([0, *(len(table.arms) for table in tables)])
    joined = replace(
        first,
        arms=tuple(arm for table in tables for arm in table.arms),
        outcome=np.concatenate([table.outcome for table in tables], axis=1),
        weight=np.concatenate([table.weight for table in tables], axis=1),
        slots=Slots(
            arm=np.concatenate(
                [table.slots.arm + offset for table, offset in zip(tables, offsets, strict=False)]
            ).astype(np.int32),
            generator=tuple(name for table in tables for name in table.slots.generator),
            verifier=tuple(name for table in tables for name in table.slots.verifier),
            pool=np.concatenate([table.slots.pool for table in tables]),
            written=np.concatenate([table.slots.written for table in tables]),
        ),
        expected=_beside([table.expected for table in tables]),
        worst=_beside([table.worst for table in tables]),
        latency_seconds=np.concatenate([table.latency_seconds for table in tables], axis=1),
        latency_worst_seconds=np.concatenate([table.latency_worst_seconds for table in tables], axis=1),
        extrapolated=np.concatenate([table.extrapolated for table in tables]),
    )
    return _merge_equal(joined)


def _beside(usages: list[Usage]) -> Usage:
    return Usage(*(np.concatenate([getattr(usage, f.name) for usage in usages], axis=1) for f in fields(Usage)))


def _merge_equal(table: OutcomeTable) -> OutcomeTable:
    places: dict[Arm, list[int]] = {}
    for place, arm in enumerate(table.arms):
        places.setdefault(arm, []).append(place)
    repeated = [group for group in places.values() if len(group) > 1]
    if not repeated:
        return table
    # Arrays are copied once, equal arms averaged into the first of their places, the others left out.
    arrays = {
        name: getattr(table, name).copy() for name in ("outcome", "weight", "latency_seconds", "latency_worst_seconds")
    }
    usages = {
        name: [getattr(getattr(table, name), f.name).copy() for f in fields(Usage)] for name in ("expected", "worst")
    }
    pool, extrapolated = table.slots.pool.copy(), table.extrapolated.copy()
    for group in repeated:
        keep = _kept(table, group)
        weight = table.weight[:, group]
        arrays["outcome"][:, keep] = _mean(table.outcome[:, group], weight)
        arrays["weight"][:, keep] = weight.sum(axis=1)
        if table.arms[keep].search == "cascade":
            continue
        for name in ("latency_seconds", "latency_worst_seconds"):
            arrays[name][:, keep] = _mean(getattr(table, name)[:, group], weight)
        extrapolated[keep] = table.extrapolated[group].all()
        for slots in _equal_slots(table.slots, group):
            behind = table.weight[:, table.slots.arm[slots]]
            pool[slots[0]] = max(pool[slots])
            for columns in usages.values():
                for column in columns:
                    column[:, slots[0]] = _mean(column[:, slots], behind)
    merged = replace(
        table,
        **arrays,
        slots=replace(table.slots, pool=pool),
        expected=Usage(*usages["expected"]),
        worst=Usage(*usages["worst"]),
        extrapolated=extrapolated,
    )
    return merged.take_arms([_kept(table, group) for group in places.values()])


def _kept(table: OutcomeTable, group: list[int]) -> int:
    return group[-1] if table.arms[group[0]].search == "cascade" else group[0]


def _equal_slots(slots: Slots, arms: list[int]) -> list[list[int]]:
    """Slots of equal arms that call the same models, the first arm's first."""
    found: dict[tuple[str, str | None], list[int]] = {}
    for arm in arms:
        for slot in np.flatnonzero(slots.arm == arm):
            found.setdefault((slots.generator[slot], slots.verifier[slot]), []).append(int(slot))
    return list(found.values())


def _mean(values: Floats, weight: Floats) -> NDArray[np.float32]:
    """Weighted mean by row over what is known; where nothing has weight, plainly over what is known."""
    known = np.isfinite(values)
    shares = np.where(known, weight, 0)
    shares = np.where(shares.sum(axis=1, keepdims=True) > 0, shares, known)
    total = shares.sum(axis=1)
    sums = (np.where(known, values, 0) * shares).sum(axis=1)
    return np.where(total > 0, sums / np.maximum(total, 1e-9), np.nan).astype(np.float32)
