"""The process's own log, on stderr: events with values, never bodies, headers or secrets.

Levels: debug for developers, info one line for each exchange, warning for the
owner to look at, error where we failed.
"""

import logging
import sys

import structlog

from clearway.config.model import Log
from clearway.core.exchange import Finished


def configure(settings: Log) -> None:
    """Set up logging for this process."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    as_text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if as_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not as_text),
            # Tracebacks name code, never the values in it.
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # uvicorn's own lines tell nothing that ours do not.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "uvicorn.access" else logging.ERROR)


class ExchangeLog:
    """One info line for each exchange that is over."""

    def __init__(self) -> None:
        # Bound once: each exchange then costs one call.
        self._log = structlog.get_logger().bind()

    @property
    def is_on(self) -> bool:
        """The level of the log lets these lines through."""
        return bool(self._log.is_enabled_for(logging.INFO))

    def settled(self, finished: Finished) -> None:
        """The line."""
        settlement = finished.settlement
        measure = settlement.measure
        cost = measure.cost
        self._log.info(
            "exchange_settled",
            exchange_id=settlement.exchange_id,
            outcome=settlement.outcome,
            status=measure.status,
            upstream=settlement.upstream,
            model=measure.response_model,
            error=measure.error_code or measure.error_type,
            cost_nano=None if cost is None else cost.cost_nano,
            estimate_nano=None if cost is None else cost.estimate_nano,
            total_ms=None if measure.total_us is None else measure.total_us // 1000,
        )
