"""Logs as lines of text or of JSON, each with its request's id; prompts never stand in them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from planner.config import Settings

_EXTRA = ("request_id", "status", "milliseconds")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what the record bears beside."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _EXTRA if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(settings: Settings) -> None:
    """Send the service's own logs and uvicorn's to standard error, in the form that is set."""
    handler = logging.StreamHandler()
    text = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(text))
    for name in ("planner", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(settings.log_level.upper())
    # Nothing of ours shows who wrote a line: to find it out for each takes longer than to write it.
    logging._srcfile = None  # noqa: SLF001 - documented for this use
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Who serves wants to see who asks, whatever else is silent.
    logging.getLogger("planner.service.access").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)
