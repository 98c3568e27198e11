"""Sessions replayed on five folds against hulls of arms and votes that stop early: `python -m tests.bench.session`.

Everything is chosen on the other folds, but the confidences and windows of the rival votes: those in hindsight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.core import Arm, Budget, Stage, Unit
from planner.curves.cascade import replay_cascades
from planner.curves.cascade_draws import source
from planner.curves.costs import logged_cost
from planner.curves.logs import Floats, Logs
from planner.policy.adaptive.contest import Trial, trials_of
from planner.policy.adaptive.logistic import Doubles
from planner.policy.baselines import fixed_arms
from planner.policy.evaluate import Evaluation, evaluate
from planner.policy.frontier import Hull, mixture_hull
from planner.policy.summary import Bootstrap
from planner.policy.yardstick import MixtureYardstick
from tests.bench.logs import lab_logs, public_logs
from tests.bench.readme import markdown_table, write_figures

MEANS = (1.5e8, 2.5e8, 4e8, 7e8, 1.5e9)
CONFIDENCES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
WINDOWS = (2, 3, 4, 5, 8)
N_ORDERS = 16


def played(trials: Sequence[Trial], unit: Unit, mean: float) -> tuple[Doubles, Doubles]:
    """Grade and cost by prompt of sessions that are to cost `mean` on average."""
    grade, cost = (np.concatenate(v) for v in zip(*(trial.average(unit, mean) for trial in trials), strict=True))
    return grade, cost


def against_hulls(logs: Logs) -> str:
    """A row for each average over traffic."""
    evaluation = evaluate(logs, budgets=[Budget(mean_flops=mean) for mean in MEANS], probes=(), unit="flops")
    trials = _trials(logs, evaluation)
    folds = [trial.only("flops") for trial in trials]
    every = [np.ones(len(fold.policy.arms), dtype=bool) for fold in folds]
    hulls = [MixtureYardstick.of(folds, [fixed_arms(f.policy.arms) for f in folds]), MixtureYardstick.of(folds, every)]
    bootstrap = Bootstrap.of(sum(len(trial.rows) for trial in trials), 0)
    rows, gains = [], []
    for mean in MEANS:
        grade, cost = played(trials, "flops", mean)
        row = [f"{mean:.1e}", f"{grade.mean():.3f}", f"{cost.mean():.2e}"]
        for at in (float(cost.mean()), max(mean, float(cost.mean()))):
            rivals = [hull.at(at, np.ones(len(cost), dtype=bool)) for hull in hulls]
            found = [bootstrap.interval(grade - rival.outcome) for rival in rivals]
            gains.append([gain.value for gain in found])
            row += [f"{gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})" for gain in found]
        rows.append(row)
    average = np.array(gains).reshape(len(MEANS), -1).mean(axis=0)
    rows.append(["**on average**", "", "", *(f"**{gain:+.2f}**" for gain in average)])
    header = ["mean budget, FLOPs", "accuracy", "spent", *(f"{h}, {c}" for c in COSTS for h in HULLS)]
    return markdown_table(header, rows)


HULLS, COSTS = ("over fixed arms", "over cascades"), ("at equal cost", "at the budget")


def against_votes(name: str, logs: Logs, most: int) -> list[list[str]]:
    """Sessions that see answers alone at the tokens of Adaptive-Consistency, beside votes that stop early."""
    logs = without_scores(logs)
    trials = _trials(logs, evaluate(logs, probes=(), unit="tokens"))
    rules = {KINDS[0]: adaptive_consistency(logs, most), KINDS[1]: early_stopping(logs, most)}
    rows = []
    for budget in (0.5, 0.75, 1.0):
        grade, cost = played(trials, "tokens", budget * rules[KINDS[0]].costs[-1])
        spent = float(cost.mean())
        pools = " + ".join(pool.generator for pool in trials[0].learned.where.pools)
        at = [f"{np.interp(spent, rule.costs, rule.values):.3f}" for rule in rules.values()]
        rows.append([name, pools, f"{spent:.0f}", f"{grade.mean():.3f}", *at])
    return rows


KINDS = ("Adaptive-Consistency", "early-stopping self-consistency")


def without_scores(logs: Logs) -> Logs:
    """The samples as they would be without any verifier, and no tree searches; unknown prompt tokens are left out."""
    samples = logs.samples
    nothing = np.full(len(samples), np.nan, dtype=np.float32)
    blind = replace(
        samples,
        score=nothing,
        score_min=nothing,
        verifier_tokens=np.zeros_like(nothing),
        prompt_tokens=np.nan_to_num(samples.prompt_tokens),
    )
    no_runs = {name: getattr(logs.runs, name)[:0] for name in vars(logs.runs)}
    no_leaves = {name: getattr(logs.candidates, name)[:0] for name in vars(logs.candidates)}
    return replace(
        logs,
        pools=tuple(replace(pool, verifier=None) for pool in logs.pools),
        samples=blind,
        arms=(),
        runs=replace(logs.runs, **no_runs),
        candidates=replace(logs.candidates, **no_leaves),
    )


def adaptive_consistency(logs: Logs, most: int) -> Hull:
    """Hull over confidences of votes that stop when the Beta rule is sure (Aggarwal et al. 2023); tokens, accuracy."""
    stops = [None, *({"rule": "beta_vote", "confidence": confidence} for confidence in CONFIDENCES)]
    arms = [_vote(logs.pools[0].generator, 1 if stop is None else most, stop) for stop in stops]
    table = replay_cascades(logs, arms)
    return mixture_hull(np.nanmean(logged_cost(table, "tokens"), axis=0), np.nanmean(table.outcome, axis=0))


def _vote(generator: str, most: int, stop: dict[str, object] | None) -> Arm:
    stage = Stage.model_validate({"generator": generator, "max_samples": most, "stop": stop}).model_dump(mode="json")
    return Arm(
        generator=generator, search="cascade", selection="majority_vote", breadth=most, params={"stages": [stage]}
    )


def early_stopping(logs: Logs, most: int) -> Hull:
    """Hull over windows of votes drawn until one window agrees within itself (Li et al. 2024); tokens, accuracy."""
    samples, rng = logs.samples, np.random.default_rng(0)
    found: list[list[tuple[float, float]]] = [[] for _ in WINDOWS]
    for prompt in range(len(logs.prompts)):
        rows = np.flatnonzero((samples.pool == 0) & (samples.prompt == prompt))
        if len(rows) < most:
            continue
        for place, window in enumerate(WINDOWS):
            drawn = [_windows(logs, rng.permutation(rows)[:most], window) for _ in range(N_ORDERS)]
            found[place].append((float(np.mean([d[0] for d in drawn])), float(np.mean([d[1] for d in drawn]))))
    means: Floats = np.array([np.mean(values, axis=0) for values in found])
    return mixture_hull(means[:, 0], means[:, 1])


def _windows(logs: Logs, rows: np.ndarray, window: int) -> tuple[float, float]:
    samples, used = logs.samples, len(rows)
    for start in range(0, len(rows) - window + 1, window):
        answers = samples.answer[rows[start : start + window]]
        if (answers == answers[0]).all() and answers[0] >= 0:
            used = start + window
            break
    kept = rows[:used]
    tokens = float((samples.prompt_tokens[kept] + samples.completion_tokens[kept]).sum())
    voters = kept[samples.answer[kept] >= 0]
    if not len(voters):
        return tokens, float(samples.correct[kept[0]])
    _, first, counts = np.unique(samples.answer[voters], return_index=True, return_counts=True)
    return tokens, float(np.mean(samples.correct[voters[first[counts == counts.max()]]]))


def _trials(logs: Logs, evaluation: Evaluation) -> list[Trial]:
    trials = trials_of(logs, source(logs), evaluation, seed=0)
    assert trials is not None, "these logs are large enough"
    return trials


def main() -> None:
    """Measure, print, write."""
    lab = lab_logs()
    hulls = against_hulls(lab)
    rows = against_votes("lab", lab, 32)
    rows += against_votes("date_understanding", public_logs("date_understanding"), 10)
    rows += against_votes("math_mixed", public_logs("math_mixed"), 8)
    header = ["without a verifier", "generators", "tokens", "session", *(f"{kind} at that cost" for kind in KINDS)]
    # where rules of neighbouring budgets come to the same plan, their rows are one
    text = f"{hulls}\n\n{markdown_table(header, list(dict.fromkeys(map(tuple, rows))))}"
    print(text)
    write_figures("session", text)


if __name__ == "__main__":
    main()
