"""The outcome table: what is known of every (prompt, arm), exactly, from the logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm, ModelCard
from planner.curves.logs import Floats, Ints, Pool, PromptTable


@dataclass(frozen=True)
class Usage:
    """Mean use of one slot on one prompt; arrays of shape (prompts, slots), NaN where nothing is logged."""

    generations: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats


@dataclass(frozen=True)
class Slots:
    """What an arm spends on: one slot for each (generator, verifier) that it may call; arrays of length n_slots.

    `pool` is the pool whose tokens a sample the slot draws (-1: none is logged). `written` is the share of the
    verifier's tokens that it writes, as a language model does that gives verdicts.
    """

    arm: Ints
    generator: tuple[str, ...]
    verifier: tuple[str | None, ...]
    pool: Ints
    written: Floats

    def __len__(self) -> int:
        return len(self.generator)


@dataclass(frozen=True)
class PoolTable:
    """Per prompt and pool: first-attempt samples, how many are correct, mean tokens of one; (prompts, pools)."""

    pools: tuple[Pool, ...]
    n_samples: Floats
    n_correct: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats


@dataclass(frozen=True)
class OutcomeTable:
    """Expected outcome and use of every arm on every logged prompt.

    outcome: (prompts, arms) expected correctness in 0..1, NaN where the logs say nothing.
    weight: (prompts, arms) number of independent samples or runs behind an outcome, 0 where there is none.
    expected, worst: use by slot; `worst` has every sample drawn and every stage used up, at its mean tokens.
    latency_seconds, latency_worst_seconds: (prompts, arms), NaN where unknown.
    extrapolated: (arms,) whether the arm's budget lies past the log.
    """

    prompts: PromptTable
    arms: tuple[Arm, ...]
    models: Mapping[str, ModelCard]
    outcome: Floats
    weight: Floats
    slots: Slots
    expected: Usage
    worst: Usage
    latency_seconds: Floats
    latency_worst_seconds: Floats
    extrapolated: NDArray[np.bool_]
    pools: PoolTable

    def take_prompts(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> OutcomeTable:
        """The table of the prompts at `rows`."""
        index = np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            prompts=self.prompts.take(index),
            outcome=self.outcome[index],
            weight=self.weight[index],
            expected=_rows(self.expected, index),
            worst=_rows(self.worst, index),
            latency_seconds=self.latency_seconds[index],
            latency_worst_seconds=self.latency_worst_seconds[index],
            pools=replace(
                self.pools,
                **{f.name: getattr(self.pools, f.name)[index] for f in fields(PoolTable) if f.name != "pools"},
            ),
        )

    def graded_arms(self) -> NDArray[np.intp]:
        """Places of the arms that any prompt has an outcome of: nothing can be learned of others."""
        return np.flatnonzero(np.isfinite(self.outcome).any(axis=0))

    def take_arms(self, arms: Sequence[int] | NDArray[np.integer[Any]]) -> OutcomeTable:
        """The table of the arms at `arms`, in that order."""
        index = np.asarray(arms, dtype=np.intp)
        slots = np.concatenate([np.flatnonzero(self.slots.arm == arm) for arm in index] or [index])
        place = {int(arm): new for new, arm in enumerate(index)}
        return replace(
            self,
            arms=tuple(self.arms[arm] for arm in index),
            outcome=self.outcome[:, index],
            weight=self.weight[:, index],
            slots=Slots(
                arm=np.array([place[int(arm)] for arm in self.slots.arm[slots]], dtype=np.int32),
                generator=tuple(self.slots.generator[slot] for slot in slots),
                verifier=tuple(self.slots.verifier[slot] for slot in slots),
                pool=self.slots.pool[slots],
                written=self.slots.written[slots],
            ),
            expected=_columns(self.expected, slots),
            worst=_columns(self.worst, slots),
            latency_seconds=self.latency_seconds[:, index],
            latency_worst_seconds=self.latency_worst_seconds[:, index],
            extrapolated=self.extrapolated[index],
        )


def _rows(usage: Usage, index: NDArray[np.intp]) -> Usage:
    return Usage(*(getattr(usage, f.name)[index] for f in fields(Usage)))


def _columns(usage: Usage, index: NDArray[np.intp]) -> Usage:
    return Usage(*(getattr(usage, f.name)[:, index] for f in fields(Usage)))
