"""Fits in a process of their own, one at a time: serving goes on beside them."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from planner.api import Planner
from planner.artifacts import FitSettings
from planner.artifacts.turn import fitting_now
from planner.config import Settings
from planner.errors import NotReady, PlannerError

STOP_SECONDS = 5.0


@dataclass
class Fits:
    """Starts fits for one service process, and ends the one that is running when the process ends."""

    settings: Settings
    planner: Planner
    _process: BaseProcess | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def settle(self) -> None:
        """Note of fits that an earlier process left as running that they are not."""
        if fitting_now(self.planner.artifacts.root) is None:
            self.planner.store.end_lost_fits()

    def start(self, fit: FitSettings) -> str:
        """Begin a fit and return its id; raises NotReady while one is running over the same artifacts."""
        with self._lock:
            if self._is_alive or fitting_now(self.planner.artifacts.root) is not None:
                raise NotReady("a fit is running already: GET /v1/fits tells how far it is")
            fit_id = secrets.token_hex(8)
            self.planner.store.start_fit(fit_id, fit.model_dump(mode="json"))
            # Not forked: threads of the server would leave locks behind that nobody opens.
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=_fit, args=(self.settings, fit, fit_id), daemon=True)
            self._process.start()
            return fit_id

    def close(self) -> None:
        """End the fit that is running; it is noted as failed, and nothing that anyone reads has changed."""
        with self._lock:
            if self._process is not None and self._process.is_alive():
                self._process.terminate()
                self._process.join(STOP_SECONDS)
                self.settle()

    @property
    def _is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()


def _fit(settings: Settings, fit: FitSettings, fit_id: str) -> None:
    from planner.artifacts.refit import refit  # noqa: PLC0415 - lightgbm and its kin load in this process alone

    with Planner.open(settings=settings, create=False) as planner:
        try:
            refit(planner.store, planner.artifacts, fit, fit_id=fit_id)
        except PlannerError:
            return  # the store holds it in words
