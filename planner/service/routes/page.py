"""Pages: the dashboard with its assets, from the package, and the API's reference, made from its schema."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

from planner.service.reference.html import page_of
from planner.service.security import needed

ASSETS = Path(__file__).parents[1] / "dashboard"
router = APIRouter(include_in_schema=False)


@router.head("/")
@router.get("/")
async def page() -> FileResponse:
    """The page; it holds no data, its scripts ask the public routes."""
    return FileResponse(ASSETS / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/docs")
def reference(request: Request) -> HTMLResponse:
    """The API for people; it takes the token that `/openapi.json` takes, which says the same."""
    state = request.app.state
    if not hasattr(state, "reference"):
        state.reference = page_of(request.app.openapi(), lambda method, path: needed(method, path).name.lower())
    return HTMLResponse(state.reference, headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Serve the page's assets beneath /static."""
    app.mount("/static", StaticFiles(directory=ASSETS), name="static")
