"""What the routes share: settings, the planner, figures, fits, the gateway. One of it a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from planner.api import Planner
from planner.config import Settings
from planner.service.fitting import Fits
from planner.service.gateway.gateway import Gateway
from planner.service.intake import Intake
from planner.service.metrics import Metrics
from planner.service.together import Together


@dataclass(frozen=True)
class Context:
    """One service process."""

    settings: Settings
    planner: Planner
    together: Together
    metrics: Metrics
    fits: Fits
    gateway: Gateway
    intake: Intake


async def _context(request: Request) -> Context:
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


Shared = Annotated[Context, Depends(_context)]
