"""What Prometheus reads: requests, spending, what was recommended, and how right it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from planner.core import Cost, Recommendation

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one process; several workers share theirs through PROMETHEUS_MULTIPROC_DIR."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self._requests = Counter("planner_requests", "Requests.", ["method", "route", "status"], registry=own)
        self._seconds = Histogram("planner_request_seconds", "Latency.", ["route"], registry=own, buckets=SECONDS)
        self._recommended = Counter("planner_recommendations", "Recommendations.", ["declined"], registry=own)
        self._tokens = Counter("planner_tokens", "Tokens spent by runs of the gateway.", ["kind"], registry=own)
        self._usd = Counter("planner_usd", "USD spent by runs of the gateway.", registry=own)
        self._misses = Counter("planner_budget_misses", "Runs that cost more than a ceiling.", ["unit"], registry=own)
        self._policy = Gauge(
            "planner_policy_info",
            "The policy that is served.",
            ["policy_id"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._values = Gauge(
            "planner_value", "Figures by name: mean spending and its target, calibration drift, exchange rate.",
            ["name"], registry=own, multiprocess_mode="mostrecent",
        )  # fmt: skip
        self._policy_id: str | None = None
        # Looked up once: a look-up by labels takes longer than to count.
        self._of_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        found = self._of_request.get((method, route, status))
        if found is None:
            known = method if method in METHODS else "other"  # whoever asks may write anything there
            found = self._requests.labels(known, route, str(status)), self._seconds.labels(route)
            if known == method:
                self._of_request[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def recommended(self, served: Sequence[Recommendation]) -> None:
        """Count what was recommended."""
        declined = sum(one.declined for one in served)
        if declined:
            self._recommended.labels("true").inc(declined)
        if len(served) > declined:
            self._recommended.labels("false").inc(len(served) - declined)

    def spent(self, cost: Cost) -> None:
        """Count what a run has cost; what is unknown is left out."""
        for kind in ("prompt", "completion", "verifier"):
            amount = getattr(cost, f"{kind}_tokens")
            if amount:
                self._tokens.labels(kind).inc(amount)
        if cost.usd:
            self._usd.inc(cost.usd)

    def missed(self, unit: str) -> None:
        """Count a run that cost more than its ceiling in `unit`."""
        self._misses.labels(unit).inc()

    def serving(self, policy_id: str) -> None:
        """Say which policy is served."""
        if policy_id != self._policy_id:
            if self._policy_id is not None:
                self._policy.labels(self._policy_id).set(0)
            self._policy.labels(policy_id).set(1)
            self._policy_id = policy_id

    def value(self, name: str, value: float) -> None:
        """Set a figure by name."""
        self._values.labels(name).set(value)

    def page(self) -> bytes:
        """All figures in Prometheus' text form, those of the other workers included."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        _forget_ended(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)


def _forget_ended(folder: str) -> None:
    """Leave out what workers that are no more said of their present; what they counted stays counted."""
    for file in Path(folder).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _is_alive(pid):
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
