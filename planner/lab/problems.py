"""Fresh problems of the laboratory's task: word arithmetic of 1 to 9 steps, with sentences that only distract."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from planner.errors import InvalidInput

STEP_WEIGHTS = (16, 15, 14, 12, 11, 10, 8, 7, 7)
"""How often a problem of the logs has 1, 2, ... 9 steps."""
OPERATIONS = ("add", "subtract", "double", "triple", "multiply", "remainder", "halve", "by parity")
_NAMES = ("Anna", "Ben", "Carla", "Dan", "Eva", "Finn")
_THINGS = ("apples", "pens", "coins", "cards", "books", "shells")
_COLOURS = ("red", "blue", "green")
_GREATEST = 99  # no value on the way is more
_DISTRACTS = 0.12


@dataclass(frozen=True)
class Problem:
    """One problem. solution: the lines that lead to the answer, and `Answer: n`; reference: the answer alone."""

    prompt: str
    reference: str
    solution: str
    n_steps: int


@dataclass(frozen=True)
class _Step:
    sentence: str
    line: str
    value: int


def problems(n: int, *, seed: int) -> list[Problem]:
    """`n` different problems, as hard as those of the logs, none of which is in them.

    Raises InvalidInput for a negative number.
    """
    if n < 0:
        raise InvalidInput(f"{n} problems cannot be made: ask for 0 or more")
    rng = random.Random(f"lab problems {seed}")  # noqa: S311 - no secret hangs on it
    seen = set(logged_prompts())
    made: list[Problem] = []
    while len(made) < n:
        problem = make_problem(rng, rng.choices(range(1, len(STEP_WEIGHTS) + 1), STEP_WEIGHTS)[0])
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            made.append(problem)
    return made


def make_problem(rng: random.Random, n_steps: int, *, operation_weights: Sequence[int] | None = None) -> Problem:
    """One problem of so many steps; any, also one of the logs.

    operation_weights: how often each operation is drawn, in the order of OPERATIONS, instead of as in the logs.
    """
    weights = tuple(_OPERATIONS.values()) if operation_weights is None else tuple(operation_weights)
    value = _number(rng, rng.choice((1, 2, 2)))
    sentences = [_beginning(rng, value)]
    lines: list[str] = []
    for _ in range(n_steps):
        step = _draw_step(rng, value, weights)
        value = step.value
        sentences.append(step.sentence)
        lines.append(step.line)
        if rng.random() < _DISTRACTS:
            sentences.append(_distraction(rng))
    sentences.append("How many now?")
    return Problem(" ".join(sentences), str(value), "\n".join([*lines, f"Answer: {value}"]), n_steps)


@cache
def logged_prompts() -> frozenset[str]:
    """Prompts of the bundled logs, which every model was tuned without having seen."""
    from pyarrow import parquet  # noqa: PLC0415 - slow to import

    with as_file(files("planner.lab") / "logs" / "lab.samples.parquet") as path:
        prompts = parquet.read_table(path, columns=["prompt"]).column("prompt").drop_null()
    return frozenset(prompts.to_pylist())


def _number(rng: random.Random, digits: int) -> int:
    return rng.randint(1 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def _beginning(rng: random.Random, value: int) -> str:
    return rng.choice(
        (
            f"Start with {value}.",
            f"A box holds {value} {rng.choice(_THINGS)}.",
            f"{rng.choice(_NAMES)} has {value} {rng.choice(_THINGS)}.",
        )
    )


def _distraction(rng: random.Random) -> str:
    return rng.choice(
        (
            f"{rng.choice(_NAMES)} paid {_number(rng, 2)} for a {rng.choice(_COLOURS)} hat.",
            f"It was day {_number(rng, 1)} of the trip.",
            f"{rng.choice(_NAMES)} likes {rng.choice(_COLOURS)} {rng.choice(_THINGS)}.",
        )
    )


def _draw_step(rng: random.Random, value: int, weights: Sequence[int]) -> _Step:
    """One operation; those that would leave 0 to 99, or make no sense for the value, are drawn again."""
    while True:
        operation = rng.choices(tuple(_OPERATIONS), weights)[0]
        step = operation(rng, value)
        if step is not None and 0 <= step.value <= _GREATEST:
            return step


def _add(rng: random.Random, value: int) -> _Step:
    x = _number(rng, rng.choice((1, 2, 2)))
    sentence = rng.choice((f"Add {x}.", f"Then {x} more come in.", f"Increase it by {x}."))
    return _Step(sentence, f"{value} + {x} = {value + x}", value + x)


def _subtract(rng: random.Random, value: int) -> _Step:
    x = _number(rng, rng.choice((1, 2, 2)))
    sentence = rng.choice((f"Subtract {x}.", f"Then {x} are lost.", f"Decrease it by {x}."))
    return _Step(sentence, f"{value} - {x} = {value - x}", value - x)


def _double(rng: random.Random, value: int) -> _Step | None:
    return _times(value, 2, rng.choice(("Double it.", "Make it twice as many.")))


def _triple(rng: random.Random, value: int) -> _Step | None:
    return _times(value, 3, rng.choice(("Triple it.", "Make it three times as many.")))


def _multiply(rng: random.Random, value: int) -> _Step | None:
    x = rng.randint(4, 9)
    return _times(value, x, rng.choice((f"Multiply by {x}.", f"Make it {x} times as many.")))


def _times(value: int, x: int, sentence: str) -> _Step | None:
    return None if value < 2 else _Step(sentence, f"{value} * {x} = {value * x}", value * x)


def _remainder(rng: random.Random, value: int) -> _Step | None:
    x = rng.choice((3, 4, 5, 6, 7, 8, 9, 11, 12))
    if value < x:
        return None
    sentence = rng.choice((f"Take the remainder by {x}.", f"Pack in bags of {x} and keep only what is left over."))
    return _Step(sentence, f"{value} mod {x} = {value % x}", value % x)


def _halve(rng: random.Random, value: int) -> _Step | None:
    if value < 4:
        return None
    sentence = rng.choice(("Halve it rounding down.", "Give away half rounding down."))
    return _Step(sentence, f"{value} / 2 = {value // 2}", value // 2)


def _by_parity(rng: random.Random, value: int) -> _Step | None:
    x, y = rng.randint(2, 29), rng.randint(2, 29)
    if value + max(x, y) > _GREATEST:
        return None
    parity, added = ("even", x) if value % 2 == 0 else ("odd", y)
    sentence = f"If it is even add {x} otherwise add {y}."
    return _Step(sentence, f"{parity} {value} + {added} = {value + added}", value + added)


_Operation = Callable[[random.Random, int], _Step | None]
_OPERATIONS: dict[_Operation, int] = {
    _add: 22,
    _subtract: 22,
    _double: 8,
    _triple: 7,
    _multiply: 13,
    _remainder: 12,
    _halve: 8,
    _by_parity: 8,
}
"""How often each operation is drawn."""
