"""What every node of the lattice shows in every replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.curves.stop import vote_confidence
from planner.policy.adaptive.answers import AnswerModel
from planner.policy.adaptive.draws import Node
from planner.policy.adaptive.logistic import Doubles
from planner.policy.adaptive.replays import Replays


@dataclass(frozen=True)
class Judged:
    """Some of the replays, and the model that judges them; it must not have been fitted on their prompts."""

    model: AnswerModel
    rows: NDArray[np.intp]


@dataclass
class Seen:
    """Chance that the best answer of a node is right, and its grade, by replay; worked out when first asked for."""

    replays: Replays
    judged: Sequence[Judged]
    _parts: list[tuple[Judged, Replays, Doubles]] = field(init=False, repr=False)
    _seen: dict[Node, tuple[Doubles, Doubles]] = field(init=False, repr=False, default_factory=dict)
    _votes: dict[Node, Doubles] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        parts = [(one, self.replays.take(one.rows)) for one in self.judged]
        self._parts = [(one, part, one.model.evidence.of(part.drawn)) for one, part in parts]

    def votes(self, node: Node) -> Doubles:
        """(N,) confidence of the Beta rule in the answer with most votes."""
        if node not in self._votes:
            drawn = self.replays.state(self.replays.columns(node))
            rows, n = np.arange(len(drawn.answer)), drawn.answer.shape[1]
            count = np.zeros((len(rows), max(drawn.n_answers, 2)), dtype=np.intp)
            for column in drawn.answer.T:
                given = column >= 0
                count[rows[given], column[given]] += 1
            count.sort(axis=1)
            told = np.array([[vote_confidence(first, second) for second in range(n + 1)] for first in range(n + 1)])
            self._votes[node] = told[count[:, -1], count[:, -2]]
        return self._votes[node]

    def at(self, node: Node) -> tuple[Doubles, Doubles]:
        """(N,) chance and (N,) grade; both 0 where nothing was answered."""
        if node not in self._seen:
            columns = self.replays.columns(node)
            chance, grade = np.zeros(len(self.replays)), np.zeros(len(self.replays))
            for one, part, evidence in self._parts:
                found = one.model.posterior(part.state(columns), evidence[:, columns])
                right = np.take_along_axis(part.right, np.maximum(found.answer, 0)[:, None], axis=1)[:, 0]
                chance[one.rows] = np.where(found.answer >= 0, found.chance, 0)
                grade[one.rows] = np.where(found.answer >= 0, right, 0)
            self._seen[node] = chance, grade
        return self._seen[node]
