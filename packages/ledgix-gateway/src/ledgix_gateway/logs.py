"""The log on stderr, one JSON object a line: what is logged can start no other line. No secrets, no arguments."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from ledgix_gateway.ended import Ended, Verdict

_QUIET: Final = ("aiohttp", "asyncio", "httpx2", "httpcore2", "hpack")
calls = logging.getLogger("ledgix_gateway.calls")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
        line.update(getattr(record, "ended", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logs(level: int = logging.INFO) -> None:
    """Sends everything that this process logs to stderr; the libraries' warnings too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # what callers do wrong, `log_ended` says
    logging.captureWarnings(True)


def log_ended(ended: Ended) -> None:
    """One line for each request."""
    if not calls.isEnabledFor(logging.INFO):
        return
    said = {name: value for name, value in asdict(ended).items() if value not in ("", 0)}
    said["seconds"] = round(ended.seconds, 4)
    is_trouble = ended.verdict is Verdict.FAILED or ended.status >= 500
    calls.log(logging.WARNING if is_trouble else logging.INFO, "call", extra={"ended": said})
