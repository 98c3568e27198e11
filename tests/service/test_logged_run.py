"""A run that is logged over HTTP is held to what a line of a log file may hold, and means what it means there."""

from __future__ import annotations

import json

import pytest

from planner import Planner

RUN = {"run_id": "r", "prompt": "How many is 6 times 7?", "generator": "lab-small", "selection": "first"}
SAMPLES = [
    [],
    [{"answer": "42"}],
    [{"answer": "42"}, {"answer": "41"}, {"answer": "42", "score": 0.5}],
    [{"answer": "41", "attempt": 0}, {"answer": "42", "attempt": 1}],
    [{"answer": "42", "attempt": 2}],
    [{"answer": "42"}, {"answer": "41", "chain": 4}],
]
BAD = [
    ({"generator": ""}, "generator"),
    ({"verifier": ""}, "verifier"),
    ({"run_id": "é" * 300}, "run_id: has 600 bytes"),
    ({"search": "guessing"}, "search"),
    ({"selection": "guessing"}, "selection"),
    ({"answer": "4\x002"}, "answer: holds a NUL"),
    ({"metadata": {"where": ["\x00"]}}, "metadata: holds a NUL"),
    ({"prompt": "x" * 1_000_001}, "prompt: has 1,000,001 bytes"),
    ({"samples": [{"score": 0.2}, {"score": 1.5}]}, "samples[1].score: is 1.5, expected 0..1"),
    ({"samples": [{"chain": 1}, {"chain": 1}]}, "samples[1]: chain 1, attempt 0 stands here twice"),
]


def stored(name: str) -> dict[str, object]:
    with Planner.open() as planner:
        (found,) = planner.store.find_runs([name])
    return found.model_dump(exclude={"run_id"})


@pytest.mark.parametrize("samples", SAMPLES)
def test_it_is_stored_as_a_file_would_have_it(client, home, tmp_path, samples):
    assert client.post("/v1/runs", json=RUN | {"samples": samples}).status_code == 201
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps(RUN | {"run_id": "from a file", "samples": samples}))
    with Planner.open() as planner:
        planner.import_logs(file)
    assert stored("r") == stored("from a file")


NULLS = ("prompt_id", "metadata", "verifier", "search", "breadth", "depth", "params", "status", "samples")


@pytest.mark.parametrize("changes", [*({name: None} for name in NULLS), {"samples": [{"answer": "4", "status": None}]}])
def test_a_null_is_left_out_as_in_a_file(client, home, tmp_path, changes):
    assert client.post("/v1/runs", json=RUN | changes).status_code == 201
    (tmp_path / "runs.jsonl").write_text(json.dumps(RUN | {"run_id": "from a file"} | changes))
    with Planner.open() as planner:
        planner.import_logs(tmp_path / "runs.jsonl")
    assert stored("r") == stored("from a file")


def test_its_documentation_says_where_a_null_may_stand(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert {"type": "null"} in schemas["Run"]["properties"]["metadata"]["anyOf"]
    assert {"type": "null"} in schemas["Sample"]["properties"]["status"]["anyOf"]


@pytest.mark.parametrize(("changes", "told"), BAD)
def test_what_no_store_takes_is_refused_by_name(client, changes, told):
    answer = client.post("/v1/runs", json=RUN | changes)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_every_bad_run_of_many_is_named(client, home):
    bad = [{"prompt": "x", "samples": [{"score": 3}]}, {"prompt": "x", "generator": 7}]
    runs = [RUN | {"run_id": str(place)} | (bad[place - 3] if place in {3, 4} else {}) for place in range(6)]
    answer = client.post("/v1/runs", json={"runs": runs}).json()
    assert [error["where"] for error in answer["errors"]] == ["body.many.runs.3", "body.many.runs.4.generator"]
    with Planner.open() as planner:
        assert not any(planner.store.has_run(run["run_id"]) for run in runs)


def test_one_bad_run_is_told_as_one(client):
    (error,) = client.post("/v1/runs", json=RUN | {"breadth": 0}).json()["errors"]
    assert error["where"] == "body.one.breadth"


def test_a_run_without_an_id_gets_the_same_one_again(client):
    run = {name: value for name, value in RUN.items() if name != "run_id"} | {"samples": SAMPLES[2]}
    first, again = (client.post("/v1/runs", json=run).json() for _ in range(2))
    assert first["run_ids"] == again["run_ids"]
    assert (first["runs"], again["runs"]) == (1, 0)
