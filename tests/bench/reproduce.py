"""Every search of the lab's logs, carried out anew on the prompts of the logs: `make reproduce`.

Arms run live on the lab's models with the logged settings; accuracy is compared with the logged one, paired by
prompt: the difference is to lie within three standard errors of it. Of samples the logs give the mean over all
subsets, of a tree search two runs a prompt; here each arm is run once a prompt. Selections over the candidates of one
run are compared together. Of some ninety comparisons one passes three standard errors by chance now and then: such an
arm is carried out with three more seeds, and the mean of all is what counts. `--searches mcts --prompts 100` runs a
part.

Costs: the logs count a verifier's reading of the prompt for every sample, and equal rollouts of lookahead each; live,
what was read or rolled out once is not paid for again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import planner.lab
from planner.core import Arm, Cost, Endpoint, Message, ModelCard
from planner.curves import tabulate
from planner.curves.costs import logged_cost
from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.formats.answers import answer_line
from planner.lab import LabEndpoint
from planner.strategies import Result, Task, carry_out, select
from tests.bench.logs import lab_logs
from tests.bench.readme import machine, markdown_table

FOLDER = Path(planner.lab.__file__).parent / "logs"
MOST_ERRORS = 3
MORE_SEEDS = 3
ROUNDING = 1e-6  # logged outcomes are kept in 32 bits
VOTES = ("majority_vote", "weighted_vote", "best_of_n")
BREADTHS = {"lab-small": (1, 4, 16, 64), "lab-large": (1, 4, 16)}
CHAINS = ((1, 2), (2, 2), (4, 2), (1, 4), (4, 4), (1, 8), (2, 8))
MEASURES = ("prompt", "completion", "verifier", "flops")
HEADER = (
    "arm", "selection", "logged", "live", "difference ± standard error", "in errors",
    "prompt tokens, live / logged", "completion tokens", "verifier tokens", "FLOPs",
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A prompt of the logs."""

    text: str
    reference: str


@dataclass(frozen=True)
class Carried:
    """One arm on one prompt."""

    result: Result
    cost: Cost


@dataclass(frozen=True)
class Difference:
    """Live less logged accuracy under one selection, over the same prompts."""

    selection: str
    logged: float
    live: float
    error: float

    @property
    def errors(self) -> float:
        """The difference in its standard errors."""
        gap = self.live - self.logged
        return 0.0 if abs(gap) < ROUNDING else gap / max(self.error, ROUNDING)

    @property
    def beyond(self) -> bool:
        """Whether it is more than chance would do."""
        return abs(self.errors) > MOST_ERRORS


def cases(logs: Logs) -> list[Arm]:
    """Arms to be carried out, one a set of candidates: samples, chains of the reviser, and every logged search."""
    samples = [
        Arm(generator=generator)
        if breadth == 1
        else Arm(generator=generator, verifier="lab-prm", selection="weighted_vote", breadth=breadth)
        for generator, breadths in BREADTHS.items()
        for breadth in breadths
    ]
    chains = [
        Arm(generator="lab-reviser", verifier="lab-prm", selection="weighted_vote", breadth=breadth, depth=depth)
        for breadth, depth in CHAINS
    ]
    return [*samples, *chains, *sorted(logs.arms, key=lambda arm: (arm.search, arm.breadth))]


def read_prompts(names: Sequence[str]) -> list[Prompt]:
    """Text and reference of logged prompts."""
    columns = ["prompt_id", "prompt", "reference"]
    rows = pq.read_table(FOLDER / "lab.samples.parquet", columns=columns).to_pylist()
    known = {row["prompt_id"]: Prompt(row["prompt"], row["reference"]) for row in rows if row["prompt"]}
    return [known[name] for name in names]


async def carry_out_all(
    arm: Arm, prompts: Sequence[Prompt], endpoint: Endpoint, models: Mapping[str, ModelCard], *, seed: int
) -> list[Carried]:
    """The arm on every prompt, all of them side by side: the lab writes what is asked for together in one batch."""
    slots = asyncio.Semaphore(100_000)

    async def one(number: int, prompt: Prompt) -> Carried:
        task = Task(
            messages=(Message("user", prompt.text),),
            extract=answer_line,
            answered=lambda text: answer_line(text) is not None,
            seed=1000 * seed + number,
            cards=models,
            conventions=endpoint.conventions,
        )
        meter = Meter(None, models)
        return Carried(await drive(carry_out(arm, task), endpoint, meter, slots=lambda _: slots), meter.cost)

    return list(await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(prompts))))


def compare(
    table: OutcomeTable, arm: Arm, runs: Sequence[Sequence[Carried]], prompts: Sequence[Prompt]
) -> list[Difference]:
    """Live outcomes (runs by seed, each over all prompts) against logged ones, under each logged selection."""
    found = []
    for selection in VOTES if arm.breadth > 1 else (*VOTES, "last") if arm.depth > 1 else ("first",):
        column = _column(table, arm, selection)
        if column is None:
            continue
        right = [
            [_right(one.result, selection, prompt) for one, prompt in zip(run, prompts, strict=True)] for run in runs
        ]
        live = np.mean(right, axis=0)
        gaps = live - table.outcome[:, column]
        error = float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
        found.append(Difference(selection, float(table.outcome[:, column].mean()), float(live.mean()), error))
    return found


def costs(table: OutcomeTable, arm: Arm, carried: Sequence[Carried]) -> dict[str, tuple[float, float]]:
    """Mean logged and live use of one run: tokens by kind, and FLOPs."""
    column = _column(table, arm, arm.selection)
    assert column is not None
    slots = np.flatnonzero(table.slots.arm == column)
    expected = table.expected
    logged = {
        "prompt": expected.prompt_tokens[:, slots].sum(axis=1).mean(),
        "completion": expected.completion_tokens[:, slots].sum(axis=1).mean(),
        "verifier": expected.verifier_tokens[:, slots].sum(axis=1).mean(),
        "flops": logged_cost(table, "flops")[:, column].mean(),
    }
    live = {
        "prompt": np.mean([one.cost.prompt_tokens for one in carried]),
        "completion": np.mean([one.cost.completion_tokens for one in carried]),
        "verifier": np.mean([one.cost.verifier_tokens for one in carried]),
        "flops": np.mean([one.cost.flops for one in carried]),
    }
    return {name: (float(logged[name]), float(live[name])) for name in MEASURES}


def _column(table: OutcomeTable, arm: Arm, selection: str) -> int | None:
    """Place of the arm with another selection; one that reads no score is logged without a verifier."""
    wanted = arm.model_copy(update={"selection": selection})
    places = {other: place for place, other in enumerate(table.arms)}
    return places.get(wanted, places.get(wanted.model_copy(update={"verifier": None})))


def _tell(arm: Arm, found: Sequence[Difference], seconds: float) -> None:
    told = ", ".join(f"{one.selection} {one.live:.3f} ({one.errors:+z.1f})" for one in found)
    print(f"{_name(arm)}: {told}; {seconds:.0f} s", file=sys.stderr, flush=True)


def _name(arm: Arm) -> str:
    return arm.label.replace(f", {arm.selection}", "").replace(f" {arm.selection}", "")


def _right(result: Result, selection: str, prompt: Prompt) -> float:
    place = select(selection, result.samples)
    return float(place is not None and result.samples[place].answer == prompt.reference)


def _rows(
    arm: Arm, found: Sequence[Difference], spent: Mapping[str, tuple[float, float]], n_seeds: int
) -> list[tuple[str, ...]]:
    used = [f"{live:.3g} / {logged:.3g}" for logged, live in spent.values()]
    name = _name(arm) + (f", {n_seeds} seeds" if n_seeds > 1 else "")
    return [
        (
            *((name,) if first else ("",)), one.selection, f"{one.logged:.3f}", f"{one.live:.3f}",
            f"{one.live - one.logged:+z.3f} ± {one.error:.3f}", f"{one.errors:+z.1f}", *(used if first else [""] * 4),
        )
        for first, one in ((place == 0, one) for place, one in enumerate(found))
    ]  # fmt: skip


async def reproduce(arms: Sequence[Arm], logs: Logs, table: OutcomeTable, *, seed: int) -> list[tuple[str, Difference]]:
    """Carry the arms out, print the table, and return every comparison with its arm's name."""
    prompts = read_prompts(table.prompts.ids)
    endpoint, rows, all_found = LabEndpoint(), [], []
    try:
        for arm in arms:
            start = time.perf_counter()
            runs = [await carry_out_all(arm, prompts, endpoint, logs.models, seed=seed)]
            found = compare(table, arm, runs, prompts)
            _tell(arm, found, time.perf_counter() - start)
            if any(one.beyond for one in found):
                runs += [
                    await carry_out_all(arm, prompts, endpoint, logs.models, seed=seed + more)
                    for more in range(1, MORE_SEEDS + 1)
                ]
                found = compare(table, arm, runs, prompts)
                _tell(arm, found, time.perf_counter() - start)
            rows += _rows(arm, found, costs(table, arm, [one for run in runs for one in run]), len(runs))
            all_found += [(_name(arm), one) for one in found]
    finally:
        await endpoint.aclose()
    print(markdown_table(HEADER, rows))
    return all_found


def main() -> None:
    """Reproduce all, or what the options say; the exit code is 1 where something differs by more than it may."""
    logs = lab_logs()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--searches", nargs="*", help="only these (sampling, beam_search, ...)")
    parser.add_argument("--prompts", type=int, default=len(logs.prompts), help="number of prompts")
    parser.add_argument("--most", type=int, default=64, help="no arm of greater breadth x depth")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    table = tabulate(logs, cascades=False).take_prompts(range(chosen.prompts))
    arms = [arm for arm in cases(logs) if chosen.searches is None or arm.search in chosen.searches]
    arms = [arm for arm in arms if arm.breadth * arm.depth <= chosen.most]
    start = time.perf_counter()
    found = asyncio.run(reproduce(arms, logs, table, seed=chosen.seed))
    beyond = [f"{name}, {one.selection}" for name, one in found if one.beyond]
    print(f"\n{chosen.prompts} prompts, {time.perf_counter() - start:.0f} s on {machine()}")
    if beyond:
        sys.exit(f"differ by more than {MOST_ERRORS} standard errors: {'; '.join(beyond)}")
    print(f"every difference lies within {MOST_ERRORS} standard errors")


if __name__ == "__main__":
    main()
