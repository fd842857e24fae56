"""The running Vault's side of the control socket: one line of JSON in, one line of JSON out.

- Only the user that runs the Vault can connect: the socket's mode is 0600 and its directory's 0700.
- A command that has begun is answered before the socket closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import structlog

from ledgix_vault.control.commands import perform
from ledgix_vault.control.place import bind_socket, clear_socket
from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.vault import Vault

LONGEST_LINE = 4 * 1024 * 1024  # a server's whole list of tools is one
PATIENCE = 10.0  # seconds that a connection has to say what it wants
logger = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def listening(vault: Vault) -> AsyncIterator[None]:
    """Answers commands until the block ends."""
    data_dir = vault.settings.data_dir
    listener = bind_socket(data_dir)
    conversations = _Conversations(vault)
    server = await asyncio.start_unix_server(conversations.begin, sock=listener, limit=LONGEST_LINE)
    try:
        yield
    finally:
        server.close()
        clear_socket(data_dir)
        await conversations.finish()


class _Conversations:
    """The connections that are open."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._listening: set[asyncio.Task[Any]] = set()
        self._working: set[asyncio.Task[Any]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a command and its answer."""
        self._listening.add(asyncio.create_task(self._hold(reader, writer)))

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            line = await _read_line(reader)
            self._listening.discard(task)
            self._working.add(task)
            writer.write(json.dumps(await _answer(self._vault, line)).encode() + b"\n")
            await writer.drain()
        except OSError:  # whoever asked has gone; what was done is done
            logger.warning("control_answer_lost")
        finally:
            self._listening.discard(task)
            self._working.discard(task)
            writer.close()

    async def finish(self) -> None:
        """Answers what was asked, sends the silent away."""
        for silent in self._listening:
            silent.cancel()
        while pending := self._listening | self._working:
            await asyncio.wait(pending)


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.readline(), PATIENCE)
    except (TimeoutError, ValueError):  # ValueError: longer than LONGEST_LINE
        return b""


async def _answer(vault: Vault, line: bytes) -> dict[str, Any]:
    try:
        command, arguments = _parse(line)
        return {"ok": await perform(vault, command, arguments)}
    except Invalid as error:
        return {"error": {"code": error.code, "detail": error.detail, "path": error.path}}
    except VaultError as error:
        return {"error": {"code": error.code, "detail": error.detail}}
    except Exception:
        logger.exception("control_command_failed")
        return {"error": {"code": "internal", "detail": "The Vault failed; its log says why."}}


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        asked = json.loads(line)
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("arguments"), dict):
        raise Invalid("A command is one line: a JSON object with `command` and `arguments`.")
    return str(asked.get("command")), asked["arguments"]
