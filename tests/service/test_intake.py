"""Requests that log runs side by side are written together, and each hears of its own."""

from __future__ import annotations

import asyncio

import pytest

from planner import Planner
from planner.core import Run
from planner.core.batch import Written
from planner.errors import BadLog
from planner.service.intake import LOGGER, Intake


def run(name: str, **changes: object) -> Run:
    values = {"run_id": name, "prompt": f"How many is {name}?", "generator": "lab-small", "selection": "first"}
    return Run.model_validate(values | {"samples": [{"answer": "1", "text": f"the text of {name}"}]} | changes)


def logged(requests: list[list[Run]]) -> list[Written | BaseException]:
    """What each request hears, all of them given at once."""

    async def together() -> list[Written | BaseException]:
        with Planner.open() as planner:
            intake = Intake(planner)
            found = await asyncio.gather(*(intake.add(runs) for runs in requests), return_exceptions=True)
            await intake.close()
            return found

    return asyncio.run(together())


def stored(*names: str) -> set[str]:
    with Planner.open() as planner:
        return {name for name in names if planner.store.has_run(name)}


def test_requests_side_by_side_are_all_stored(home):
    requests = [[run(f"{i}-{j}") for j in range(3)] for i in range(20)]
    assert logged(requests) == [Written(3, 3, 0, 0)] * 20
    names = [one.run_id for runs in requests for one in runs]
    assert stored(*names) == set(names)


def test_runs_of_one_hour_are_one_import(home):
    with Planner.open() as planner:
        before = len(planner.store.imports())
    for name in "abc":
        logged([[run(name)]])
    with Planner.open() as planner:
        assert len(planner.store.imports()) - before in {1, 2}  # the hour may end in between


def test_a_run_that_two_requests_bring_is_one_run(home):
    first, *others = logged([[run("a"), run("b")], [run("b")], [run("c"), run("a")]])
    assert first == Written(2, 2, 0, 0)
    assert [one.duplicates for one in others] == [1, 1]
    assert [one.runs for one in others] == [0, 1]


def test_a_run_that_was_stored_before_is_a_duplicate(home):
    logged([[run("a")]])
    assert logged([[run("a")], [run("d")]]) == [Written(0, 0, 1, 0), Written(1, 1, 0, 0)]


def test_a_grade_that_comes_later_is_counted_for_who_brings_it(home):
    logged([[run("a")]])
    assert [one.grades for one in logged([[run("d")], [run("a", correct=1)]])] == [0, 1]


def test_a_request_that_cannot_be_stored_takes_no_other_with_it(home):
    good, bad, other = logged([[run("a")], [run("x", prompt_id="twice"), run("y", prompt_id="twice")], [run("b")]])
    assert good == other == Written(1, 1, 0, 0)
    assert isinstance(bad, BadLog)
    assert stored("a", "b", "x", "y") == {"a", "b"}


def test_a_request_whose_client_is_gone_is_stored_all_the_same(home):
    async def go_away() -> None:
        with Planner.open() as planner:
            intake = Intake(planner)
            asked = asyncio.create_task(intake.add([run("a")]))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            await intake.close()

    asyncio.run(go_away())
    assert stored("a") == {"a"}


def test_what_is_told_otherwise_than_it_is_stored_stands_in_the_log_once_an_hour(home, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(LOGGER, "warning", lambda text, *values: said.append(text % values))
    first, *others = (run(name, prompt_id="p", prompt="How many?", reference=name) for name in "abcdef")
    logged([[first]])
    assert not said

    async def one_after_the_other() -> None:
        with Planner.open() as planner:
            intake = Intake(planner)
            for other in others:
                await intake.add([other])

    asyncio.run(one_after_the_other())
    assert len(said) in {1, 2}  # the hour may end in between
    assert all("another reference" in one for one in said)
