"""FLOPs of logged runs, from their tokens and the model cards."""

from __future__ import annotations

import re

import httpx
import pytest
from gateway_world import ASKED, logged

from planner.core import ModelCard, Run, Sample
from planner.service.logged_flops import flops
from tests.in_thread import wait_until

CARDS = {
    name: ModelCard(name=name, active_params=params)
    for name, params in (("small", 10.0), ("large", 100.0), ("prm", 1.0), ("bare", None))
}


def sample(generator: str, tokens: int, *, verified: int | None = None, by: str | None = None) -> Sample:
    return Sample(
        generator=generator, prompt_tokens=1, completion_tokens=tokens - 1, verifier_tokens=verified, verifier=by
    )


def run(**members: object) -> Run:
    return Run(**({"generator": "small", "prompt_tokens": 3, "completion_tokens": 7, "verifier_tokens": 0} | members))


BOTH = (sample("small", 4), sample("large", 6))


@pytest.mark.parametrize(
    ("logged_run", "took"),
    [
        (run(), 200),
        (run(verifier_tokens=None), 200),
        (run(verifier="prm", verifier_tokens=5), 210),
        (run(verifier="prm", verifier_tokens=None), None),
        (run(prompt_tokens=None), None),
        (run(generator="bare"), None),
        (run(generator="unheard of"), None),
        (run(verifier="a function"), 200),
        (run(verifier="a function", verifier_tokens=5), None),
        (run(search="cascade"), None),
        (run(search="cascade", samples=BOTH), 2 * (10 * 4 + 100 * 6)),
        (run(search="cascade", samples=BOTH[:1]), 200),
        (run(search="cascade", samples=BOTH, prompt_tokens=4), None),
        (run(samples=(sample("large", 10, verified=5, by="prm"),), verifier_tokens=5), 2 * (1000 + 5)),
    ],
)
def test_flops_are_known_where_tokens_and_cards_tell_them(logged_run, took):
    assert flops(logged_run, CARDS) == took


def test_what_runs_came_to_is_shown_in_flops_and_an_average_of_them_outlives_the_process(live):
    url = live()
    body = {"model": "auto", "messages": ASKED, "planner": {"mean_flops": 5e8}}
    shown = [httpx.post(f"{url}/v1/chat/completions", json=body).json()["planner"] for _ in range(2)]
    wait_until(lambda: len(logged()) == 2)
    outcomes = httpx.get(f"{url}/v1/recommendations?carried_out=true").json()["outcomes"]
    costs = {one["realised"]["run_id"]: one["realised"]["cost"]["flops"] for one in outcomes}
    assert costs == {one["run_id"]: pytest.approx(one["cost"]["flops"]) for one in shown}

    url = live()
    shown.append(httpx.post(f"{url}/v1/chat/completions", json=body).json()["planner"])
    page = httpx.get(f"{url}/metrics").text
    realised = float(re.search(r'planner_value{name="mean_flops_realised"} (\S+)', page)[1])
    assert realised == pytest.approx(sum(one["cost"]["flops"] for one in shown) / 3, rel=0.01)
