"""`planner serve`: recommendations over HTTP, a gateway in OpenAI's form, and a page to look at."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import click

from planner.cli.common import open_planner, settings
from planner.errors import ArtifactError, InvalidInput, NoActivePolicy

if TYPE_CHECKING:
    from planner.config import Settings

GRACE_SECONDS = 30


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes over one store.")
def serve(host: str, port: int, workers: int) -> None:
    """Serve recommendations, the gateway and the dashboard; Ctrl-C ends it after what is running.

    \b
    PLANNER_SERVICE_TOKEN         administrators' token; without any the service listens on loopback only
    PLANNER_SERVICE_LOG_TOKEN     may recommend, run and log
    PLANNER_SERVICE_READ_TOKEN    may recommend and look
    PLANNER_ENDPOINT_URL          where the gateway's models are
    PLANNER_SERVICE_BUDGET        JSON, for requests of the gateway without a budget
    """  # noqa: D301 - click reads \b as "keep these lines"
    try:
        from planner.service.listening import check_free, listen, url_of
        from planner.service.security import Tokens, check_host
    except ModuleNotFoundError as error:
        raise InvalidInput(f"the service needs the package {error.name}: pip install 'planner[serve]'") from error

    found = settings()
    check_host(host, Tokens.of(found))
    _check_settings(found)
    check_free(host, port)
    planner = open_planner(create=True)
    try:
        click.echo(f"policy {planner.policy.policy_id}", err=True)
    except (NoActivePolicy, ArtifactError) as error:
        click.echo(f"note: {error}", err=True)
    planner.close()
    # Workers are processes of their own: what flags said reaches them through the environment.
    os.environ["PLANNER_DATABASE_URL"] = found.database_url
    if found.artifact_dir is not None:
        os.environ["PLANNER_ARTIFACT_DIR"] = str(found.artifact_dir)
    with tempfile.TemporaryDirectory(prefix="planner-metrics-") as folder:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        click.echo(f"{url_of(host, port)}  (Ctrl-C ends it)", err=True)
        listen(
            app="planner.service.app:create_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http="planner.service.protocol:Protocol",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )


def _check_settings(found: Settings) -> None:
    """Raise InvalidInput for what else only a worker would read: in one line, and before any starts."""
    from planner.api.endpoints import open_endpoint
    from planner.service.gateway.server_budget import server_budget

    server_budget(found)
    if found.endpoint_url is not None:
        open_endpoint(None, found)
