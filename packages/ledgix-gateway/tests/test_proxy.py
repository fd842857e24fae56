"""What an approved call looks like to the tool, to the caller and to the Vault."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway_testing import ARGUMENTS, BODY, JSON, REFUND, RunningGateway, code, outcome_of

from running_vault import eventually


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_an_approved_call_goes_through_once(gateway: RunningGateway) -> None:
    token = gateway.token()
    answer = gateway.refund(token)
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}'), answer.text
    assert answer.headers["x-ledgix-outcome"] == "delivered"
    (seen,) = gateway.tool.seen
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", REFUND.encode(), b"", BODY)
    again = gateway.refund(token)
    assert (again.status_code, code(again)) == (409, "token_already_consumed")
    assert len(gateway.tool.seen) == 1


def test_the_bytes_are_forwarded_as_they_came(gateway: RunningGateway) -> None:
    """Numbers go by value: another spelling of the approved call is the approved call, and the tool sees that one."""
    body = b'{ "amount" : 4.5e1 }\n'
    assert gateway.refund(gateway.token(), body).status_code == 200
    assert gateway.tool.seen[0].body == body


def test_the_tool_sees_no_token_and_the_agent_no_credential(gateway: RunningGateway) -> None:
    token = gateway.token()
    forged = {"X-Ledgix-Request-Id": "forged", "X-Forwarded-For": "6.6.6.6", "Connection": "X-A"}
    answer = gateway.refund(token, **forged)
    (seen,) = gateway.tool.seen
    assert seen.header("Authorization") == ["Bearer the-tools-own-key"]
    assert token not in repr(seen)
    request_id = gateway.until_ended(1)[0].request_id
    assert seen.header("X-Ledgix-Request-Id") == [request_id]
    assert answer.headers["x-ledgix-request-id"] == request_id
    assert seen.header("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.header("X-Forwarded-Host") == [f"127.0.0.1:{gateway.port}"]
    assert seen.header("Host") == [gateway.tool.url.removeprefix("http://")]
    assert "the-tools-own-key" not in str(answer.headers)


@pytest.mark.parametrize("header", ["X-Ledgix-Token", "x-ledgix-token"])
def test_the_other_place_for_a_token(gateway: RunningGateway, header: str) -> None:
    """An Authorization of another scheme is the tool's affair, but the tool's own credential replaces it."""
    answer = gateway.send(
        "POST", REFUND, content=BODY, headers={**JSON, header: gateway.token(), "Authorization": "Basic eDp5"}
    )
    assert answer.status_code == 200
    assert gateway.tool.seen[0].header("Authorization") == ["Bearer the-tools-own-key"]
    assert gateway.tool.seen[0].header("X-Ledgix-Token") == []


def test_a_configured_place_for_a_token(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(token={"headers": ["X-Approval"]}, payments={"headers": {}})
    headers = {**JSON, "X-Approval": gateway.token(), "Authorization": "Bearer of-the-caller"}
    assert gateway.send("POST", REFUND, content=BODY, headers=headers).status_code == 200
    assert gateway.tool.seen[0].header("Authorization") == ["Bearer of-the-caller"]
    assert gateway.tool.seen[0].header("X-Approval") == []


def test_arguments_from_query_and_header(gateway: RunningGateway) -> None:
    token = gateway.token("read_charges", {"limit": 5, "tag": ["b", "a"], "account": "acct_1", "q": "a b&c"})
    headers = {"Authorization": f"Bearer {token}", "X-Account": "acct_1"}
    path = "/v1/charges?limit=5&tag=b&tag=a&q=a+b%26c"
    assert gateway.send("GET", path, headers=headers).status_code == 200
    assert gateway.tool.seen[0].query == b"limit=5&tag=b&tag=a&q=a+b%26c"


def test_an_open_route_needs_no_token_and_gets_no_credential(gateway: RunningGateway) -> None:
    answer = gateway.send("GET", "/healthz", headers={"Authorization": f"Bearer {gateway.token()}"})
    assert answer.status_code == 200
    assert gateway.tool.seen[0].header("Authorization") == []
    gateway.until_idle()
    assert gateway.ended[0].verdict == "open"


def test_answers_come_as_the_tool_gave_them(gateway: RunningGateway) -> None:
    gateway.tool.status = 404
    gateway.tool.answer = b"\x00\xff" * 500_000
    gateway.tool.headers = [
        (b"content-type", b"application/octet-stream"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-ledgix-request-id", b"forged"),
        (b"keep-alive", b"timeout=5"),
        (b"content-encoding", b"gzip"),
        (b"content-security-policy", b"x" * 20_000),
    ]
    with gateway_stream(gateway) as (status, headers, body):
        assert status == 404
        assert body == gateway.tool.answer
        assert headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert headers.get_list("x-ledgix-request-id") == [gateway.until_ended(1)[0].request_id]
        assert "keep-alive" not in headers


def gateway_stream(gateway: RunningGateway) -> Any:
    from contextlib import contextmanager

    import httpx2

    @contextmanager
    def stream() -> Any:
        headers = {**JSON, "Authorization": f"Bearer {gateway.token()}"}
        with httpx2.stream("POST", gateway.url + REFUND, content=BODY, headers=headers) as response:
            yield response.status_code, response.headers, b"".join(response.iter_raw())

    return stream()


def test_redirects_are_answers(gateway: RunningGateway) -> None:
    gateway.tool.status, gateway.tool.headers = 307, [(b"location", b"http://127.0.0.1:1/elsewhere")]
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, answer.headers["x-ledgix-outcome"]) == (307, "delivered")
    assert len(gateway.tool.seen) == 1


def test_expect_100_continue(gateway: RunningGateway) -> None:
    """The body is asked for once the token is good, and not at all if it isn't."""
    import socket

    def head(token: str) -> bytes:
        lines = [f"POST {REFUND} HTTP/1.1", "Host: x", *(f"{n}: {v}" for n, v in JSON.items()), "Content-Length: 13"]
        lines += [f"Authorization: Bearer {token}", "Expect: 100-continue", "Connection: close"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(head(gateway.token()))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(BODY)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    answer = gateway.raw(head("x"))
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"100 Continue" not in answer


# Streamed bodies


def test_a_streamed_body_goes_through(gateway: RunningGateway) -> None:
    body = b"0123456789abcdef" * 100_000  # 1.6 MB: more than is read whole
    token = gateway.token("upload", {"name": "a.bin", "content_digest": digest(body)})
    headers = {"Authorization": f"Bearer {token}", "Content-Digest": digest(body)}
    chunks = (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    assert gateway.send("PUT", "/v1/files/a.bin", content=chunks, headers=headers).status_code == 200
    assert gateway.tool.seen[0].body == body
    assert gateway.tool.seen[0].header("Content-Digest") == [digest(body)]


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_of_a_streamed_body_that_is_another_the_tool_sees_no_whole_request(
    gateway: RunningGateway, framing: str
) -> None:
    approved = b"0123456789abcdef" * 100_000
    body = approved[:-1] + b"X"
    token = gateway.token("upload", {"name": "a.bin", "content_digest": digest(approved)})
    headers = {"Authorization": f"Bearer {token}", "Content-Digest": digest(approved)}
    content: Any = body if framing == "length" else (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    answer = gateway.send("PUT", "/v1/files/a.bin", content=content, headers=headers)
    assert (answer.status_code, code(answer)) == (502, "token_spent")
    assert "isn't the approved one" in answer.json()["detail"]
    gateway.until_idle()
    assert gateway.ended[0].code == "content_digest_mismatch"
    eventually(lambda: gateway.tool.begun == 1)
    assert gateway.tool.seen == []
    assert outcome_of(gateway, gateway.ended[0].request_id) == "unknown"


# What the Vault is told


OUTCOMES = [(200, "delivered"), (302, "delivered"), (404, "delivered"), (409, "refused"), (500, "unknown")]


@pytest.mark.parametrize(("status", "outcome"), OUTCOMES)
def test_the_outcome_is_in_the_ledger(new_gateway: Callable[..., RunningGateway], status: int, outcome: str) -> None:
    gateway = new_gateway(payments={"refused_statuses": [409]})
    gateway.tool.status = status
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, answer.headers["x-ledgix-outcome"]) == (status, outcome)
    assert outcome_of(gateway, answer.headers["x-ledgix-request-id"]) == outcome


def test_every_request_ends_in_one_record_without_secrets(gateway: RunningGateway) -> None:
    token = gateway.token()
    gateway.refund(token)
    gateway.refund(token)
    gateway.send("GET", "/nowhere")
    gateway.until_idle()
    assert [(ended.verdict, ended.status, ended.code) for ended in gateway.ended] == [
        ("forwarded", 200, ""),
        ("refused", 409, "token_already_consumed"),
        ("refused", 403, "route_unmapped"),
    ]
    assert gateway.ended[0].route == "POST /v1/charges/{charge_id}/refunds"
    assert gateway.ended[0].agent_id == "default-agent"
    said = json.dumps([str(ended) for ended in gateway.ended])
    assert token not in said
    assert "ch_1" not in said
    assert str(ARGUMENTS["amount"]) not in [ended.detail for ended in gateway.ended]
