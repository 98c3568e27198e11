"""What a model writes on fresh problems, with outcomes: data for verifiers and revisers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from planner.lab.decoding import Decoder, Writing, Written
from planner.lab.llama import Llama
from planner.lab.prefixes import Prefixes
from planner.lab.problems import Problem, logged_prompts, make_problem
from planner.lab.stops import Stops
from planner.lab.tokenizer import BOS, EOS, tokenizer
from planner.lab.weights import read_weights

Tokens = tuple[int, ...]
Report = Callable[[float, float | None, str | None], None]

STEP_WEIGHTS = (8, 10, 12, 13, 13, 13, 11, 10, 10)
"""Problems of 1 to 9 steps to learn from: more of the hard ones than in the logs."""
TEMPERATURE = 0.8
_ROOM = 512
_MOST_TOKENS = 130


@dataclass(frozen=True)
class Drawn:
    """A problem with samples of it: prompt, its own solution and samples as tokens, and which of them are right."""

    prompt: Tokens
    solution: Tokens
    reference: str
    samples: tuple[Tokens, ...]
    right: tuple[bool, ...]


class Writer:
    """Writes with the weights of a folder."""

    def __init__(self, folder: Traversable) -> None:
        self.model = Llama(read_weights(folder))

    def write(self, contexts: Sequence[tuple[Tokens, int]], *, seed: int, report: Report) -> list[list[Tokens]]:
        """So many samples after each context, `<eos>` included where a sample ends."""
        words = tokenizer()
        decoder = Decoder(self.model, Prefixes(self.model), words, room=_ROOM)
        stops = Stops(words, ())
        orders = [
            Writing(tokens, n, seed + place, TEMPERATURE, _MOST_TOKENS, stops)
            for place, (tokens, n) in enumerate(contexts)
        ]
        waiting, n_done = list(reversed(orders)), 0
        while waiting or decoder.active:
            room, taken = _ROOM - decoder.active, []
            while waiting and waiting[-1].n <= room:
                room -= waiting[-1].n
                taken.append(waiting.pop())
            if taken:
                decoder.admit(taken)
                n_done += len(taken)
                report(n_done, len(orders), "sampling")
            decoder.step()
        return [[_tokens(one) for one in order.future.result()] for order in orders]


def draw(folder: Traversable, n_problems: int, n_samples: int, *, seed: int, report: Report) -> list[Drawn]:
    """Fresh problems, none of them logged, with samples by the model of a folder."""
    words = tokenizer()
    problems = fresh_problems(n_problems, seed=seed)
    prompts = [prompt_tokens(one.prompt) for one in problems]
    written = Writer(folder).write([(prompt, n_samples) for prompt in prompts], seed=seed, report=report)
    return [
        Drawn(
            prompt,
            (*words.encode(one.solution), EOS),
            one.reference,
            tuple(samples),
            tuple(is_right(sample, one.reference) for sample in samples),
        )
        for one, prompt, samples in zip(problems, prompts, written, strict=True)
    ]


def solve_rate(folder: Traversable, n_problems: int, n_samples: int, *, seed: int, report: Report) -> float:
    """Share of right samples on fresh problems: pass@1 at temperature 0.8, over 1 to 9 steps."""
    right = [one for drawn in draw(folder, n_problems, n_samples, seed=seed, report=report) for one in drawn.right]
    return sum(right) / len(right)


def fresh_problems(n: int, *, seed: int) -> list[Problem]:
    """Different problems, none of the bundled logs."""
    rng = random.Random(f"lab training {seed}")  # noqa: S311 - no secret hangs on it
    seen = set(logged_prompts())
    found: list[Problem] = []
    while len(found) < n:
        problem = make_problem(rng, rng.choices(range(1, len(STEP_WEIGHTS) + 1), STEP_WEIGHTS)[0])
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            found.append(problem)
    return found


def prompt_tokens(prompt: str) -> Tokens:
    """A prompt as the models read it."""
    return (BOS, *tokenizer().encode(f"{prompt}\n"))


def is_right(sample: Tokens, reference: str) -> bool:
    """Whether a sample ends, and ends with the answer."""
    return sample[-1:] == (EOS,) and tokenizer().decode(sample).endswith(f"Answer: {reference}")


def _tokens(written: Written) -> Tokens:
    return written.tokens
