"""The arms of a log as arrays, and the pools that their samples belong to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from planner.core import NO_OUTCOMES, Arm, ModelCard
from planner.curves.logs import Floats, Ints, Pool
from planner.curves.run_arms import can_be_carried_out, without_idle_verifier
from planner.curves.usage import generations_a_sample
from planner.store.tables import arms, models

Booleans = NDArray[np.bool_]

_STOPPING_SEARCHES = ("cascade", "session")
# parameters of the choice among samples leave the samples as they are
_SELECTION_PARAMS = ("aggregate", "answer_from", "step_score", "threshold")


@dataclass(frozen=True)
class LoggedArms:
    """Arms in the order of their keys; arrays have one entry an arm. `names` are models by key."""

    arms: tuple[Arm, ...]
    row_of_key: NDArray[np.intp]
    names: Mapping[int, str]

    @cached_property
    def samples_independently(self) -> Booleans:
        """Whether its samples are drawn in full, whatever comes back."""
        return self._each(lambda arm: arm.search == "sampling", np.bool_)

    @cached_property
    def stops(self) -> Booleans:
        """Whether what comes back decides when it stops."""
        return self._each(lambda arm: arm.search in _STOPPING_SEARCHES, np.bool_)

    @cached_property
    def tells_nothing(self) -> Booleans:
        """Whether its runs are no outcomes of it."""
        return self._each(lambda arm: arm.search in NO_OUTCOMES, np.bool_)

    @cached_property
    def size(self) -> NDArray[np.int64]:
        """Breadth x depth."""
        return self._each(lambda arm: arm.breadth * arm.depth, np.int64)

    @cached_property
    def generations(self) -> Floats:
        """Generations of one run (METHODS, 2)."""
        return self._each(_generations, np.float32)

    def verdicts(self, models: Mapping[str, ModelCard]) -> Floats:
        """Verdicts of a language model in one run that nothing stops: each counts as a generation."""
        return self._each(partial(_verdicts, models=models), np.float32)

    def pools(
        self, arm: NDArray[np.intp], generator_key: Floats, verifier_key: Floats, chosen: Booleans
    ) -> tuple[tuple[Pool, ...], Ints]:
        """Pools of the chosen samples, and the pool of each sample (-1: not chosen).

        `generator_key`, `verifier_key`: those of the samples, NaN where they are the run's.
        """
        width = 1 + max(self.names, default=0)
        generator, verifier = (np.nan_to_num(keys).astype(np.int64) for keys in (generator_key, verifier_key))
        packed, place = np.unique(((arm * width + generator) * width + verifier)[chosen], return_inverse=True)
        pools = [self._pool(int(p) // width**2, int(p) // width % width, int(p) % width) for p in packed]
        keys = [(p.generator, p.verifier or "", json.dumps(p.params, sort_keys=True)) for p in pools]
        by_key = dict(zip(keys, pools, strict=True))
        order = {key: code for code, key in enumerate(sorted(by_key))}
        codes = np.full(len(arm), -1, dtype=np.int32)
        codes[chosen] = np.array([order[key] for key in keys], dtype=np.int32)[place]
        return tuple(by_key[key] for key in order), codes

    def _pool(self, arm_row: int, generator_key: int, verifier_key: int) -> Pool:
        arm = self.arms[arm_row]
        settings = {name: value for name, value in arm.params.items() if name not in _SELECTION_PARAMS}
        return Pool(self.names.get(generator_key, arm.generator), self.names.get(verifier_key, arm.verifier), settings)

    def _each(self, of: Callable[[Arm], Any], kind: type) -> NDArray[Any]:
        return np.array([of(arm) for arm in self.arms], dtype=kind)


def read_arms(connection: Connection) -> LoggedArms:
    """All arms of the store."""
    named = connection.execute(select(models.c.model_key, models.c.name))
    names: dict[int, str] = {row.model_key: row.name for row in named}
    rows = connection.execute(select(arms).order_by(arms.c.arm_key)).all()
    row_of_key = np.zeros(1 + max((row.arm_key for row in rows), default=0), dtype=np.intp)
    row_of_key[[row.arm_key for row in rows]] = np.arange(len(rows))
    found = (
        Arm(
            generator=names[row.generator_key],
            verifier=names.get(row.verifier_key),
            search=row.search,
            selection=row.selection or "first",
            breadth=row.breadth,
            depth=row.depth,
            params=json.loads(row.params),
        )
        for row in rows
    )
    return LoggedArms(tuple(found), row_of_key, names)


def _generations(arm: Arm) -> float:
    size = arm.breadth * arm.depth
    match arm.search:
        case "lookahead":
            return size * (1 + _number(arm, "lookahead_steps", 0))
        case "mcts":
            return _number(arm, "simulations", size)
    return size


def _verdicts(arm: Arm, models: Mapping[str, ModelCard]) -> float:
    if not can_be_carried_out(arm):
        return 0.0
    drawn: list[tuple[float, str, str | None]]
    if arm.search == "cascade":
        drawn = [(stage.max_samples, stage.generator, stage.verifier) for stage in arm.stages]
    else:
        drawn = [(_generations(arm), arm.generator, without_idle_verifier(arm).verifier)]
    return sum(n * (generations_a_sample(generator, verifier, models) - 1) for n, generator, verifier in drawn)


def _number(arm: Arm, name: str, default: float) -> float:
    value = arm.params.get(name)
    return value if isinstance(value, int | float) else default
