"""Where a run's samples stand: each in a chain, at an attempt, in a stage of a cascade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from planner.formats.values import Wrong


class Place(NamedTuple):
    """Of one sample; `stage` is null outside of cascades."""

    chain: int
    attempt: int
    stage: int | None


def check_places(places: Sequence[Place]) -> None:
    """Raise Wrong where two samples of a run stand at one place."""
    if len(set(places)) == len(places):
        return
    row = next(row for row, place in enumerate(places) if place in places[:row])
    chain, attempt, _ = places[row]
    wrong = f"chain {chain}, attempt {attempt} stands here twice"
    raise Wrong(f"samples[{row}]", wrong, "one sample a chain and attempt")


def shape(search: str, places: Sequence[Place]) -> dict[str, int]:
    """Breadth and depth of a sampling run that names neither: what its samples span."""
    if not places or search != "sampling":
        return {}
    return {"breadth": len({place.chain for place in places}), "depth": 1 + max(place.attempt for place in places)}
