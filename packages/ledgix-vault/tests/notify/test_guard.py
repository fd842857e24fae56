"""The way out: what is dialled is what was checked, and nothing private is."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from vault_testing.receivers import Receiver

from ledgix_vault.notify.http import post_json
from ledgix_vault.outbound.guard import Trust

pytestmark = pytest.mark.anyio
NOBODY = Trust()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]",
     "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:1::1]", "[fe80::1]", "[ff02::1]", "0.0.0.0",
     "224.0.0.1", "2130706433", "localhost"],
)  # fmt: skip
async def test_what_is_private_is_not_dialled(host: str) -> None:
    reply = await post_json(f"https://{host}/hook", b"{}", NOBODY)
    assert (reply.ok, reply.status) == (False, None)
    assert "public" in reply.answer


async def test_plain_http_needs_the_operators_word(other_side: Receiver) -> None:
    assert (await post_json(other_side.url(), b"{}", NOBODY)).status is None
    assert other_side.received == []
    assert (await post_json(other_side.url(), b"{}", Trust(frozenset({other_side.host})))).status == 200


async def test_a_name_that_means_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, "10.1.2.3")
    assert "public" in (await post_json("https://hooks.example/x", b"{}", NOBODY)).answer


async def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, "8.8.8.8", "::ffff:10.1.2.3")
    assert "public" in (await post_json("https://hooks.example/x", b"{}", NOBODY)).answer


async def test_the_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch, other_side: Receiver) -> None:
    """A second look, which may give another address, never happens: the checked address itself is dialled."""
    port = other_side.host.rpartition(":")[2]
    looks = _resolve_to(monkeypatch, "127.0.0.1")
    reply = await post_json(f"http://hooks.example:{port}/x", b"{}", Trust(frozenset({f"hooks.example:{port}"})))
    assert reply.ok
    assert [name for name in looks if name == "hooks.example"] == ["hooks.example"]
    assert other_side.received[0].headers["host"] == f"hooks.example:{port}"


async def test_a_redirect_is_an_answer_and_not_followed(other_side: Receiver) -> None:
    other_side.status, other_side.headers = 307, {"Location": "http://169.254.169.254/latest/meta-data"}
    reply = await post_json(other_side.url(), b"{}", Trust(frozenset({other_side.host})))
    assert (reply.ok, reply.status) == (False, 307)
    assert len(other_side.received) == 1


async def test_only_the_beginning_of_an_answer_is_kept(other_side: Receiver) -> None:
    other_side.answer = "ä" * 100_000
    reply = await post_json(other_side.url(), b"{}", Trust(frozenset({other_side.host})))
    assert reply.answer == "ä" * 500


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    looks: list[str] = []
    real = asyncio.get_running_loop().getaddrinfo

    async def look(host: Any, port: Any, **more: Any) -> Any:
        looks.append(str(host))
        if host != "hooks.example":
            return await real(host, port, **more)
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
    return looks
