"""What was acknowledged is there, whenever the process dies; and who is told to stop answers what it has accepted."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.tree import verify_consistency
from running_vault import EXECUTABLE, RunningVault, Tenant, eventually
from wire import MEDIUM, REPLAYED, SMALL, TOOL

KILLS = 4
WORKERS = 4
LIVED = (5, 45)  # after so many further answers the Vault is killed

FreshVault = Callable[..., tuple[RunningVault, list[Tenant]]]


@dataclass
class Load:
    """Clients that ask, retry with the same Idempotency-Key until they have an answer, and remember it."""

    tenant: Tenant
    before: int  # decisions that were made without it
    up: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    answered: dict[str, tuple[dict[str, Any], httpx2.Response]] = field(default_factory=dict)
    consumed: dict[str, httpx2.Response] = field(default_factory=dict)
    newest: dict[str, Any] | None = None  # the newest checkpoint that anybody saw

    def ask(self, worker: int) -> None:
        """One client's life."""
        chance = random.Random(worker)
        number = 0
        while not self.over.is_set():
            number += 1
            once = f"{worker}-{number}"
            body = {"tool_name": TOOL, "tool_args": chance.choice([SMALL, SMALL, MEDIUM, {"amount": number}])}
            answer = self._persist(lambda body=body, once=once: self._post("/request-clearance", body, once))
            self.answered[once] = (body, answer)
            if (token := answer.json()["token"]) and chance.random() < 0.3:
                use = {"token": token}
                self.consumed[once] = self._persist(lambda use=use, once=once: self._post("/consume-token", use, once))

    def watch(self) -> None:
        """Looks at the newest checkpoint all the time."""
        while not self.over.is_set():
            found = self._persist(lambda: self.tenant.agent.get("/ledger/checkpoints", limit=1))
            if checkpoints := found.json()["checkpoints"]:
                self.newest = checkpoints[0]

    def _post(self, path: str, body: dict[str, Any], once: str) -> httpx2.Response:
        return self.tenant.full.post(path, body, once=once)

    def _persist(self, send: Callable[[], httpx2.Response]) -> httpx2.Response:
        while True:
            assert self.up.wait(30)
            try:
                response = send()
            except httpx2.TransportError:
                continue
            if response.status_code != 503:
                assert response.status_code == 200, response.text
                return response


def proves_that_it_contains(tenant: Tenant, seen: dict[str, Any]) -> None:
    """The log of now is an extension of the one that `seen` signed."""
    old = Checkpoint.from_json(seen)
    newest = Checkpoint.from_json(tenant.agent.read("/ledger/checkpoints", limit=1)["checkpoints"][0])
    proof = tenant.agent.read("/ledger/proof/consistency", **{"from": old.checkpoint_id, "to": newest.checkpoint_id})
    assert proof["from_checkpoint"] == seen
    path = [bytes.fromhex(each) for each in proof["path"]]
    roots = (bytes.fromhex(old.root_hash), bytes.fromhex(newest.root_hash))
    verify_consistency(old.tree_size, newest.tree_size, *roots, path)


def test_kill_9_in_a_loop(fresh_vault: FreshVault) -> None:
    vault, (tenant,) = fresh_vault(checkpoint_interval=0.1)
    tenant.register_refunds()
    tenant.set_reviews(review_expiry_seconds=4321)
    left = leave_waiting(tenant)
    before = len(tenant.events("clearance.decided"))
    load, chance = Load(tenant, before), random.Random(7)
    clients = [threading.Thread(target=load.ask, args=(i,)) for i in range(WORKERS)]
    for thread in (clients := [*clients, threading.Thread(target=load.watch)]):
        thread.start()
    try:
        for _ in range(KILLS):
            load.up.set()
            enough = len(load.answered) + chance.randint(*LIVED)
            eventually(lambda enough=enough: len(load.answered) >= enough)
            vault.kill()
            load.up.clear()
            vault.start()
            if load.newest is not None:
                proves_that_it_contains(tenant, load.newest)
    finally:
        load.over.set()
        load.up.set()
        for thread in clients:
            thread.join(30)
    assert load.newest is not None
    proves_that_it_contains(tenant, load.newest)
    everything_is_there(tenant, load)
    nothing_is_forgotten(tenant, *left)
    vault.stop()
    command = [EXECUTABLE, "check", "--data", str(vault.data)]
    check = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def everything_is_there(tenant: Tenant, load: Load) -> None:
    entries = tenant.entries()
    verified = tenant.full.read("/ledger/verify")
    assert (verified["intact"], verified["verified_entries"]) == (True, len(entries)), "the list is the whole log"
    decided = [entry["request_id"] for entry in entries if entry["kind"] == "clearance.decided"][: -load.before]
    burned = [entry["request_id"] for entry in entries if entry["kind"] == "token.consumed"]
    asked = {once: answer.json()["request_id"] for once, (_, answer) in load.answered.items()}
    assert len(asked) >= KILLS * LIVED[0]
    assert sorted(decided) == sorted(asked.values()), "exactly one decision for each key, answered at once or later"
    assert sorted(burned) == sorted(asked[once] for once in load.consumed)
    for once, (body, answer) in load.answered.items():
        now = tenant.full.status(asked[once])
        if once in load.consumed:
            assert (now["status"], now["reason_code"]) == ("denied", "approval_used")
            again = tenant.full.post("/consume-token", {"token": answer.json()["token"]}, once=once)
            assert again.content == load.consumed[once].content
        else:
            assert now == answer.json()  # the token's bytes included
            again = tenant.full.post("/request-clearance", body, once=once)
            assert again.content == answer.content
        assert again.headers[REPLAYED] == "true"
    assert len(tenant.entries()) == len(entries)


def test_sigterm_answers_what_was_accepted(fresh_vault: FreshVault) -> None:
    """Requests whose bodies are on their way when it comes; afterwards nothing new is accepted."""
    vault, (tenant,) = fresh_vault()
    tenant.register_refunds()
    tenant.set_reviews(review_expiry_seconds=4321)
    left = leave_waiting(tenant)
    lines = [half_a_request(vault, tenant) for _ in range(8)]
    vault.signal(signal.SIGTERM)
    eventually(lambda: refuses_connections(vault))
    answers = [finish(line) for line in lines]
    assert vault.wait() == 0, vault.log()
    vault.start()
    for answer in answers:
        assert tenant.agent.status(answer["request_id"]) == answer
    entries = tenant.entries()
    assert tenant.full.read("/ledger/verify")["verified_entries"] == len(entries)
    assert all(entry["checkpoint_id"] is not None for entry in entries), "what was unsigned is signed at the end"
    nothing_is_forgotten(tenant, *left)


BODY = b'{"tool_name":"stripe_refund","tool_args":{"amount":45}}'


def half_a_request(vault: RunningVault, tenant: Tenant) -> socket.socket:
    """A request that the Vault has begun to handle: it said that it waits for the body."""
    line = socket.create_connection(("127.0.0.1", vault.port), timeout=10)
    head = (
        "POST /request-clearance HTTP/1.1",
        "Host: x",
        f"X-Vault-API-Key: {tenant.agent.secret}",
        "Expect: 100-continue",
    )
    line.sendall("\r\n".join([*head, f"Content-Length: {len(BODY)}", "", ""]).encode())
    assert line.recv(1000).startswith(b"HTTP/1.1 100")
    return line


def finish(line: socket.socket) -> dict[str, Any]:
    with line:
        line.sendall(BODY)
        received = b""
        while part := line.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), received
    found: dict[str, Any] = json.loads(body)
    return found


def refuses_connections(vault: RunningVault) -> bool:
    try:
        socket.create_connection(("127.0.0.1", vault.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def leave_waiting(tenant: Tenant) -> tuple[str, str]:
    """A pending review, and an approval that nobody has fetched."""
    waiting, approved = (tenant.agent.ask(TOOL, MEDIUM)["request_id"] for _ in range(2))
    assert tenant.reviewer.decide(approved, approved=True).status_code == 200
    return waiting, approved


def nothing_is_forgotten(tenant: Tenant, waiting: str, approved: str) -> None:
    """Nor policies, keys and settings."""
    assert tenant.gateway.consume(tenant.agent.status(approved)["token"]).status_code == 200
    assert tenant.reviewer.decide(waiting, approved=True).status_code == 200
    assert tenant.agent.status(waiting)["token"]
    assert tenant.agent.ask(TOOL, SMALL)["status"] == "approved"
    assert tenant.full.read("/review-settings")["review_expiry_seconds"] == 4321
    assert tenant.revoked.get("/ledger").status_code == 401
