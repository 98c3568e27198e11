"""The application: routes behind the guard."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.types import ASGIApp

from planner import __version__
from planner.api import Planner
from planner.config import Settings
from planner.service.context import Context
from planner.service.gateway.gateway import Gateway
from planner.service.guard import Guard
from planner.service.hot import HotRoute
from planner.service.intake import Intake
from planner.service.logs import set_up
from planner.service.memory import share_one_heap
from planner.service.metrics import Metrics
from planner.service.opening import opened
from planner.service.problems import DOCUMENTED, install
from planner.service.routes import (
    chat,
    curves,
    health,
    insight,
    models,
    outcomes,
    page,
    policies,
    recommendations,
    runs,
)
from planner.service.routes import fits as fit_routes
from planner.service.security import Tokens
from planner.service.together import Together
from planner.service.watch import Watch

ROUTERS = (recommendations, chat, outcomes, runs, fit_routes, policies, curves, insight, models, health, page)

SWITCH_SECONDS = 0.001
NEW_OBJECTS = 50_000
"""So many that live begin a look for cycles: with Python's 700 it takes as long as to read the runs of a request."""
GRACE_SECONDS = 5.0
"""What is still running when the server has let go of its connections has so long to end."""


def create_app(settings: Settings | None = None, *, planner: Planner | None = None) -> ASGIApp:
    """One service process over a store; `planner` is closed with it unless it was given.

    Settings come from the environment and `planner.toml` where none are given, as in every worker of uvicorn.
    """
    share_one_heap()
    settings = settings or Settings.load()
    set_up(settings)
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Whatever fails while one of them ends, the others are ended too.
        async with contextlib.AsyncExitStack() as ending:
            own, fits = await opened(settings, planner)
            if planner is None:
                ending.callback(own.close)
            ending.callback(fits.close)
            own.most_remembered = 0  # no route carries out a plan that an earlier request got
            gateway = Gateway(settings, own, metrics)
            intake = Intake(own)
            ending.push_async_callback(intake.close)
            ending.push_async_callback(gateway.close, grace_seconds=GRACE_SECONDS)
            # Threads that store what was served would else hold up each request for five milliseconds.
            sys.setswitchinterval(SWITCH_SECONDS)
            gc.set_threshold(NEW_OBJECTS)
            watch = Watch(own, metrics)
            ending.push_async_callback(watch.close)
            await watch.start()
            app.state.context = Context(settings, own, Together(own), metrics, fits, gateway, intake)
            yield

    app = FastAPI(
        title="planner", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Recommendations of how to spend a prompt's budget, and their outcomes.", responses=DOCUMENTED,
    )  # fmt: skip
    install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    page.mount(app)
    return Guard(
        HotRoute(app),
        Tokens.of(settings),
        metrics,
        most_bytes=settings.service_max_body_bytes,
        most_requests=settings.service_max_concurrency,
    )
