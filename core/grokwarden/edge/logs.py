"""Logs: one event a line, a constant name in the past tense with its facts as fields, on standard error.

Only our own loggers follow the level that was asked for. Libraries are heard from ``warning`` on, whatever was asked:
below it clients log whole bodies, and a body may be a Secret's. Of an exception, whoever logs it, only its type and its
place are written: its text may hold a piece of a call. Both planes log like this; a sidecar loads it, so it imports
nothing else of this package.
"""

import logging
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

_OURS: Final = ("grokwarden", "grokwarden_operator", "grokwarden_sidecar")
_SHARED: Final[list[structlog.typing.Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class LogLevel(StrEnum):
    """From how severe on events are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How an event is written; ``auto`` is ``console`` on a terminal and ``json`` elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


def place_of(error: BaseException) -> str:
    """Where it was raised, without the frames' values."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def log_stray_error(_: object, context: dict[str, Any]) -> None:
    """A loop's handler for what no task handled: the loop's own would write the exception's text."""
    error = context.get("exception")
    told = {"error": type(error).__name__, "at": place_of(error)} if isinstance(error, BaseException) else {}
    structlog.stdlib.get_logger(__name__).error("error_unhandled", **told)


def _without_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The event with its exception's type and place in the traceback's stead."""
    told = event.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event.setdefault("error", type(error).__name__)
        event.setdefault("at", place_of(error))
    return event


def configure_logs(*, level: LogLevel, form: LogFormat) -> None:
    """Everything that is logged from now on, by any library, leaves in this form."""
    is_console = form is LogFormat.CONSOLE or (form is LogFormat.AUTO and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_traceback, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.value.upper())
