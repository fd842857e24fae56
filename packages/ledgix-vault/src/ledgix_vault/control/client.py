"""Asking a Vault, from the command line: through its socket while it runs, else by opening it for a moment."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

from ledgix_vault.control.place import find_socket
from ledgix_vault.errors import InUse, Invalid, Unavailable, VaultError
from ledgix_vault.settings import Settings

PATIENCE = 10.0  # seconds for a Vault that is just starting or stopping
PAUSE = 0.05
ANSWER_WITHIN = 60.0


def ask(settings: Settings, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The command's answer; durable on return. Raises `VaultError` in words for the person who asked."""
    given_up_at = time.monotonic() + PATIENCE
    while True:
        answer = _ask_running(settings, command, arguments)
        if answer is not None:
            return answer
        try:
            return asyncio.run(_ask_directly(settings, command, arguments))
        except InUse:
            if time.monotonic() > given_up_at:
                raise
            time.sleep(PAUSE)


def _ask_running(settings: Settings, command: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The answer of the Vault that listens; None when none does (a killed one leaves a dead socket)."""
    line = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_WITHIN)
        try:
            connection.connect(str(find_socket(settings.data_dir)))
        except OSError:
            return None
        try:
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                answered = answers.readline()
        except OSError:
            answered = b""
    if not answered.endswith(b"\n"):
        raise Unavailable("The Vault stopped before it answered; look with `list` whether it was done.")
    return _read(json.loads(answered))


async def _ask_directly(settings: Settings, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from ledgix_vault.app import open_vault
    from ledgix_vault.control.commands import perform
    from ledgix_vault.worker import Worker

    with open_vault(settings) as opened:
        answer = await perform(opened.vault, command, arguments)
        await Worker(opened.vault, opened.high_water).sign_all()
        return answer


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    if "ok" in answer:
        done: dict[str, Any] = answer["ok"]
        return done
    error = answer["error"]
    if "path" in error:
        raise Invalid(error["detail"], error["path"], error["code"])
    raise VaultError(error["detail"], code=error["code"])
