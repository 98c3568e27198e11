"""What the logs say of each prompt's difficulty: counts of independent base outcomes, one column a source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.logs import Floats, Pool
from planner.curves.table import OutcomeTable
from planner.errors import InvalidInput, NothingGraded

REPLAYED = ("sampling", "cascade")


@dataclass(frozen=True)
class Counts:
    """The distinct counts of a column: n, correct (U,); which of them each prompt has (P,)."""

    n: Floats
    correct: Floats
    of_prompt: NDArray[np.intp]

    @classmethod
    def of(cls, n: Floats, correct: Floats) -> Self:
        """Of outcomes and correct ones by prompt, (P,) each."""
        pairs = np.stack([n, correct], axis=1)
        distinct, of_prompt = np.unique(pairs, axis=0, return_inverse=True)
        return cls(distinct[:, 0], distinct[:, 1], of_prompt.reshape(-1))

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(U, K) sums of values (P, K) over the prompts of each of them."""
        return np.asarray(np.add.reduceat(values[self._order], self._starts, axis=0))

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self.of_prompt, kind="stable")

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.searchsorted(self.of_prompt[self._order], np.arange(len(self.n)))


@dataclass(frozen=True)
class Evidence:
    """Base outcomes of P prompts: pools of samples, and runs of arms that no pool explains.

    keys: (C,) name of each column. n, correct: (P, C) number of outcomes and how many are correct.
    is_pool: (C,) whether the column counts samples of a pool.
    """

    keys: tuple[str, ...]
    generators: tuple[str, ...]
    is_pool: NDArray[np.bool_]
    n: Floats
    correct: Floats
    _counts: dict[int, Counts] = field(default_factory=dict, init=False, repr=False, compare=False)

    def counts(self, column: int) -> Counts:
        """The distinct counts of a column: thousands of prompts have few."""
        if column not in self._counts:
            self._counts[column] = Counts.of(self.n[:, column], self.correct[:, column])
        return self._counts[column]

    def align(self, keys: Sequence[str]) -> Evidence:
        """The same evidence by the columns `keys`; columns that are not here are empty."""
        place = {key: i for i, key in enumerate(self.keys)}
        n = np.zeros((len(self.n), len(keys)), dtype=np.float32)
        correct = np.zeros_like(n)
        for i, key in enumerate(keys):
            if (j := place.get(key)) is not None:
                n[:, i], correct[:, i] = self.n[:, j], self.correct[:, j]
        return Evidence(tuple(keys), ("",) * len(keys), np.zeros(len(keys), np.bool_), n, correct)


def pool_key(pool: Pool) -> str:
    """Canonical text of a pool: equal pools have equal keys."""
    settings: dict[str, Any] = dict(pool.params)
    return "pool " + json.dumps([pool.generator, pool.verifier, settings], sort_keys=True, default=str)


def gather(table: OutcomeTable) -> Evidence:
    """Base outcomes of the table's prompts.

    Samples count in their pool. An arm's outcome counts where it was not replayed from pools: tree searches,
    and single runs on prompts where no pool has the samples. Selections over one search's candidates share its runs.
    """
    pools = table.pools
    n_pools = np.nan_to_num(np.asarray(pools.n_samples, dtype=np.float32))
    c_pools = np.nan_to_num(np.asarray(pools.n_correct, dtype=np.float32))
    single = np.where(_replayed(table, n_pools), np.float32(0), table.weight * run_shares(table))
    n_arms = np.where(np.isfinite(table.outcome), single, np.float32(0)).astype(np.float32)
    used_pools, used_arms = np.flatnonzero(n_pools.any(axis=0)), np.flatnonzero(n_arms.any(axis=0))
    if not len(used_pools) and not len(used_arms):
        raise NothingGraded
    c_arms = n_arms * np.nan_to_num(table.outcome)
    return Evidence(
        keys=(*(pool_key(pools.pools[j]) for j in used_pools), *("arm " + table.arms[a].key for a in used_arms)),
        generators=(*(pools.pools[j].generator for j in used_pools), *(table.arms[a].generator for a in used_arms)),
        is_pool=np.arange(len(used_pools) + len(used_arms)) < len(used_pools),
        n=np.concatenate([n_pools[:, used_pools], n_arms[:, used_arms]], axis=1),
        correct=np.concatenate([c_pools[:, used_pools], c_arms[:, used_arms]], axis=1).astype(np.float32),
    )


def run_shares(table: OutcomeTable) -> Floats:
    """Share (P, A) of its runs that an outcome may count as its own: selections over one search's candidates share."""
    known = np.isfinite(table.outcome)
    shares = np.ones(table.outcome.shape, dtype=np.float32)
    groups: dict[str, list[int]] = {}
    for a, arm in enumerate(table.arms):
        if arm.search not in REPLAYED:
            groups.setdefault(_search_key(arm), []).append(a)
    for group in groups.values():
        shares[:, group] /= np.maximum(known[:, group].sum(axis=1, keepdims=True), 1)
    return shares


def _search_key(arm: Arm) -> str:
    """Canonical text of what is searched: equal for arms that choose from the same candidates."""
    settings = {name: value for name, value in arm.params.items() if name != "step_score"}
    return arm.model_copy(update={"selection": "any", "params": settings}).key


def _replayed(table: OutcomeTable, n_pools: Floats) -> NDArray[np.bool_]:
    """Which outcomes (prompts, arms) were replayed from pools that the prompt has samples in.

    What pays for no verifier is replayed from every pool of its generator and settings, whoever scored that.
    """
    sampled, slots = n_pools > 0, table.slots
    kind = [pool_key(replace(pool, verifier=None)) for pool in table.pools.pools]
    alike = np.array([one == other for one in kind for other in kind], dtype=np.float32).reshape(len(kind), len(kind))
    any_verifier = n_pools @ alike > 0
    replayed = np.zeros(table.outcome.shape, dtype=np.bool_)
    for a, arm in enumerate(table.arms):
        own = np.flatnonzero(slots.arm == a)
        if arm.search in REPLAYED and len(own) and (slots.pool[own] >= 0).all():
            by_slot = [(sampled if slots.verifier[slot] else any_verifier)[:, slots.pool[slot]] for slot in own]
            replayed[:, a] = np.all(by_slot, axis=0)
    return replayed


def choose_reference(evidence: Evidence, named: str | None) -> str:
    """Reference generator: the one with most sampled prompts, then most samples, then the first name.

    Raises InvalidInput where the one that is named has no outcome.
    """
    known = sorted(set(evidence.generators))
    if named is not None:
        if named not in known:
            raise InvalidInput(f"reference generator {named!r} has no graded outcomes; known are: {', '.join(known)}")
        return named
    columns = {name: np.array([g == name for g in evidence.generators]) for name in known}

    def rank(name: str) -> tuple[int, float, float]:
        pooled = evidence.n[:, columns[name] & evidence.is_pool]
        every = evidence.n[:, columns[name]]
        return int(pooled.any(axis=1).sum()), float(pooled.sum()), float(every.sum())

    return min(known, key=lambda name: (*(-value for value in rank(name)), name))


def reference_column(table: OutcomeTable, evidence: Evidence, generator: str) -> int:
    """Column that stands for the pass rate of one sample: the generator's largest pool, else its simplest arm."""
    own = [i for i, name in enumerate(evidence.generators) if name == generator]
    pooled = [i for i in own if evidence.is_pool[i]]
    if pooled:
        return max(pooled, key=lambda i: (float((evidence.n[:, i] > 0).sum()), float(evidence.n[:, i].sum()), -i))
    arms = {"arm " + arm.key: arm for arm in table.arms}

    def size(column: int) -> tuple[bool, int, str]:
        arm = arms[evidence.keys[column]]
        return arm.search != "sampling", arm.breadth * arm.depth, arm.key

    return min(own, key=size)
