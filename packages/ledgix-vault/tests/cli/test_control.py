"""The control socket: one line in, one line out, whoever is there and however long the path is."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ledgix_vault.app import open_vault
from ledgix_vault.control.client import ask
from ledgix_vault.control.commands import perform
from ledgix_vault.control.place import LONGEST_PATH, POINTER_FILE, SOCKET_FILE, find_socket
from ledgix_vault.control.server import LONGEST_LINE, listening
from ledgix_vault.errors import Invalid, StartRefused, VaultError
from ledgix_vault.settings import Settings
from ledgix_vault.vault import Vault

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(vault: Any) -> Settings:
    return Settings.load(data_dir=vault.data)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    with open_vault(settings) as opened:
        async with listening(opened.vault):
            yield


async def say(settings: Settings, line: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(find_socket(settings.data_dir))
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    found: dict[str, Any] = json.loads(answer)
    return found


async def test_the_client_talks_to_whoever_listens(settings: Settings) -> None:
    async with running(settings):
        made = await asyncio.to_thread(ask, settings, "keys.create", {"name": "a", "preset": "agent"})
        assert made["api_key"].startswith("lgx_")
        with pytest.raises(Invalid, match="must be 1 to 120") as refused:
            await asyncio.to_thread(ask, settings, "keys.create", {"name": "", "preset": "agent"})
        assert refused.value.path == "$.name"
        with pytest.raises(VaultError, match="no API key with the id"):
            await asyncio.to_thread(ask, settings, "keys.revoke", {"key_id": "x"})
    assert not (settings.data_dir / SOCKET_FILE).exists()
    assert len(ask_in_thread(settings)["keys"]) == 2


async def test_many_at_once(settings: Settings) -> None:
    async with running(settings):
        asked = [
            asyncio.to_thread(ask, settings, "keys.create", {"name": str(i), "preset": "agent"}) for i in range(20)
        ]
        made = await asyncio.gather(*asked)
    assert len({key["key_id"] for key in made}) == 20


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"[]\n",
        b'{"command": "keys.list"}\n',
        b'{"command": 1, "arguments": {}}\n',
        b"\xff\n",
        b"1\n",
    ],
)
async def test_nonsense_gets_an_error(settings: Settings, line: bytes) -> None:
    async with running(settings):
        assert set(await say(settings, line)) == {"error"}


async def test_a_line_without_end_gets_an_error(settings: Settings) -> None:
    async with running(settings):
        assert "error" in await say(settings, b"x" * (LONGEST_LINE + 10))


async def test_whoever_goes_away_or_stays_silent_holds_nobody_up(settings: Settings) -> None:
    async with running(settings):
        for _ in range(3):
            _, writer = await asyncio.open_unix_connection(find_socket(settings.data_dir))
            writer.write(b'{"command": "keys.list", "arguments": {}}\n')
            writer.close()
        _, silent = await asyncio.open_unix_connection(find_socket(settings.data_dir))
        assert await asyncio.to_thread(ask, settings, "keys.list", {})
    silent.close()


async def test_what_has_begun_is_answered_when_it_stops(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(vault: Vault, command: str, arguments: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await perform(vault, command, arguments)

    monkeypatch.setattr("ledgix_vault.control.server.perform", slowly)
    line = b'{"command": "tenants.create", "arguments": {"name": "late"}}\n'
    async with running(settings):
        asked = asyncio.create_task(say(settings, line))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert (await asked)["ok"]["tenant_name"] == "late"


async def test_a_long_path_finds_a_short_one(vault: Any, tmp_path: Path) -> None:
    data = tmp_path / ("long" * 20) / ("path" * 20) / "vault"
    data.parent.mkdir(parents=True)
    shutil.copytree(vault.data, data)
    settings = Settings.load(data_dir=data)
    async with running(settings):
        place = find_socket(data)
        assert len(str(place)) < LONGEST_PATH < len(str(data))
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert await asyncio.to_thread(ask, settings, "keys.list", {})
        pointer = (data / POINTER_FILE).read_text()
    assert not place.parent.exists()
    assert not (data / POINTER_FILE).exists()

    # A killed one leaves both behind: the command works, and so does the next server.
    (data / POINTER_FILE).write_text(pointer)
    assert ask_in_thread(settings)
    async with running(settings):
        assert await asyncio.to_thread(ask, settings, "keys.list", {})


def ask_in_thread(settings: Settings) -> Any:
    """`ask` starts an event loop of its own when nobody listens."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as other:
        return other.submit(ask, settings, "keys.list", {}).result()


def test_a_dead_socket_is_nobody(settings: Settings) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(settings.data_dir / SOCKET_FILE))
    assert ask(settings, "keys.list", {})


def test_a_file_in_the_place_of_the_socket(settings: Settings) -> None:
    (settings.data_dir / SOCKET_FILE).write_text("not a socket")
    assert ask(settings, "keys.list", {})
    with pytest.raises(StartRefused, match=r"The control socket .* can't be made"):
        asyncio.run(_start_and_stop(settings))


def test_a_pointer_to_somebody_elses_file_deletes_nothing(settings: Settings, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("stays")
    (settings.data_dir / POINTER_FILE).write_text(str(precious / "file"))
    asyncio.run(_start_and_stop(settings))
    assert (precious / "file").read_text() == "stays"


async def _start_and_stop(settings: Settings) -> None:
    async with running(settings):
        pass
