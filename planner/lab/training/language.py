"""A language model of the lab: solutions of fresh problems, and drills of what it gets wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from planner.lab.problems import OPERATIONS, logged_prompts, make_problem
from planner.lab.tokenizer import BOS, EOS, PAD, tokenizer
from planner.lab.training.data import prompt_tokens
from planner.lab.training.loop import Plan, Report, Trained, train
from planner.lab.training.network import Llama
from planner.lab.training.sequences import IGNORED, Batch, Row, batches, row

_HARD = dict(zip(OPERATIONS, (12, 18, 4, 5, 13, 26, 4, 18), strict=True))
"""How often each operation is drawn in problems on what models of this size get wrong: remainders, parity, products."""
_HARD_SHARE, _HARD_SHARE_LATE = 0.67, 0.33
_DRILL_LINES = 12
_MOST_STEPS = 9
_GREATEST = 99


@dataclass(frozen=True)
class Recipe:
    """plan: its minutes are the default. tokens: of a batch. drills: so many sequences of drills for each problem."""

    plan: Plan
    tokens: int
    drills: float


# What made the shipped weights; the larger model and the verifier's backbone begin with a small one that works.
SMALL = Recipe(Plan(20, adam=2e-3, muon=0.02, decay_from=0.6), tokens=3_000, drills=0.5)
LARGE = Recipe(Plan(2, adam=2e-4, decay_from=0.3, weight_decay=0.02), tokens=1_500, drills=0.1)
BACKBONE = Recipe(Plan(1.2, adam=2e-4, decay_from=0.4, weight_decay=0.02), tokens=2_000, drills=0.1)


def train_language(model: Llama, recipe: Recipe, *, seed: int, report: Report) -> Trained:
    """Train `model` in place; problems of the bundled logs are left out.

    Until the learning rate falls, two problems in three are of the operations that models get wrong, later one.
    """
    rng = random.Random(f"lab language {seed}")  # noqa: S311 - no secret hangs on it
    order = np.random.default_rng(seed)

    def mixed(passed: Callable[[], float]) -> Iterator[Batch]:
        def draw() -> Row:
            late = passed() >= recipe.plan.decay_from
            drills = recipe.drills / 3 if late else recipe.drills
            if rng.random() < drills / (1 + drills):
                return drill(rng)
            return problem(rng, hard=rng.random() < (_HARD_SHARE_LATE if late else _HARD_SHARE))

        return batches(draw, order, tokens=recipe.tokens, padding=PAD)

    return train(model, mixed, recipe.plan, report=report)


def problem(rng: random.Random, *, hard: bool) -> Row:
    """A problem to read and its solution to learn; `hard`: more of the operations that models get wrong."""
    weights = tuple(_HARD.values()) if hard else None
    while True:
        made = make_problem(rng, rng.randint(1, _MOST_STEPS), operation_weights=weights)
        if made.prompt not in logged_prompts():
            return row(prompt_tokens(made.prompt), [*tokenizer().encode(made.solution), EOS])


def drill(rng: random.Random) -> Row:
    """Twelve lines `a op b = c`, of which the results are learned."""
    words = tokenizer()
    equals = words.encode(" =")[0]
    ids = [BOS, *words.encode("How many now?\n")]
    targets = [IGNORED] * len(ids)
    for _ in range(_DRILL_LINES):
        line = words.encode(_exercise(rng))
        result = line.index(equals) + 1
        ids += line
        targets += [IGNORED] * result + line[result:]
    return Row(ids, targets)


def _exercise(rng: random.Random) -> str:
    match rng.choices(("remainder", "subtract", "multiply", "add"), (50, 25, 12, 13))[0]:
        case "remainder":
            x = rng.choice((3, 4, 5, 6, 7, 8, 9, 11, 12))
            value = rng.randint(x, _GREATEST)
            return f"{value} mod {x} = {value % x}\n"
        case "subtract":
            value = rng.randint(1, _GREATEST)
            x = rng.randint(1, value)
            return f"{value} - {x} = {value - x}\n"
        case "multiply":
            x = rng.randint(3, 9)
            value = rng.randint(2, _GREATEST // x)
            return f"{value} * {x} = {value * x}\n"
    value = rng.randint(1, _GREATEST - 1)
    x = rng.randint(1, _GREATEST - value)
    return f"{value} + {x} = {value + x}\n"
