from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from planner.core import Arm, Budget, Cost, Difficulty, Forecast, Recommendation
from planner.errors import StoreError
from planner.store import Store
from planner.store.recommendations import insert_recommendations


def recommendation(name="r1", **values):
    forecast = Forecast(
        accuracy=0.5,
        accuracy_low=0.4,
        accuracy_high=0.6,
        cost=Cost(usd=1),
        cost_worst=Cost(usd=2),
        n_prompts=9,
        n_runs=99,
    )
    given = {
        "recommendation_id": name,
        "prompt_id": "p1",
        "budget": Budget(max_usd=3),
        "arm": Arm(generator="small"),
        "forecast": forecast,
        "difficulty": Difficulty(pass_rate=0.5, bin_probabilities=(0.5, 0.5), most_likely_bin=1, source="text"),
        "reason": "it is cheap",
        "policy_id": "a",
        "propensity": 0.25,
    }
    return Recommendation(**given | values)


def test_a_recommendation_is_kept_whole_with_its_propensity(store):
    served = recommendation()
    store.record([served])
    store.flush()
    assert store.recommendation("r1") == served
    with store.database.reading() as connection:
        row = connection.execute(text("SELECT propensity, policy_id, prompt_id FROM recommendations")).one()
    assert tuple(row) == (0.25, "a", "p1")


def test_an_unknown_recommendation_is_none(store):
    assert store.recommendation("r2") is None


def test_recommendations_are_stored_within_a_second(store):
    store.record([recommendation()])
    deadline = time.monotonic() + 1.0
    while store.count().n_recommendations == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_closing_stores_all_that_was_served(store, store_url):
    store.record([recommendation(f"r{i}") for i in range(2500)])
    store.close()
    with Store.open(store_url) as again:
        assert again.count().n_recommendations == 2500


def test_threads_may_serve_at_once(store):
    threads = [
        threading.Thread(target=lambda t=t: [store.record([recommendation(f"{t}-{i}")]) for i in range(50)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert store.count().n_recommendations == 200


def test_recording_may_go_on_after_a_flush(store):
    for name in "ab":
        store.record([recommendation(name)])
        store.flush()
    assert store.count().n_recommendations == 2


def test_one_that_cannot_be_written_as_json_stops_no_others(store):
    store.record([recommendation("half", prompt_id="half \ud800 a pair")])
    with pytest.raises(StoreError, match="could not be stored"):
        store.flush()
    store.record([recommendation("whole")])
    store.flush()
    assert store.recommendation("whole") is not None


def test_nothing_served_starts_no_thread(store):
    store.record([])
    assert not any(thread.name == "planner-recommendations" for thread in threading.enumerate())


class Away:
    """A store whose connections may only read, until it is back."""

    def __init__(self, url: str) -> None:
        self.store = Store.open(url)
        self.store.database.close()
        event.listen(self.store.database.engine, "connect", self._connected)
        self.is_away = True

    def _connected(self, raw, _) -> None:
        raw.execute(f"PRAGMA query_only = {self.is_away}")

    def come_back(self) -> None:
        self.is_away = False
        self.store.database.close()


def test_what_could_not_be_stored_is_an_error_of_flush_and_close(sqlite_url):
    away = Away(sqlite_url)
    away.store.record([recommendation()])
    for end in (away.store.flush, away.store.close):
        with pytest.raises(StoreError, match="recommendations could not be stored"):
            end()


def test_a_flush_after_a_close_that_failed_tells_why_instead_of_waiting(sqlite_url):
    away = Away(sqlite_url)
    away.store.record([recommendation()])
    with pytest.raises(StoreError):
        away.store.close()
    said = []

    def flush() -> None:
        with pytest.raises(StoreError, match="recommendations could not be stored") as error:
            away.store.flush()
        said.append(error)

    flushing = threading.Thread(target=flush, daemon=True)
    flushing.start()
    flushing.join(5)
    assert said


def test_what_is_served_while_the_store_is_away_is_stored_when_it_is_back(sqlite_url):
    away = Away(sqlite_url)
    for name in ("a", "b"):
        away.store.record([recommendation(name)])
        with pytest.raises(StoreError):
            away.store.flush()
    away.come_back()
    away.store.record([recommendation("c")])
    away.store.flush()
    assert away.store.count().n_recommendations == 3
    away.store.close()


def test_one_that_an_earlier_try_has_stored_is_not_stored_again(store):
    rows = [(name, "p", "x", 1.0, datetime.now(UTC), "{}") for name in ("a", "b")]
    insert_recommendations(store.database, rows[:1])
    insert_recommendations(store.database, rows, again=True)
    assert store.count().n_recommendations == 2
