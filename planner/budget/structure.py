"""Which arms are alike: the prior covariance of the logits of all (bin, arm) cells."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from planner.budget.strengths import Doubles
from planner.core import AgreementStop, Arm, BetaVoteStop, ScoreStop

LEVEL_VARIANCE = 4.0  # the level and its fall over the bins are left to the data
SIZE_SCALE, STOP_SCALE = 2.0, 0.25


@dataclass(frozen=True)
class Variances:
    """Strength of each part of the prior; what is estimated from the data."""

    generator: float = 0.5
    family: float = 0.3
    slope: float = 0.1
    curve: float = 0.1
    arm: float = 0.02
    cell: float = 0.02

    def scaled(self, index: int, factor: float) -> Variances:
        """With one strength multiplied by `factor`."""
        values = list(astuple(self))
        values[index] *= factor
        return Variances(*values)


@dataclass(frozen=True)
class Structure:
    """Similarities of cells (bin-major), each (B * A, B * A), that the variances weigh."""

    fixed: Doubles
    parts: tuple[Doubles, ...]

    def covariance(self, variances: Variances) -> Doubles:
        """Prior covariance of the logits."""
        total = self.fixed.copy()
        for variance, part in zip(astuple(variances), self.parts, strict=True):
            total += variance * part
        return total


def structure(arms: tuple[Arm, ...], generations: Doubles, n_bins: int) -> Structure:
    """Similarities from what arms are; `generations` (A,) expected generations of each."""
    bins = np.arange(n_bins)
    near = np.exp(-0.5 * ((bins[:, None] - bins) / 1.5) ** 2)
    broad = 0.5 + 0.5 * near
    place = np.stack([np.log2(np.maximum(generations, 1e-3)), *_shape(arms)], axis=1) / [SIZE_SCALE, 1, STOP_SCALE]
    same_generator, same_family = _same([_generators(arm) for arm in arms]), _same([family(arm) for arm in arms])
    size = place[:, 0] - place[:, 0].mean()
    distance = ((place[:, None] - place) ** 2).sum(axis=2)
    curve = same_family * np.exp(-0.5 * distance)
    return Structure(
        LEVEL_VARIANCE * _kron(1 + near, np.ones((len(arms), len(arms)))),
        (
            _kron(broad, same_generator),
            _kron(broad, same_family),
            _kron(broad, same_family * np.outer(size, size)),
            _kron(near, curve),
            _kron(broad, np.eye(len(arms))),
            np.eye(n_bins * len(arms)),
        ),
    )


def family(arm: Arm) -> str:
    """Name of what arms share that differ by size and stop rules alone."""
    selection = "first" if arm.breadth * arm.depth == 1 else arm.selection
    if arm.search != "cascade":
        return f"{arm.generator}|{arm.verifier}|{arm.search}|{selection}"
    stages = "+".join(f"{stage.generator}|{stage.draw}|{stage.stop and stage.stop.rule}" for stage in arm.stages)
    return f"cascade|{stages}|{arm.selection}"


def _kron(bins: Doubles, arms: Doubles) -> Doubles:
    return np.asarray(np.kron(bins, arms), dtype=np.float64)


def _generators(arm: Arm) -> str:
    return "+".join(arm.generators)


def _same(names: list[str]) -> Doubles:
    column = np.array(names)
    return np.asarray(column[:, None] == column, dtype=np.float64)


def _shape(arms: tuple[Arm, ...]) -> tuple[Doubles, Doubles]:
    """log2 of the depth, and the mean threshold of the stop rules."""
    depth = np.log2([arm.depth for arm in arms])
    stops = np.array([np.mean([_threshold(s.stop) for s in a.stages]) if a.search == "cascade" else 0.0 for a in arms])
    return depth, stops


def _threshold(stop: ScoreStop | BetaVoteStop | AgreementStop | None) -> float:
    match stop:
        case ScoreStop(threshold=value) | BetaVoteStop(confidence=value) | AgreementStop(share=value):
            return value
    return 1.0
