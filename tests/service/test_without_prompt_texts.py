"""A service that stores no texts of prompts: it serves as one that does, and no word is in any file."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from gateway_world import serving

from planner import Planner
from planner.config import Settings
from planner.lab.problems import problems
from planner.texts.kept import HashedText

FRESH = [problem.prompt for problem in problems(60, seed=8)]
BUDGET = {"max_generations": 4}
WORD = "Xylophone"


@pytest.fixture
def untold(hashed_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a copy of the home that was fitted on sketches."""
    shutil.copytree(hashed_home, tmp_path / "untold")
    monkeypatch.chdir(tmp_path / "untold")
    return tmp_path / "untold"


def kept(folder: Path) -> dict[str, object]:
    with Planner.open(f"sqlite:///{folder / 'planner.db'}") as planner:
        prompts = planner.store.read_logs().prompts
    return dict(zip(prompts.ids, prompts.texts, strict=True))


def test_it_declines_no_more_than_one_that_stores_them(serve, home, untold):
    ask = {"prompts": FRESH, "budget": BUDGET}
    with_texts, without = (
        serve(database_url=f"sqlite:///{folder / 'planner.db'}", store_prompt_text=stored)
        for folder, stored in ((home, True), (untold, False))
    )
    declined = [
        sum(plan["declined"] for plan in client.post("/v1/recommendations", json=ask).json()["recommendations"])
        for client in (with_texts, without)
    ]
    assert declined[1] <= declined[0]


def test_runs_and_conversations_leave_sketches_and_no_words(untold):
    before = set(kept(untold))
    chat = {"model": "auto", "messages": [{"role": "user", "content": f"{WORD}! {FRESH[0]}"}], "planner": BUDGET}
    run = {
        "run_id": "r1", "prompt": f"{FRESH[1]} {WORD}", "generator": "lab-small", "selection": "first", "correct": 1,
        "answer": f"You asked about a {WORD}, and I say that there is none in any of these boxes.",
        "samples": [{"answer": "55", "correct": 1, "text": f"{WORD} = 55"}],
    }  # fmt: skip
    many = {"prompts": [f"{WORD} {text}" for text in FRESH[:9]], "budget": BUDGET}
    with serving(Settings.load(store_prompt_text=False, endpoint_url="lab", log_level="error")) as url:
        asked = [
            httpx.post(f"{url}/v1/{route}", json=body, timeout=60).status_code
            for route, body in (
                ("chat/completions", chat),
                ("chat/completions", chat | {"stream": True}),
                ("runs", run),
                ("recommendations", many),
            )
        ]
    assert asked == [200, 200, 201, 200]
    fresh = {name: text for name, text in kept(untold).items() if name not in before}
    assert len(fresh) == 2
    assert all(isinstance(text, HashedText) and text.is_readable for text in fresh.values())
    for file in untold.rglob("*"):
        assert not file.is_file() or WORD.lower().encode() not in file.read_bytes().lower(), file
