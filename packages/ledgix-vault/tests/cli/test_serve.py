"""`serve` from its ready line to exit status 0, killed, doubled, and asked for keys meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ledgix_vault.app import open_vault
from ledgix_vault.control.client import ask
from ledgix_vault.errors import StartRefused
from ledgix_vault.serve import serve as serve_until_told
from ledgix_vault.settings import Settings
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.logs import load_checkpoints
from ledgix_vault.store.read_only import frozen_view

Serve = Callable[..., Any]
ENDED = b"\r\nConnection: close\r\n\r\n"


def test_a_day_in_the_life(cli: Any, vault: Any, serve: Serve, tmp_path: Path) -> None:
    server = serve(vault.data)
    assert server.ask("/health") == {"status": "ok"}
    assert _mode(vault.data / "control.sock") == 0o600
    assert _mode(vault.data) == 0o700

    agent = cli.run("keys", "create", "--data", vault.data, "--preset", "agent", "--name", "bot", "--json").json
    answer = server.ask("/request-clearance", agent["api_key"], {"tool_name": "refund"})
    assert answer["status"] == "pending_review"
    assert cli.run("keys", "revoke", agent["key_id"], "--data", vault.data, "--json").json["revoked_at"]
    with pytest.raises(OSError, match="401"):
        server.ask("/request-clearance", agent["api_key"], {"tool_name": "refund"})

    refusal = cli.run("serve", "--data", vault.data, "--port", "0").refusal()
    assert f"Another Vault (pid {server.process.pid}) uses {vault.data}." in refusal
    checked = cli.run("check", "--data", vault.data, "--json").json
    assert checked["intact"]
    assert checked["tenants"][0]["verified_entries"] == 5
    assert cli.run("backup", "--data", vault.data, "--to", tmp_path / "b.tar", "--json").json["database"]

    assert _answer_to(server.url, b"GET /health HTTP/1.1\r\nX: " + b"a" * 200_000)[:12] in (b"HTTP/1.1 400", b"")
    assert _answer_to(server.url, b"GET /health HTTP/1.1\r\nX: " + b"a" * 20_000 + ENDED).startswith(b"HTTP/1.1 200")

    assert server.end() == 0
    assert not (vault.data / "control.sock").exists()
    assert not (vault.data / "vault.db-wal").exists()
    assert "vault_stopping" in server.log.read_text()
    _check_all_signed(vault.data, entries=5)


def _answer_to(url: str, request: bytes) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=15) as connection:
        try:
            connection.sendall(request)
            return connection.recv(65536)
        except ConnectionError:  # closed while we were still sending
            return b""


def _check_all_signed(data: Path, entries: int) -> None:
    settings = Settings.load(data_dir=data)
    (cell,) = read_cells(settings.high_water)
    assert cell.tree_size == entries
    with frozen_view(settings) as connection:
        (tenant,) = [row[0] for row in connection.exec_driver_sql("SELECT tenant_id FROM tenant")]
        assert load_checkpoints(connection, tenant, newest=1)[0].tree_size == entries


def test_killed_it_leaves_a_dead_socket_that_confuses_nobody(cli: Any, vault: Any, serve: Serve) -> None:
    first = serve(vault.data, checkpoint_interval="20")
    made = cli.run("keys", "create", "--data", vault.data, "--preset", "full", "--name", "a", "--json").json
    asked = first.ask("/request-clearance", made["api_key"], {"tool_name": "refund"})
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert stat.S_ISSOCK((vault.data / "control.sock").lstat().st_mode)

    stopped = cli.run("keys", "create", "--data", vault.data, "--preset", "full", "--name", "b", "--json").json
    second = serve(vault.data)
    assert second.ask(f"/clearance-status/{asked['request_id']}", made["api_key"])["status"] == "pending_review"
    assert second.ask("/ledger", stopped["api_key"])["entries"][0]["kind"] == "key.created"
    assert second.end(signal.SIGINT) == 0


def test_what_was_accepted_is_answered_after_sigterm(vault: Any, serve: Serve) -> None:
    server = serve(vault.data)
    address = urlsplit(server.url)
    body = b'{"tool_name": "refund"}'
    head = (
        f"POST /request-clearance HTTP/1.1\r\nHost: vault\r\nX-Vault-API-Key: {vault.printed['api_key']}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=15) as accepted:
        accepted.sendall(head.encode() + body[:10])
        server.ask("/health")  # by now the first half has arrived
        server.process.send_signal(signal.SIGTERM)
        _await_closed(address.hostname, address.port)
        accepted.sendall(body[10:])
        answer = b"".join(iter(lambda: accepted.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"pending_review" in answer
    assert b"server:" not in answer.lower()
    assert server.ended() == 0
    _check_all_signed(vault.data, entries=3)


def _await_closed(host: str | None, port: int | None) -> None:
    while True:
        try:
            socket.create_connection((host or "", port or 0), timeout=15).close()
        except OSError:
            return


def test_a_port_that_is_taken(vault: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartRefused, match=f"can't listen on 127.0.0.1, port {port}: Address already in use"):
            serve_until_told(Settings.load(data_dir=vault.data, port=port), print)


def test_an_address_that_is_not_ours(vault: Any) -> None:
    with pytest.raises(StartRefused, match=r"can't listen on host\.invalid"):
        serve_until_told(Settings.load(data_dir=vault.data, host="host.invalid"), print)


def test_an_old_database_copied_over_a_newer_one_is_refused(cli: Any, vault: Any) -> None:
    settings = Settings.load(data_dir=vault.data)
    ask(settings, "keys.create", {"name": "a", "preset": "full"})
    shutil.copy(vault.data / "vault.db", vault.data.parent / "old.db")
    ask(settings, "keys.create", {"name": "b", "preset": "full"})

    shutil.copy(vault.data.parent / "old.db", vault.data / "vault.db")
    for name in ("vault.db-wal", "vault.db-shm"):
        (vault.data / name).unlink(missing_ok=True)
    refusal = cli.run("serve", "--data", vault.data, "--port", "0").refusal()
    assert "The ledger of tenant acme has 3 events, but a checkpoint over 4 was signed." in refusal
    assert "ledgix-vault recover" in refusal

    done = cli.run("recover", "--data", vault.data, "--accept-loss", "--reason", "test", "--json").json
    assert [log["lost_tree_size"] for log in done["recovered"]] == [4]
    with open_vault(settings):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_of_somebody_else(cli: Any, vault: Any) -> None:
    vault.data.chmod(0o500)
    try:
        assert "can't be locked" in cli.run("serve", "--data", vault.data, "--port", "0").refusal()
    finally:
        vault.data.chmod(0o700)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)
