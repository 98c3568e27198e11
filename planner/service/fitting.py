"""Fits in a process of their own, one at a time: serving goes on beside them."""

from __future__ import annotations

import logging
import multiprocessing
import secrets
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess

from planner.api import Planner
from planner.artifacts import FitSettings
from planner.artifacts.turn import fitting_now
from planner.config import Settings
from planner.errors import NotReady, PlannerError, StoreError
from planner.store import FitRow

LOGGER = logging.getLogger("planner.service")
STOP_SECONDS = 5.0
LOADING_SECONDS = 60.0
"""How long a fit's process may take to hold the turn to fit: it loads libraries first."""
BROKEN_OFF = "broken off by the server's shutdown"


@dataclass
class Fits:
    """Starts fits for one service process, and ends the one that is running when the process ends."""

    settings: Settings
    planner: Planner
    _process: BaseProcess | None = field(default=None, init=False)
    _fit_id: str = field(default="", init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def settle(self) -> None:
        """Note of fits that an earlier process left as running that they are not."""
        if fitting_now(self.planner.artifacts.root) is None:
            self.planner.store.end_lost_fits()

    def rows(self) -> list[FitRow]:
        """All fits, the newest first; one whose process was killed is noted as failed before."""
        store = self.planner.store
        rows = store.fits()
        return store.fits() if self._ended_lost(rows) else rows

    def start(self, fit: FitSettings) -> str:
        """Begin a fit and return its id; raises NotReady while one is running over the same artifacts."""
        self._ended_lost(self.planner.store.fits())
        with self._lock:
            busy = self._is_alive or fitting_now(self.planner.artifacts.root) is not None
            fit_id = secrets.token_hex(8)
            # One of another worker may not hold the turn yet: it loads libraries first.
            if busy or not self.planner.store.start_fit(fit_id, fit.model_dump(mode="json"), alone=True):
                raise NotReady("a fit is running already: GET /v1/fits tells how far it is")
            # Not forked: threads of the server would leave locks behind that nobody opens.
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=_fit, args=(self.settings, fit, fit_id), daemon=True)
            self._fit_id = fit_id
            self._process.start()
            return fit_id

    def close(self) -> None:
        """Break off the fit that is running; it is noted as failed, and nothing that anyone reads has changed."""
        with self._lock:
            if self._process is None or not self._process.is_alive():
                return
            LOGGER.warning("fit %s is %s", self._fit_id, BROKEN_OFF)
            self._process.terminate()
            self._process.join(STOP_SECONDS)
            try:
                self._note_broken_off()
            except StoreError as error:  # whoever starts next notes that it was lost
                LOGGER.warning("the store does not know yet that fit %s ended: %s", self._fit_id, error)

    def _note_broken_off(self) -> None:
        store = self.planner.store
        # It may have come to its end just before it was told to.
        if any(row.fit_id == self._fit_id and row.status == "running" for row in store.fits()):
            store.finish_fit(self._fit_id, error=BROKEN_OFF)

    def _ended_lost(self, rows: Sequence[FitRow]) -> bool:
        """Note of those that were killed that they ended, and say whether there were any."""
        lost = [row.fit_id for row in rows if row.status == "running" and self._is_lost(row)]
        if not lost or fitting_now(self.planner.artifacts.root) is not None:
            return False
        try:
            self.planner.store.end_lost_fits(only=lost)
        except StoreError as error:  # whoever looks next tries again
            LOGGER.warning("the store does not know yet that fit %s ended: %s", ", ".join(lost), error)
            return False
        LOGGER.warning("fit %s ended with its process, before it was done", ", ".join(lost))
        return True

    def _is_lost(self, row: FitRow) -> bool:
        """Whether its process is no more, if nobody holds the turn to fit. One of another process may still load."""
        with self._lock:
            if row.fit_id == self._fit_id:
                return not self._is_alive
        return (datetime.now(UTC) - row.started_at).total_seconds() > LOADING_SECONDS

    @property
    def _is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()


def _fit(settings: Settings, fit: FitSettings, fit_id: str) -> None:
    # Ctrl-C reaches every process of a terminal: the server ends this one, and says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from planner.artifacts.refit import refit  # noqa: PLC0415 - lightgbm and its kin load in this process alone

    with Planner.open(settings=settings, create=False) as planner:
        try:
            refit(planner.store, planner.artifacts, fit, fit_id=fit_id)
        except PlannerError:
            return  # the store holds it in words
