from __future__ import annotations

import difficulty_worlds as worlds
import pytest

from planner.difficulty import DifficultyPredictor


@pytest.fixture(scope="session")
def telling():
    """Logs in which one word tells the bin."""
    return worlds.pooled_world(200)


@pytest.fixture(scope="session")
def fitted(telling):
    return DifficultyPredictor().fit(telling.table, telling.logs)


@pytest.fixture(scope="session")
def unseen():
    """Other prompts of the same world."""
    return worlds.pooled_world(300, seed=1, prefix="q")


@pytest.fixture(scope="session")
def silent():
    """A predictor fitted where the text tells nothing, with probes."""
    world = worlds.pooled_world(200, telling=False)
    return DifficultyPredictor().fit(world.table, world.logs)
