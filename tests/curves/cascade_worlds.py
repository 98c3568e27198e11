"""Small logs made by hand or at random, and a plain simulation of a cascade to hold the fast one against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from planner.core import Arm, ModelCard, Stage
from planner.curves.logs import Logs, Pool, PromptTable, RunTable, SampleTable
from planner.curves.stop import should_stop

# pool, prompt, chain, attempt, answer, correct, score, completion tokens
Row = tuple[int, int, int, int, int, float, float, float]


def logs_of(rows: Sequence[Row], pools: Sequence[Pool], models: Mapping[str, ModelCard] | None = None) -> Logs:
    rows = sorted(rows)
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 8
    pool, prompt, chain, attempt, answer = (column.astype(np.int32) for column in columns[:5])
    correct, score, completion = (column.astype(np.float32) for column in columns[5:])
    nan = np.full(len(rows), np.nan, np.float32)
    samples = SampleTable(
        pool,
        prompt,
        np.zeros_like(pool),
        chain,
        attempt,
        answer,
        correct,
        score,
        nan,
        10 + completion,
        completion,
        nan,
        nan,
    )
    n_prompts = int(prompt.max(initial=-1)) + 1
    prompts = PromptTable(
        tuple(f"p{i}" for i in range(n_prompts)), (None,) * n_prompts, (None,) * n_prompts, ({},) * n_prompts
    )
    no, none = np.zeros(0, np.int32), np.zeros(0, np.float32)
    empty = SampleTable(no, no, no, no, no, no, none, none, none, none, none, none, none)
    runs = RunTable(no, no, none, none, none, none, none, none, none)
    return Logs(prompts, tuple(pools), samples, (), runs, empty, models or {})


def random_logs(
    seed: int,
    *,
    n_prompts: int = 4,
    n_samples: int = 8,
    n_pools: int = 2,
    depth: int = 1,
    silent: float = 0,
    digits: int = 9,
) -> Logs:
    """Pools of the same size by generators `g0`, `g1`, ..., later ones better; scores tell a little.

    A share `silent` of the wrong samples gives no answer.
    """
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1.5, n_prompts)
    rows = []
    for pool in range(n_pools):
        for prompt in range(n_prompts):
            for chain in range(n_samples):
                for attempt in range(depth):
                    answer = 0 if rng.random() < 1 / (1 + np.exp(-ease[prompt] - pool)) else int(rng.integers(1, 4))
                    answer = -1 if answer and rng.random() < silent else answer
                    score = round(1 / (1 + np.exp(-(2.0 * (answer == 0) - 1 + rng.normal()))), digits)
                    rows.append(
                        (
                            pool,
                            prompt,
                            chain,
                            attempt,
                            answer,
                            float(answer == 0),
                            score,
                            float(rng.integers(5, 50)),
                        )
                    )
    return logs_of(rows, [Pool(f"g{pool}", "v") for pool in range(n_pools)])


def cascade(*stages: Stage, selection: str = "best_of_n", **params: object) -> Arm:
    return Arm(
        generator=stages[0].generator, verifier=stages[0].verifier, search="cascade", selection=selection,
        breadth=sum(stage.max_samples for stage in stages),
        params={"stages": [stage.model_dump(mode="json") for stage in stages], **params},
    )  # fmt: skip


Candidate = tuple[str | None, float, float]


def simulate(stages: Sequence[Stage], draws: Sequence[Sequence[Candidate]]) -> tuple[list[int], int]:
    """Count the draws made in each stage, and name the last. `draws`: what each stage would get."""
    answers: list[str | None] = []
    scores: list[float | None] = []
    made = [0] * len(stages)
    for place, (stage, queue) in enumerate(zip(stages, draws, strict=True)):
        while made[place] < stage.max_samples:
            batch = 1 if stage.draw == "attempts" else stage.batch
            for answer, _, score in queue[made[place] : min(made[place] + batch, stage.max_samples)]:
                answers.append(answer)
                scores.append(score if stage.verifier else None)
                made[place] += 1
            if stage.stop is not None and should_stop(stage.stop, answers, scores):
                return made, place
    return made, len(stages) - 1


def answer_value(selection: str, candidates: Sequence[Candidate]) -> float:
    """Mean correctness over the answers that are tied for the choice."""
    if selection == "best_of_n":
        top = max(score for _, _, score in candidates)
        return float(np.mean([correct for _, correct, score in candidates if score == top]))
    answered = [one for one in candidates if one[0] is not None]
    if not answered:
        return candidates[0][1]
    kept = [one for one in answered if selection != "filter_vote" or one[2] >= 0.5] or answered
    votes: defaultdict[str, float] = defaultdict(float)
    for answer, _, score in kept:
        votes[answer] += score if selection == "weighted_vote" else 1.0
    top = max(votes.values())
    right = {answer: correct for answer, correct, _ in candidates}
    return float(np.mean([right[answer] for answer, weight in votes.items() if weight >= top - 1e-6]))


def candidate(samples: SampleTable, row: int) -> Candidate:
    answer = int(samples.answer[row])
    return (None if answer < 0 else str(answer)), float(samples.correct[row]), float(samples.score[row])
