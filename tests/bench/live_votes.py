"""Without a verifier: sessions that see answers alone, on fresh problems, against votes that stop early.

Rivals are judged by pools of samples that the same models drew on the same problems, over many orders. So are sessions
(their plans are replayed), since one run of each problem says little: its standard error is three times as large.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from planner.api import Planner
from planner.core import Budget, RunResult, Unit
from planner.curves.cascade_draws import source
from planner.curves.logs import Logs
from planner.policy.adaptive.model import Adaptive
from planner.policy.adaptive.plans import carry
from planner.policy.adaptive.replays import replay_pools
from planner.policy.adaptive.seen import Judged, Seen
from planner.policy.prompt import PromptInput
from tests.bench.fresh import Fresh
from tests.bench.logs import LAB_SAMPLES, fitted
from tests.bench.readme import markdown_table
from tests.bench.rivals import KINDS, Rules, adaptive_consistency, difference, early_stopping
from tests.bench.session_votes import FLOPS, SAMPLES, without_scores

ALONE, ALL = {"lab-small": 40}, {"lab-small": 40, "lab-large": 16, "lab-reviser": 8}
"""Generators that may be asked, and how many samples the votes of each draw at most."""
N_ORDERS = 32


@dataclass(frozen=True)
class Replayed:
    """A policy's sessions replayed over pools of fresh samples."""

    planner: Planner
    adaptive: Adaptive
    seen: Seen
    foreseen: np.ndarray

    @classmethod
    def of(cls, planner: Planner, fresh: Fresh) -> Replayed:
        """Lay out what sessions of the planner's policy may draw."""
        adaptive = planner.policy.sessions
        assert adaptive is not None, "the bundled logs are large enough"
        names = [pool.generator for pool in fresh.logs.pools]
        places = [names.index(pool.generator) for pool in adaptive.pools]
        rows = np.arange(len(fresh.logs.prompts))
        laid = source(fresh.logs)
        replays = replay_pools(fresh.logs, laid, places, adaptive.pools, rows, n_orders=N_ORDERS, seed=0)
        seen = Seen(replays, [Judged(adaptive.model, np.arange(len(replays)))])
        texts = [PromptInput(fresh.problems[place].prompt, dataset="fresh") for place in fresh.order]
        return cls(planner, adaptive, seen, planner.policy.believe(texts).pass_rate)

    def average(self, unit: Unit, mean: float) -> tuple[np.ndarray, np.ndarray]:
        """Grade and cost (P,) of sessions that are to cost `mean` on average."""
        mixed = [self.adaptive.average(unit, mean, foreseen=rate) for rate in self.foreseen.tolist()]
        out = np.zeros((2, len(mixed)))
        played = {}
        for row, one in enumerate(mixed):
            assert one is not None, "no less than the cheapest plan is asked for"
            for place, share in ((one.lower, 1 - one.share), (one.upper, one.share)):
                if place not in played:
                    carried = carry(self.adaptive.plans[place].plan, self.seen)
                    cost = carried.cost(self.seen.replays.cost[unit])[-1]
                    played[place] = np.stack([v.reshape(-1, N_ORDERS).mean(axis=1) for v in (carried.grade[-1], cost)])
                out[:, row] += share * played[place][:, row]
        return out[0], out[1]


def votes(fresh: Fresh, logged: Logs) -> str:
    """Both tables: one generator at equal tokens, and whichever generator at equal FLOPs."""
    alone, of_all = "answers of lab-small alone, tokens", "lab-small, lab-reviser and lab-large, FLOPs"
    logged, blind = without_scores(logged), Fresh(fresh.problems, without_scores(fresh.logs))
    parts = [
        _table(blind, logged, f"without a verifier: {alone}", ALONE, "tokens"),
        _table(blind, logged, f"without a verifier: {of_all}", ALL, "flops"),
    ]
    return "\n\n".join(parts)


def _table(fresh: Fresh, logged: Logs, first: str, most: Mapping[str, int], unit: Unit) -> str:
    rivals = adaptive_consistency(fresh.logs, most, unit), early_stopping(fresh.logs, most, unit)
    on_logs = adaptive_consistency(logged, most, unit)
    sample = float(on_logs.cost[:, 0].mean())
    with tempfile.TemporaryDirectory() as folder, fitted(_without_scores(Path(folder), tuple(most))) as planner:
        sessions = Replayed.of(planner, fresh)
        rows = [
            _row(sessions, fresh, rivals, on_logs, unit, mean)
            for mean in (FLOPS if unit == "flops" else [n * sample for n in SAMPLES])
        ]
    over = [f"over {KINDS[0]} chosen on the logs", *(f"over {kind} in hindsight" for kind in KINDS)]
    return markdown_table([first, "spent", "session", *over, "carried out live", f"over {KINDS[0]} in hindsight"], rows)


def _row(
    sessions: Replayed, fresh: Fresh, rivals: Sequence[Rules], on_logs: Rules, unit: Unit, mean: float
) -> list[str]:
    grade, cost = sessions.average(unit, mean)
    spent = float(cost.mean())
    chosen = rivals[0].at(spent, [(np.arange(len(cost)), on_logs.hull())])
    gains = [difference(grade - rival) for rival in (chosen, *(rival.in_hindsight(spent) for rival in rivals))]
    runs = _live(sessions.planner, fresh, Budget(**{f"mean_{unit}": mean}))
    right = np.array([run.correct or 0.0 for run in runs])[fresh.order]
    rival = rivals[0].in_hindsight(float(np.mean([run.cost.in_unit(unit) for run in runs])))
    shown = [f"{value:.0f}" if unit == "tokens" else f"{value:.2e}" for value in (mean, spent)]
    return [*shown, f"{grade.mean():.3f}", *gains, f"{right.mean():.3f}", difference(right - rival)]


def _live(planner: Planner, fresh: Fresh, budget: Budget) -> list[RunResult]:
    results = planner.run_batch(fresh.asked, budget, endpoint="lab")
    runs = [result for result in results if isinstance(result, RunResult)]
    assert len(runs) == len(results), "the lab's models answer"
    return runs


def _without_scores(folder: Path, generators: tuple[str, ...]) -> Path:
    """The bundled samples of some generators as they would be without any verifier."""
    table = pq.read_table(LAB_SAMPLES)
    mine = table.filter(np.array([name in generators for name in table["generator"].to_pylist()]))
    path = folder / "votes.parquet"
    pq.write_table(mine.drop_columns(["verifier", "score", "score_min"]), path)
    return path
