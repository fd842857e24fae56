"""Puts the client between an application's functions and their effects: no approval, no run."""

from __future__ import annotations

from ledgix.enforce.block import cleared
from ledgix.enforce.decorator import guard, resume
from ledgix.enforce.defaults import configure, default_async_client, default_client
from ledgix.enforce.hand import current_clearance, current_token

__all__ = [
    "cleared",
    "configure",
    "current_clearance",
    "current_token",
    "default_async_client",
    "default_client",
    "guard",
    "resume",
]
