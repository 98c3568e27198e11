"""What the routes share: settings, the planner, figures, fits, the gateway. One of it a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

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

    def check_length(self, characters: int) -> None:
        """Answer 413 where a prompt has more characters than are taken."""
        most = self.settings.service_max_prompt_characters
        if characters > most:
            raise HTTPException(
                413,
                f"the prompt has {characters:,} characters: at most {most:,} are taken "
                "(PLANNER_SERVICE_MAX_PROMPT_CHARACTERS)",
            )


async def _context(request: Request) -> Context:
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


Shared = Annotated[Context, Depends(_context)]
