from __future__ import annotations

import pytest

from planner.errors import InvalidInput, NotReady


@pytest.fixture
def three(store):
    for name in "abc":
        store.add_policy(name, artifact_path=f"/artifacts/{name}", summary={"accuracy": 0.5})
    return store


def test_a_new_policy_is_a_candidate(three):
    row = three.list_policies()[0]
    assert (row.policy_id, row.status, row.summary, row.promoted_at) == ("c", "candidate", {"accuracy": 0.5}, None)
    assert row.created_at.utcoffset().total_seconds() == 0
    assert three.active_policy() is None


def test_one_policy_at_most_is_promoted(three):
    three.promote_policy("a", reason="first")
    assert three.promote_policy("b", reason="better").status == "promoted"
    assert three.active_policy().policy_id == "b"
    assert {row.policy_id: row.status for row in three.list_policies()} == {
        "a": "retired", "b": "promoted", "c": "candidate",
    }  # fmt: skip


def test_promoting_the_promoted_one_changes_nothing(three):
    first = three.promote_policy("a", reason="first")
    assert three.promote_policy("a", reason="again") == first


def test_an_unknown_policy_cannot_be_promoted(three):
    with pytest.raises(InvalidInput, match="policies list"):
        three.promote_policy("d", reason="")


def test_rolling_back_goes_one_further_each_time(three):
    for name in "abc":
        three.promote_policy(name, reason="")
    assert [three.rollback_policy().policy_id for _ in range(2)] == ["b", "a"]
    with pytest.raises(NotReady, match="policies list"):
        three.rollback_policy()
    assert three.active_policy().policy_id == "a"


def test_a_policy_that_was_rolled_back_is_not_come_back_to(three):
    for name in "ab":
        three.promote_policy(name, reason="")
    three.rollback_policy()
    three.promote_policy("c", reason="")
    assert three.rollback_policy().policy_id == "a"


def test_the_same_policy_added_again_keeps_its_status(three):
    three.promote_policy("a", reason="first")
    row = three.add_policy("a", artifact_path="/moved/a", summary={"accuracy": 0.6})
    assert (row.status, row.artifact_path, row.summary) == ("promoted", "/moved/a", {"accuracy": 0.6})


def test_fits_are_noted_from_start_to_end(store):
    store.start_fit("one", {"seed": 0})
    assert store.fits()[0].status == "running"
    store.finish_fit("one", policy_id="a")
    store.start_fit("two", {"seed": 1})
    store.finish_fit("two", error="too little is logged")
    two, one = store.fits()
    assert (one.status, one.policy_id, one.settings) == ("done", "a", {"seed": 0})
    assert (two.status, two.error) == ("failed", "too little is logged")
    assert two.finished_at >= two.started_at
