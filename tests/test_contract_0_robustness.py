"""Whatever is sent, the answer is an orderly one: no 5xx, no stack trace, and the Vault goes on."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from running_vault import RunningVault, Tenant, succeeded

NUL = "\0"
NASTY_IDS = [
    "x",
    "%00",
    "%2e%2e%2fetc%2fpasswd",
    "a%2fb",
    "%ff%fe",
    "%F0%9F%8E%89",
    "%23fragment",
    "%3Fquery",
    "'%20OR%201=1--",
    "%",
    "%zz",
    "0" * 5000,
    "..",
    "%E2%80%AE",
    "%0d%0aX-Injected:%201",
]
BODIES = [
    b"",
    b"\x00",
    b"\xff\xfe{}",
    bytes(range(256)),
    b"\xef\xbb\xbf{}",
    b"{" * 100_000,
    b"[" * 33,
    b'{"a":' * 40 + b"1" + b"}" * 40,
    b'"\\ud800"',
    b'{"tool_name":"x","tool_name":"x"}',
    b'{"tool_name":"\\ud800"}',
    b'{"\\ud800":1}',
    b'{"tool_name":"x","tool_args":{"\\ud83d":1}}',
    b'{"tool_name":"x","tool_args":{"n":' + b"9" * 50_000 + b"}}",
    b'{"tool_name":"x","tool_args":{"n":1e' + b"9" * 5_000 + b"}}",
    b'{"tool_name":"x","tool_args":{"n":0.' + b"1" * 50_000 + b"}}",
    b"null",
    b"1e999",
    b"NaN",
    b'{"policy_id":{},"token":[],"approved":"yes","type":7}',
]
POSTS = ["/request-clearance", "/mint-token", "/consume-token", "/register-policy", "/reviews/x/decision"]


def orderly(response: object) -> None:
    status, text = response.status_code, response.text  # type: ignore[attr-defined]
    assert status < 500, f"{status} {text[:500]}"
    for trace in ("Traceback", 'File "', "sqlalchemy", "Exception"):
        assert trace not in text
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]


def raw(vault: RunningVault, request: bytes, *, hang_up: bool = False) -> bytes:
    """Everything that comes back for these bytes, until the Vault closes the connection."""
    with closing(socket.create_connection(("127.0.0.1", vault.port), timeout=10)) as line:
        line.sendall(request)
        if hang_up:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while part := line.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize("path", POSTS)
def test_bodies(module_tenant: Tenant, path: str) -> None:
    for body in BODIES:
        orderly(module_tenant.full.post(path, body))
        orderly(module_tenant.full.send("PUT", "/review-settings", content=body))
        orderly(module_tenant.full.send("PUT", "/tool-schemas/x", content=body))
    assert succeeded(module_tenant.full.get("/ready"))


@pytest.mark.parametrize("identifier", NASTY_IDS)
def test_ids_in_paths_and_queries(module_tenant: Tenant, identifier: str) -> None:
    for path in (
        f"/clearance-status/{identifier}",
        f"/tool-schemas/{identifier}",
        f"/ledger/proof/inclusion?request_id={identifier}",
        f"/ledger/proof/bundle?event_uuid={identifier}",
        f"/ledger/proof/consistency?from={identifier}&to=1",
        f"/reviews?cursor={identifier}",
        f"/reviews?status={identifier}",
        f"/ledger?limit={identifier}",
        f"/{identifier}",
    ):
        response = module_tenant.full.get(path)
        orderly(response)
        assert "x-injected" not in response.headers
    orderly(module_tenant.full.post(f"/reviews/{identifier}/decision", {"approved": True}))
    orderly(module_tenant.full.send("PUT", f"/tool-schemas/{identifier}", json={"type": "object"}))


def test_an_id_with_something_after_it_is_another_id(tenant: Tenant) -> None:
    request_id = tenant.agent.ask("x")["request_id"]
    for after in ("%23", "%3F", "%2F", "%20", "/"):
        assert tenant.agent.get(f"/clearance-status/{request_id}{after}").status_code == 404


def test_strings_with_nul_and_everything_else_are_kept(tenant: Tenant) -> None:
    """In names, arguments and reasons; and in the ledger they are what was sent."""
    text = NUL + "\x01\x7f\u2028\u202e🎉'\"\\</script>"
    asked = tenant.agent.ask(
        text,
        {text: text},
        agent_id=text,
        session_id=text,
        human_principal=text,
        purpose=text,
        context={"facts": {text: 1}},
    )
    assert succeeded(tenant.reviewer.decide(asked["request_id"], approved=True, reason=text))["reason"] == text
    token = tenant.agent.status(asked["request_id"])["token"]
    assert succeeded(tenant.gateway.consume(token, tool_name=text, tool_args={text: text}))["claims"]["tool"] == text
    (entry,) = tenant.events("review.decided")
    assert (entry["tool_name"], entry["tool_args"], entry["reason"]) == (text, {text: text}, text)
    (review,) = tenant.reviewer.read("/reviews", status="approved")["reviews"]
    assert review["review_reason"] == text
    orderly(
        tenant.full.post("/register-policy", {"policy_id": "p", "rules": [text], "tools": [text], "description": text})
    )
    orderly(tenant.full.post("/register-policy", {"policy_id": text}))
    assert tenant.full.read("/ledger/verify")["intact"]


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Vault-API-Key", "Content-Type", "Host"])
@pytest.mark.parametrize("value", [b"[", b"\xff\xfe", b"a" * 300, b"a" * 20_000, b"//", b"\x7f", b"x\ty", b"a:b@[::1"])
def test_headers(module_tenant: Tenant, name: str, value: bytes) -> None:
    headers = {
        b"Host": b"x",
        b"X-Vault-API-Key": module_tenant.full.secret.encode(),
        b"Content-Length": b"17",
        b"Connection": b"close",
        name.encode(): value,
    }
    lines = b"\r\n".join(name + b": " + value for name, value in headers.items())
    for path in (b"/request-clearance", b"/register-policy"):
        answer = raw(
            module_tenant.vault, b"POST " + path + b" HTTP/1.1\r\n" + lines + b"\r\n\r\n" + b'{"tool_name":"x"}'
        )
        assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), answer[:300]
        assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /\xff\xfe HTTP/1.1",
        b"GET http://[ HTTP/1.1",
        b"GET // HTTP/1.1",
        b"GET /ledger\x00 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"TRACE /ledger HTTP/1.1",
        b"CONNECT x:1 HTTP/1.1",
        b"BREW /pot HTTP/1.1",
        b"GET " + b"/x" * 40_000 + b" HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
        b"HEAD /ledger HTTP/1.1",
    ],
)
def test_request_lines(module_tenant: Tenant, request_line: bytes) -> None:
    answer = raw(module_tenant.vault, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert b"Traceback" not in answer
    assert module_tenant.vault.http.get("/ready").status_code == 200


def test_bodies_that_end_early_or_lie_about_their_length(vault: RunningVault, tenant: Tenant) -> None:
    key = f"Host: x\r\nX-Vault-API-Key: {tenant.full.secret}\r\n".encode()
    for rest in (
        b'Content-Length: 500\r\n\r\n{"tool_name":',
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ):
        for path in (b"/request-clearance", b"/register-policy"):
            answer = raw(vault, b"POST " + path + b" HTTP/1.1\r\n" + key + rest, hang_up=True)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert vault.http.get("/ready").status_code == 200
    assert "Traceback" not in vault.log()


def test_methods(vault: RunningVault, tenant: Tenant) -> None:
    for path in ("/ledger", "/request-clearance", "/reviews", "/health", "/docs", "/nothing", "/tool-schemas/x"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            orderly(tenant.full.send(method, path))
