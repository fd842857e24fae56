"""The log on stderr: one line for each record, as `key=value` pairs or as JSON.

- What a line says can't start another line or steer a terminal: everything that isn't printable is escaped.
- A traceback names files and lines, never the values of variables: they may be secrets.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

from ledgix_vault.settings import LogFormat, LogLevel

_QUIET = ("uvicorn", "alembic", "asyncio", "sqlalchemy")
"""Libraries whose news is none to an operator; their warnings and errors are."""
_BARE = re.compile(r"[\w.:/@+,\-]+", re.ASCII)

_SHARED: tuple[Callable[..., MutableMapping[str, Any]], ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,  # plain text: the richer formatters print local variables
)


def configure_logs(level: LogLevel, form: LogFormat) -> None:
    """Sends everything that this process logs, the libraries' records too, to stderr."""
    render = _as_json if form is LogFormat.JSON else _as_pairs
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=least, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=True,
    )


def _as_pairs(_logger: object, _method: str, record: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_pair_value(value)}" for name, value in _ordered(record).items())


def _as_json(_logger: object, _method: str, record: Mapping[str, Any]) -> str:
    return json.dumps(_ordered(record), default=str)


def _ordered(record: Mapping[str, Any]) -> dict[str, Any]:
    first = {name: record[name] for name in ("timestamp", "level", "event") if name in record}
    return {**first, **record}


def _pair_value(value: object) -> str:
    text = "" if value is None else str(value)
    if not text or _BARE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in quoted)
