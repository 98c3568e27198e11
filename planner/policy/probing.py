"""Probes replayed from logged samples: the first k samples of the reference, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm, Probe, Unit
from planner.curves.costs import rates
from planner.curves.logs import Floats, Logs
from planner.curves.table import OutcomeTable, Usage
from planner.curves.usage import generations_a_sample, pool_slots


@dataclass(frozen=True)
class ProbeSource:
    """First attempts of one pool: rows of `logs.samples` by prompt."""

    logs: Logs
    pool: int
    first: NDArray[np.intp]
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, logs: Logs, reference: str) -> ProbeSource | None:
        """The largest pool of the reference generator; None where it has no samples."""
        samples = logs.samples
        sizes = np.bincount(samples.pool, minlength=len(logs.pools))
        own = [i for i, pool in enumerate(logs.pools) if pool.generator == reference and sizes[i]]
        if not own:
            return None
        pool = max(own, key=lambda i: int(sizes[i]))
        rows = np.flatnonzero((samples.pool == pool) & (samples.attempt == 0))
        rows = rows[np.argsort(samples.prompt[rows], kind="stable")]
        first = np.searchsorted(samples.prompt[rows], np.arange(len(logs.prompts) + 1))
        return cls(logs, pool, first, rows)

    def draw(self, prompts: Sequence[int] | NDArray[np.integer[Any]], k: int, seed: int) -> list[tuple[Probe, ...]]:
        """`k` samples for each of the prompts, at random without replacement, ungraded; none where fewer are logged."""
        generator, samples = self.logs.pools[self.pool].generator, self.logs.samples
        out: list[tuple[Probe, ...]] = []
        for prompt in prompts:
            low, high = int(self.first[prompt]), int(self.first[prompt + 1])
            if high - low < k:
                out.append(())
                continue
            rng = np.random.default_rng([seed, k, int(prompt)])
            drawn = self.rows[low + rng.choice(high - low, k, replace=False)]
            out.append(
                tuple(
                    Probe(
                        # it is known that there is none, as it was when probes were learned from
                        answer="" if samples.answer[row] < 0 else str(samples.answer[row]),
                        score=None if np.isnan(samples.score[row]) else float(samples.score[row]),
                        generator=generator,
                    )
                    for row in drawn
                )
            )
        return out

    def cost(self, table: OutcomeTable, k: int, unit: Unit) -> Floats:
        """(P,) cost of `k` samples with their scoring on the prompts of `table`; NaN where unknown."""
        pool = self.logs.pools[self.pool]
        if unit == "latency_seconds":
            return self._seconds(table, k)
        column = slice(self.pool, self.pool + 1)
        tokens = (table.pools.prompt_tokens, table.pools.completion_tokens, table.pools.verifier_tokens)
        parts = [k * part[:, column] for part in tokens]
        calls = k * generations_a_sample(pool.generator, pool.verifier, table.models)
        usage = Usage(np.full_like(parts[0], calls), *parts)
        return rates(pool_slots(self.logs, [self.pool]), table.models, unit).apply(usage)[:, 0]

    def _seconds(self, table: OutcomeTable, k: int) -> Floats:
        """(P,) seconds of an arm of `k` samples, of several that which takes longest, since it waits for scores."""
        pool = self.logs.pools[self.pool]
        plain = Arm(generator=pool.generator, breadth=k, params=dict(pool.params))
        alike = [
            place
            for place, arm in enumerate(table.arms)
            if arm.model_copy(update={"verifier": None, "selection": plain.selection}) == plain
        ]
        return np.asarray(np.fmax.reduce(table.latency_seconds[:, alike], axis=1, initial=np.nan))
