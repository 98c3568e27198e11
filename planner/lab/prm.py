"""The process reward model: how likely each step of an answer leads to a right one.

A small language model reads the answer; 13 statistics of its log-probabilities at the end of each step go through an
MLP. Source: the laboratory's own; trained on outcomes of logged samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.lab.llama import Llama
from planner.lab.prefixes import Line, Node, Prefixes, lines
from planner.lab.sampling import log_softmax
from planner.lab.tokenizer import EOS, Tokenizer
from planner.lab.weights import Floats, read_tensors

Item = tuple[Sequence[int], Sequence[int]]
"""Tokens of a prompt (ending with a line end), and of an answer."""
_READ_TOGETHER = 256  # answers: enough for quick passes, few enough for memory
_UNLIKELY = -2.0  # a token below this log-probability is counted as unlikely


@dataclass(frozen=True)
class _State:
    """Statistics of an answer so far: log-probabilities, entropies, and gaps to the likeliest token."""

    total: float = 0.0
    least: float = 0.0
    steps: int = 0
    unlikely: int = 0
    entropy: float = 0.0
    most_entropy: float = 0.0
    gap: float = 0.0

    def after(self, step: Floats) -> _State:
        """Statistics after a step; step: (tokens, 3), log-probability, entropy and gap of each."""
        logprob, entropy, gap = step.T
        return _State(
            self.total + float(logprob.sum()),
            min(self.least, float(logprob.min())),
            self.steps + 1,
            self.unlikely + int(np.count_nonzero(logprob < _UNLIKELY)),
            self.entropy + float(entropy.sum()),
            max(self.most_entropy, float(entropy.max())),
            self.gap + float(gap.sum()),
        )

    def features(self, step: Floats, before: _State, *, ends: bool) -> list[float]:
        """The 13 statistics, in the order of the head's inputs."""
        logprob, entropy, gap = step.T
        return [
            self.total, self.least, float(logprob.sum()), float(logprob.min()), before.steps, float(ends),
            self.unlikely, float(entropy.max()), float(entropy.sum()), self.entropy, self.most_entropy,
            float(gap.sum()), self.gap,
        ]  # fmt: skip


@dataclass
class _Read:
    """What is kept with a line: its tokens' statistics (tokens, 3); by where the answer begins, state and score."""

    tokens: Floats
    after: dict[int, tuple[_State, float]] = field(default_factory=dict)


class ProcessRewardModel:
    """Scores of the steps of answers; what has been read before is not read again."""

    def __init__(self, model: Llama, tokenizer: Tokenizer) -> None:
        self._newline = tokenizer.newline
        self._prefixes = Prefixes(model, on_read=_keep_statistics)
        head = read_tensors("prm", "head")
        self._mean, self._deviation = head["mu"], head["sd"]
        self._inner, self._inner_bias = head["net.0.weight"], head["net.0.bias"]
        self._outer, self._outer_bias = head["net.2.weight"], head["net.2.bias"]

    def step_scores(self, items: Sequence[Item]) -> list[tuple[float, ...]]:
        """Scores (0..1) of the steps of each answer; items: tokens of a prompt (ending with a line end) and answer.

        A step ends with a line or with the answer. A line that is broken off is scored only if it is all there is.
        """
        cut = [
            (lines(prompt, self._newline), _steps(lines(answer, self._newline), self._newline))
            for prompt, answer in items
        ]
        leaves = self._prefixes.read([prompt + steps for prompt, steps in cut])
        paths = [_path(leaf, len(steps)) for leaf, (_, steps) in zip(leaves, cut, strict=True)]
        self._score([(path, len(prompt)) for path, (prompt, _) in zip(paths, items, strict=True)])
        return [
            tuple(_kept(node).after[len(prompt)][1] for node in path)
            for path, (prompt, _) in zip(paths, items, strict=True)
        ]

    def _score(self, paths: list[tuple[list[Node], int]]) -> None:
        rows: list[list[float]] = []
        asked: list[tuple[_Read, int]] = []
        for path, start in paths:
            before = _State()
            for node in path:
                kept = _kept(node)
                if start not in kept.after:
                    state = before.after(kept.tokens)
                    rows.append(state.features(kept.tokens, before, ends=node.line[-1] == EOS))
                    kept.after[start] = (state, 0.0)
                    asked.append((kept, start))
                before = kept.after[start][0]
        if rows:
            for (kept, start), score in zip(asked, self._head(np.array(rows, np.float32)), strict=True):
                kept.after[start] = (kept.after[start][0], float(score))

    def _head(self, features: Floats) -> NDArray[np.float64]:
        from scipy.special import erf, expit  # noqa: PLC0415 - scipy is heavy, and only who scores needs it

        hidden = (((features - self._mean) / self._deviation)[:, None] * self._inner).sum(axis=2) + self._inner_bias
        active = hidden * 0.5 * (1 + erf(hidden / np.float32(np.sqrt(2))))
        scores: NDArray[np.float64] = expit((active * self._outer[0]).sum(axis=1) + self._outer_bias[0])
        return scores


def step_statistics(model: Llama, tokenizer: Tokenizer, items: Sequence[Item]) -> list[Floats]:
    """The 13 statistics (steps, 13) of each answer, as a head reads them; for training one."""
    prefixes = Prefixes(model, on_read=_keep_statistics)
    cut = [
        (lines(prompt, tokenizer.newline), _steps(lines(answer, tokenizer.newline), tokenizer.newline))
        for prompt, answer in items
    ]
    found: list[Floats] = []
    for first in range(0, len(cut), _READ_TOGETHER):
        some = cut[first : first + _READ_TOGETHER]
        leaves = prefixes.read([prompt + steps for prompt, steps in some])
        found += [_statistics(_path(leaf, len(steps))) for leaf, (_, steps) in zip(leaves, some, strict=True)]
    return found


def _statistics(path: list[Node]) -> Floats:
    rows, before = [], _State()
    for node in path:
        tokens = _kept(node).tokens
        state = before.after(tokens)
        rows.append(state.features(tokens, before, ends=node.line[-1] == EOS))
        before = state
    return np.array(rows, np.float32)


def _steps(answer: list[Line], newline: int) -> list[Line]:
    whole = [line for line in answer if line[-1] in (newline, EOS)]
    return whole or answer


def _path(leaf: Node, length: int) -> list[Node]:
    path: list[Node] = []
    node: Node | None = leaf
    while len(path) < length:
        assert node is not None
        path.append(node)
        node = node.parent
    return path[::-1]


def _kept(node: Node) -> _Read:
    assert isinstance(node.extra, _Read)
    return node.extra


def _keep_statistics(nodes: Sequence[Node], logits: Floats) -> None:
    logprobs = log_softmax(logits)
    tokens = np.array([token for node in nodes for token in node.line], np.intp)
    own = logprobs[np.arange(len(tokens)), tokens]
    entropy = -(np.exp(logprobs) * logprobs).sum(axis=1)
    statistics = np.stack([own, entropy, own - logprobs.max(axis=1)], axis=1)
    start = 0
    for node in nodes:
        node.extra = _Read(statistics[start : start + len(node.line)])
        start += len(node.line)
