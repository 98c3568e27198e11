"""What a worker says of the store that it looks at."""

from __future__ import annotations

import logging

from planner import Planner
from planner.errors import StoreError
from planner.service.metrics import Metrics
from planner.service.watch import Watch


def test_an_empty_store_is_told_once_as_what_it_is_and_the_first_policy_too(tmp_path, fitted_home, caplog):
    caplog.set_level(logging.WARNING, "planner.service")
    with Planner.open(f"sqlite:///{tmp_path / 'planner.db'}") as empty:
        watch = Watch(empty, Metrics())
        watch.look()
        watch.look()
        (said,) = caplog.messages
        assert said.startswith("nothing can be recommended yet: no policy is promoted yet: ")
        caplog.clear()
        with Planner.open(f"sqlite:///{fitted_home / 'planner.db'}") as fitted:
            watch.planner = fitted
            watch.look()
            watch.look()
            assert caplog.messages == [f"policy {fitted.policy.policy_id} is served"]


def test_a_policy_that_a_worker_holds_is_told_to_be_served_on(home, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, "planner.service")
    with Planner.open() as planner:
        watch = Watch(planner, Metrics())
        watch.look()
        monkeypatch.setattr(planner, "look_again", away)
        watch.look()
    assert caplog.messages == ["what was served last is served on: StoreError: it is away"]


def away() -> None:
    raise StoreError("it is away")
