"""The clients that guards use when they are given none: one for each kind, made at first use, from `configure`."""

from __future__ import annotations

import threading
from typing import Any

from ledgix.client.aio import AsyncLedgix
from ledgix.client.settings import ClientSettings
from ledgix.client.sync import Ledgix


class _Defaults:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.settings: ClientSettings | None = None
        self.client: Ledgix | None = None
        self.async_client: AsyncLedgix | None = None


_defaults = _Defaults()


def configure(
    settings: ClientSettings | None = None,
    *,
    client: Ledgix | None = None,
    async_client: AsyncLedgix | None = None,
    **overrides: Any,
) -> None:
    """Sets what guards without a client of their own use, from now on.

    Give settings, or single ones by name over those of the environment, or finished clients. Without any call of
    `configure`, everything comes from the environment.
    """
    given = client or async_client
    if overrides and (settings or given):
        raise TypeError("single settings go over those of the environment; give them, or finished settings or clients")
    if settings is None:
        settings = given.settings if given is not None else ClientSettings.from_environment(**overrides)
    with _defaults.lock:
        _defaults.settings = settings
        _defaults.client = client
        _defaults.async_client = async_client


def default_client() -> Ledgix:
    """The client for guarded sync functions."""
    with _defaults.lock:
        if _defaults.client is None:
            _defaults.client = Ledgix(_defaults.settings)
        return _defaults.client


def default_async_client() -> AsyncLedgix:
    """The client for guarded async functions."""
    with _defaults.lock:
        if _defaults.async_client is None:
            _defaults.async_client = AsyncLedgix(_defaults.settings)
        return _defaults.async_client
