"""The connection with the MCP server behind the gateway: a program over stdio, or an address over Streamable HTTP.

A program gets the variables that the configuration names and a minimal environment (the SDK's: PATH, HOME, …), never
the gateway's own, so the Vault's key does not reach it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_never

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from ledgix_gateway.mcp.config import Address, Program, Upstream


class Trouble(Exception):
    """The server can't be reached, or its connection ended."""


@asynccontextmanager
async def open_upstream(upstream: Upstream) -> AsyncGenerator[TransportStreams, None]:
    """Streams of messages from and to the server. Raises Trouble when there is no connection (any more)."""
    trouble: Exception | None = None
    try:
        match upstream:
            case Program():
                async with stdio_client(_parameters(upstream), errlog=sys.stderr) as streams:
                    yield streams
            case Address():
                async with _http(upstream) as http, streamable_http_client(upstream.url, http_client=http) as streams:
                    yield streams
            case _:
                assert_never(upstream)
    except* (OSError, httpx2.HTTPError) as errors:
        trouble = errors.exceptions[0]
    if trouble is not None:
        raise Trouble(f"no connection with the MCP server: {_plain(trouble)}")


def _parameters(program: Program) -> StdioServerParameters:
    secrets = {name: secret.value for name, secret in program.secrets.items()}
    return StdioServerParameters(
        command=program.command, args=list(program.args), env={**program.env, **secrets}, cwd=program.directory
    )


def _http(address: Address) -> httpx2.AsyncClient:
    headers = {name: secret.value for name, secret in address.headers.items()}
    # An answer may stream for long; between two events it may be silent as long as this.
    return httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30.0, read=address.timeout_seconds))


def _plain(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
