"""The dashboard: one page and its assets, from the package."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

ASSETS = Path(__file__).parents[1] / "dashboard"
router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """The page; it holds no data, its scripts ask the public routes."""
    return FileResponse(ASSETS / "index.html", headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Serve the page's assets beneath /static."""
    app.mount("/static", StaticFiles(directory=ASSETS), name="static")
