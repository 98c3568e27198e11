"""Runs to put into stores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from planner.core import Run, Sample

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(name: str = "r1", prompt: str = "How many?", **values: Any) -> Run:
    return Run(**{"run_id": name, "prompt_id": f"id of {prompt}", "prompt": prompt, "generator": "small"} | values)


def sampled(
    name: str = "r1", prompt: str = "How many?", corrects: tuple[float | None, ...] = (1, 0, 1), **values: Any
) -> Run:
    samples = tuple(
        Sample(chain=i, answer="right" if c else "wrong", correct=c, score=0.9 if c else 0.1, completion_tokens=10 + i)
        for i, c in enumerate(corrects)
    )
    return run(name, prompt, breadth=len(corrects), samples=samples, **values)


def tree(name: str = "t1", prompt: str = "How many?", **values: Any) -> Run:
    samples = (Sample(chain=0, answer="2", correct=1, score=0.8), Sample(chain=1, answer="3", correct=0, score=0.2))
    given = {"search": "beam_search", "selection": "weighted_vote", "breadth": 2, "correct": 1, "answer": "2"}
    return run(name, prompt, samples=samples, **given | {"params": {"beam_width": 2}} | values)
