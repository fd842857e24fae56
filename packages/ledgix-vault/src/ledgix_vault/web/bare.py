"""The framework, without what it would do by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

import ledgix_vault

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Its spans would hold paths and queries. Those that there are, `ledgix_vault.tracing` makes."""


def bare_app(handlers: Mapping[int | type[Exception], Any], title: str, description: str = "") -> FastAPI:
    """An application without pages of its own, without telemetry, and without redirects, which no API key may
    follow. `handlers` answer errors."""
    return FastAPI(
        title=title,
        version=ledgix_vault.__version__,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=dict(handlers),
        telemetry=NO_TELEMETRY,
    )
