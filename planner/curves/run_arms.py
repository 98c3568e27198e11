"""Arms of single runs: their logged outcomes, and those of other selections over a search's candidates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.columns import Column, called
from planner.curves.grades import known_grades
from planner.curves.logs import Floats, Logs, RunTable
from planner.curves.selections import FILTER_THRESHOLD
from planner.curves.usage import generations_a_sample
from planner.errors import InvalidInput

_NOT_SEARCHES = {"sampling", "cascade", "session"}  # their candidates are no tree's leaves at a fixed budget


def run_columns(logs: Logs) -> Iterator[Column]:
    """Every arm of the run table, then a search's other selections; runs are averaged by prompt."""
    yield from _arm_columns(logs, logs.arms, logs.runs, logs.runs.correct)
    replayed = _replayed(logs)
    for selection, outcomes in replayed.items():
        arms = tuple(_with_selection(arm, selection) for arm in logs.arms)
        # The logged selection's own outcome stands already.
        other = np.array(
            [arm.search not in _NOT_SEARCHES and arm != new for arm, new in zip(logs.arms, arms, strict=True)]
        )
        known = np.where(other[logs.runs.arm], outcomes, np.float32(np.nan))
        yield from _arm_columns(logs, arms, logs.runs, known, only=np.unique(logs.runs.arm[np.isfinite(known)]))


def _with_selection(arm: Arm, selection: tuple[str, bool]) -> Arm:
    name, least = selection
    params = {key: value for key, value in arm.params.items() if key != "step_score"}
    return arm.model_copy(update={"selection": name, "params": {**params, **({"step_score": "min"} if least else {})}})


def _arm_columns(
    logs: Logs,
    arms: tuple[Arm, ...],
    runs: RunTable,
    correct: Floats,
    only: NDArray[np.integer] | None = None,
) -> Iterator[Column]:
    n_prompts = len(logs.prompts)
    order = np.argsort(runs.arm, kind="stable")
    bounds = np.searchsorted(runs.arm[order], np.arange(len(arms) + 1))
    for number, arm in enumerate(arms):
        rows = order[bounds[number] : bounds[number + 1]]
        if not rows.size or not can_be_carried_out(arm) or (only is not None and number not in only):
            continue
        at = runs.prompt[rows]

        def mean(values: Floats, at: NDArray[np.int32] = at) -> Floats:
            known = np.isfinite(values)
            count = np.bincount(at[known], minlength=n_prompts)
            sums = np.bincount(at[known], values[known], minlength=n_prompts)
            return np.where(count > 0, sums / np.maximum(count, 1), np.nan).astype(np.float32)

        fixed = without_idle_verifier(arm)
        use = tuple(mean(values) for values in _use(logs, fixed, rows))
        # What a run of a cascade spent is no worst case: it had stopped. Going on would have taken as much again.
        stopped = fixed.search == "cascade"
        yield Column(
            arm=fixed,
            outcome=mean(correct[rows]),
            weight=np.bincount(at[np.isfinite(correct[rows])], minlength=n_prompts).astype(np.float32),
            pool=_pool_of(logs, fixed),
            usage=use,  # type: ignore[arg-type]
            latency_seconds=mean(_seconds(logs, fixed, rows)),
            worst=np.maximum(_planned(logs, fixed) / np.maximum(use[0], 1), 1) if stopped else None,
        )


def can_be_carried_out(arm: Arm) -> bool:
    """Whether what was done once may be done again: a session planned anew as it went, and stages may be unknown."""
    if arm.search == "cascade":
        with suppress(InvalidInput):
            return bool(arm.stages)
    return arm.search not in {"session", "cascade"}


def without_idle_verifier(arm: Arm) -> Arm:
    """Sampling with a selection that reads no score is the same arm whoever could have scored it."""
    idle = arm.search == "sampling" and arm.selection in {"first", "last", "majority_vote"}
    return arm.model_copy(update={"verifier": None}) if idle and arm.verifier is not None else arm


def _pool_of(logs: Logs, arm: Arm) -> int:
    """A pool of the arm's generator, of its verifier if there is one: its samples cost what the arm's do."""
    generator, verifier = called(arm)
    same = [place for place, pool in enumerate(logs.pools) if pool.generator == generator]
    same.sort(key=lambda place: logs.pools[place].verifier != verifier)
    return same[0] if same else -1


def _use(logs: Logs, arm: Arm, rows: NDArray[np.integer]) -> tuple[Floats, Floats, Floats, Floats]:
    runs = logs.runs
    generations, prompt, completion = (
        runs.generations[rows],
        runs.prompt_tokens[rows],
        runs.completion_tokens[rows],
    )
    generations = np.where(np.isfinite(generations), generations, _planned(logs, arm))
    if arm.search == "cascade" and len({(stage.generator, stage.verifier) for stage in arm.stages}) > 1:
        # A run logs its tokens in one sum: which model spent them is not known.
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        return generations, unknown, unknown, unknown
    if called(arm)[1] is None:
        return generations, prompt, completion, np.zeros(len(rows), dtype=np.float32)
    verified = runs.verifier_tokens[rows]
    # Every prompt and token is read once; of a revision's context the logs do not say how much is prompt.
    derived = prompt + completion if arm.depth == 1 else np.full(len(rows), np.nan, dtype=np.float32)
    return generations, prompt, completion, np.where(np.isfinite(verified), verified, derived)


def _planned(logs: Logs, arm: Arm) -> np.float32:
    """Generations of a run that nothing stops, the verdicts of a language model among them."""
    draws = [(arm.breadth * arm.depth, arm)] if arm.search != "cascade" else [(s.max_samples, s) for s in arm.stages]
    return np.float32(sum(n * generations_a_sample(by.generator, by.verifier, logs.models) for n, by in draws))


def _seconds(logs: Logs, arm: Arm, rows: NDArray[np.integer]) -> Floats:
    """Measured seconds, else tokens by the models' speeds, side by side as breadth and endpoint allow."""
    generator, verifier = called(arm)
    card, reader = logs.models.get(generator), logs.models.get(verifier or "")
    speed = np.float32(np.nan if card is None else card.tokens_per_second or np.nan)
    # The simulations of a tree search that grows one leaf at a time wait for one another.
    width = 1 if arm.search == "mcts" else min(arm.breadth, (card and card.max_concurrency) or arm.breadth)
    _, _, completion, verified = _use(logs, arm, rows)
    derived = completion / speed
    if verifier is not None:
        derived = derived + verified / np.float32(np.nan if reader is None else reader.tokens_per_second or np.nan)
    measured = logs.runs.latency_seconds[rows]
    return np.where(np.isfinite(measured), measured, derived / np.float32(width)).astype(np.float32)


def _replayed(logs: Logs) -> dict[tuple[str, bool], Floats]:
    """Outcome by run of each (selection, by least step score) over its candidates, NaN where not logged."""
    table = logs.candidates
    if not len(table):
        return {}
    correct = known_grades(table)
    answered = table.answer >= 0
    found = {
        ("majority_vote", False): _vote_by_run(logs, correct, answered.astype(np.float32)),
        ("filter_vote", False): _filtered(logs, correct, answered),
        ("weighted_vote", False): _vote_by_run(logs, correct, np.where(answered, table.score, 0)),
        ("weighted_vote", True): _vote_by_run(logs, correct, np.where(answered, table.score_min, 0)),
        ("best_of_n", False): _best_by_run(logs, correct),
    }
    return {selection: outcome for selection, outcome in found.items() if np.isfinite(outcome).any()}


def _filtered(logs: Logs, correct: Floats, answered: NDArray[np.bool_]) -> Floats:
    score = logs.candidates.score
    passed = np.where(np.isnan(score), np.nan, score >= FILTER_THRESHOLD).astype(np.float32)
    anyone = np.zeros(len(logs.runs), dtype=bool)
    anyone[logs.candidates.run[answered & (passed > 0)]] = True
    votes = np.where(anyone[logs.candidates.run] | np.isnan(passed), passed, np.float32(1))
    return _vote_by_run(logs, correct, np.where(answered, votes, np.float32(0)))


def _vote_by_run(logs: Logs, correct: Floats, weights: Floats) -> Floats:
    table, n_runs = logs.candidates, len(logs.runs)
    pair = table.run.astype(np.int64) << 32 | table.answer.astype(np.int64) & 0xFFFFFFFF
    pairs, group = np.unique(pair, return_inverse=True)
    run = pairs >> 32
    total = np.bincount(group, weights)
    value = np.bincount(group, correct) / np.bincount(group)
    greatest = np.full(n_runs, -np.inf)
    np.fmax.at(greatest, run, total)
    unknown = np.bincount(run, np.isnan(total), minlength=n_runs) > 0
    won = total >= greatest[run] * (1 - 1e-5)
    wins = np.bincount(run[won], minlength=n_runs)
    outcome = np.bincount(run[won], value[won], minlength=n_runs) / np.maximum(wins, 1)
    return np.where((wins > 0) & ~unknown, outcome, np.nan).astype(np.float32)


def _best_by_run(logs: Logs, correct: Floats) -> Floats:
    table, n_runs = logs.candidates, len(logs.runs)
    greatest = np.full(n_runs, -np.inf, dtype=np.float32)
    np.fmax.at(greatest, table.run, table.score)
    won = table.score == greatest[table.run]
    wins = np.bincount(table.run[won], minlength=n_runs)
    outcome = np.bincount(table.run[won], correct[won], minlength=n_runs) / np.maximum(wins, 1)
    return np.where(wins > 0, outcome, np.nan).astype(np.float32)
