"""When something fails: the Vault, the tool, or the way between. Never forwarded unchecked, never spent in silence."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace

from gateway_testing import (
    ARGUMENTS,
    BODY,
    JSON,
    REFUND,
    TOOL,
    RunningGateway,
    Tool,
    code,
    outcome_of,
    running_gateway,
)

from ledgix.client import AsyncLedgix, OutcomeReport, OutcomeToReport, ReportedOutcome
from ledgix.client.errors import VaultError, VaultRefused
from ledgix.client.flow import NoReply, Reply, Request
from ledgix_gateway.outcomes import Report
from ledgix_gateway.vault import Vault
from ledgix_gateway.vault_connection import VaultConnection
from running_vault import RunningVault, Tenant, eventually


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_vault_that_is_away(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(vault={"url": f"http://127.0.0.1:{closed_port()}", "retries": 0})
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (503, "vault_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert gateway.tool.begun == 0


def test_a_vault_that_goes_away_after_its_keys_were_fetched(
    new_gateway: Callable[..., RunningGateway], vault_and_tenants: tuple[RunningVault, list[Tenant]]
) -> None:
    """Signatures can be checked, tokens can't be burned: nothing goes through."""
    vault = vault_and_tenants[0]
    gateway = new_gateway(vault={"retries": 0})
    assert gateway.refund(gateway.token()).status_code == 200
    tokens = [gateway.token(), gateway.token()]
    vault.kill()
    try:
        answer = gateway.refund(tokens[0])
        assert (answer.status_code, code(answer)) == (503, "vault_unavailable")
        altered = gateway.refund(tokens[1], b'{"amount":46}')
        assert (altered.status_code, code(altered)) == (403, "token_args_mismatch")
        assert len(gateway.tool.seen) == 1
    finally:
        vault.start()
    assert gateway.refund(tokens[1]).status_code == 200


def test_outcomes_wait_for_a_vault_that_is_away(
    new_gateway: Callable[..., RunningGateway], vault_and_tenants: tuple[RunningVault, list[Tenant]]
) -> None:
    vault = vault_and_tenants[0]
    gateway = new_gateway(vault={"retries": 0})
    token = gateway.token()

    gateway.tool.before_answer = vault.kill
    answer = gateway.refund(token)
    gateway.tool.before_answer = None
    try:
        assert answer.status_code == 200
        outcomes = gateway.current.gateway.outcomes
        assert (outcomes.recorded, outcomes.lost) == (0, 0)
    finally:
        vault.start()
    assert outcome_of(gateway, answer.headers["x-ledgix-request-id"]) == "delivered"
    assert (outcomes.recorded, outcomes.lost) == (1, 0)


def test_outcomes_that_come_together_are_each_recorded(gateway: RunningGateway) -> None:
    """One that the Vault refuses is lost, and takes none of the others along."""
    approved = [gateway.tenant.agent.ask(TOOL, ARGUMENTS) for _ in range(5)]
    jtis = [gateway.tenant.gateway.consume(each["token"]).json()["jti"] for each in approved]
    outcomes = gateway.current.gateway.outcomes
    recorded, lost = outcomes.recorded, outcomes.lost
    reports = [Report(jti, "", ReportedOutcome.DELIVERED, "the tool answered 200") for jti in (*jtis, "nobody's")]
    gateway.loop.call_soon_threadsafe(lambda: [outcomes.report(each) for each in reports])
    eventually(lambda: (outcomes.recorded, outcomes.lost) == (recorded + 5, lost + 1))
    assert outcomes.waiting == 0
    assert [outcome_of(gateway, each["request_id"]) for each in approved] == ["delivered"] * 5


def test_an_older_vault_gets_outcomes_one_by_one(gateway: RunningGateway) -> None:
    approved = [gateway.tenant.agent.ask(TOOL, ARGUMENTS) for _ in range(2)]
    jtis = [gateway.tenant.gateway.consume(each["token"]).json()["jti"] for each in approved]
    told = [OutcomeToReport("delivered", jti=jti) for jti in (*jtis, "nobody's")]
    config = gateway.current.gateway.config.vault

    async def report() -> Sequence[OutcomeReport | VaultError]:
        connection = VaultConnection(config.url, config.timeout_seconds)

        async def older(request: Request) -> Reply | NoReply:
            return await connection.send(replace(request, path=request.path.replace("/outcomes/batch", "/unknown")))

        async with aclosing(connection), AsyncLedgix(config.client_settings(), send=older) as client:
            return await Vault(client, config.keys_seconds).report(told)

    *recorded, refused = asyncio.run(report())
    assert [each.outcome for each in recorded if isinstance(each, OutcomeReport)] == ["delivered"] * 2
    assert isinstance(refused, VaultRefused)


def test_a_key_that_may_not_consume(tenant: Tenant, tool: Tool, tmp_path: object) -> None:
    with running_gateway(tenant, tool, tmp_path, key="auditor") as gateway:  # type: ignore[arg-type]
        answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (503, "vault_refused_gateway")
    assert tool.begun == 0


def test_a_tool_that_is_away(new_gateway: Callable[..., RunningGateway]) -> None:
    """No connection: the answer says that the token is spent, and the ledger that nothing was done."""
    gateway = new_gateway(payments={"url": f"http://127.0.0.1:{closed_port()}"})
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (502, "token_spent")
    said = answer.json()
    assert "token is spent" in said["detail"]
    assert "seen nothing" in said["detail"]
    assert outcome_of(gateway, said["request_id"]) == "refused"


def test_the_circuit_breaker_opens_before_tokens_are_burned(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(payments={"url": f"http://127.0.0.1:{closed_port()}", "failures": 2, "rest_seconds": 60})
    for _ in range(2):
        assert code(gateway.refund(gateway.token())) == "token_spent"
    token = gateway.token()
    answer = gateway.refund(token)
    assert (answer.status_code, code(answer)) == (503, "upstream_unavailable")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert gateway.tenant.gateway.consume(token).status_code == 200  # it is still good


def test_a_tool_that_stands_still(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(payments={"timeout_seconds": 0.3})
    gateway.tool.stands_still = True
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (504, "token_spent")
    assert "Nobody knows" in answer.json()["detail"]
    assert outcome_of(gateway, answer.json()["request_id"]) == "unknown"
    assert len(gateway.tool.seen) == 1


def test_an_answer_that_breaks_off(gateway: RunningGateway) -> None:
    """The tool has answered, so the call was delivered; the caller sees that the answer isn't whole."""
    gateway.tool.breaks_off = True
    raw = [f"POST {REFUND} HTTP/1.1", "Host: x", f"Content-Length: {len(BODY)}"]
    raw.append(f"Authorization: Bearer {gateway.token()}")
    answer = gateway.raw("\r\n".join([*raw, *(f"{n}: {v}" for n, v in JSON.items())]).encode() + b"\r\n\r\n" + BODY)
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n")
    gateway.until_idle()
    assert gateway.ended[0].verdict == "failed"
    assert outcome_of(gateway, gateway.ended[0].request_id) == "delivered"


@contextmanager
def answering_once_on_each_connection() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps a connection open, and hangs up when a second request comes on it."""
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                for _ in range(2):
                    if not (request := connection.recv(65536)):
                        break
                    received.append(request)
                    if len(received) == 1:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_method_that_is_harmless_is_not_sent_twice(new_gateway: Callable[..., RunningGateway]) -> None:
    """A kept connection breaks: nothing is sent again by itself, not even a GET. A token is for one call."""
    with answering_once_on_each_connection() as (url, received):
        gateway = new_gateway(payments={"url": url, "idle_seconds": 60})
        for expected in (200, 502):
            token = gateway.token("read_charges", {})
            answer = gateway.send("GET", "/v1/charges", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == expected
        assert code(answer) == "token_spent"
        assert len(received) == 2


def test_more_calls_than_a_tool_may_have(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(payments={"calls": 1, "timeout_seconds": 5})
    gateway.tool.stands_still = True
    first = threading.Thread(target=lambda: gateway.refund(gateway.token()))
    first.start()
    eventually(lambda: gateway.tool.seen)
    token = gateway.token()
    answer = gateway.refund(token)
    gateway.tool.release()
    first.join()
    assert (answer.status_code, code(answer)) == (503, "upstream_unavailable")
    assert gateway.tenant.gateway.consume(token).status_code == 200
