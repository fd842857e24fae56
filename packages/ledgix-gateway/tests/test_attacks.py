"""The attack corpus: each attack is refused with its code, and the tool, which counts, has seen nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from gateway_testing import ARGUMENTS, BODY, JSON, REFUND, TOOL, RunningGateway, code, raw_code

from ledgix.formats.keys import PrivateKey, b64url, unb64url
from ledgix.formats.tokens import TokenClaims, issue
from running_vault import Tenant


@pytest.fixture(autouse=True)
def _nothing_reaches_the_tool(gateway: RunningGateway) -> Any:
    yield
    gateway.until_idle()
    allowed = {ended.request_id for ended in gateway.ended if ended.verdict == "forwarded"}
    assert len(gateway.tool.seen) == gateway.tool.begun == len(allowed)


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    return json.loads(unb64url(header)), json.loads(unb64url(claims)), signature


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    return f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}.{signature}"


def forged_none(token: str, _: RunningGateway) -> str:
    header, claims, _signature = parts_of(token)
    return unsigned({**header, "alg": "none"}, claims)


def forged_hs256(token: str, gateway: RunningGateway) -> str:
    """HMAC with the public key as its secret: a verifier that believes `alg` accepts it."""
    header, claims, _signature = parts_of(token)
    jwk = gateway.tenant.agent.http.get("/.well-known/jwks.json").json()["keys"][0]
    body = unsigned({**header, "alg": "HS256"}, claims).rpartition(".")[0]
    mac = hmac.new(unb64url(jwk["x"]), body.encode(), hashlib.sha256).digest()
    return f"{body}.{b64url(mac)}"


def by_a_stranger(token: str, _: RunningGateway) -> str:
    """Well signed, by a key that the Vault doesn't list."""
    return issue(claims_of(token), PrivateKey.generate())


def by_a_stranger_with_our_kid(token: str, _: RunningGateway) -> str:
    body = token.rpartition(".")[0]
    return f"{body}.{b64url(PrivateKey.generate().sign(body.encode()))}"


def with_other_claims(token: str, _: RunningGateway) -> str:
    header, claims, signature = parts_of(token)
    return unsigned(header, {**claims, "exp": claims["exp"] + 3600}, signature)


def by_the_ledger_key(token: str, gateway: RunningGateway) -> str:
    """A key that the Vault lists, for something else than tokens: only its kid is known to us, the signature isn't."""
    keys = gateway.tenant.full.read("/.well-known/jwks.json")["keys"]
    tokens = {key["kid"] for key in gateway.tenant.agent.http.get("/.well-known/jwks.json").json()["keys"]}
    ledger = next(key["kid"] for key in keys if key["kid"] not in tokens)
    header, claims, signature = parts_of(token)
    return unsigned({**header, "kid": ledger}, claims, signature)


def with_a_second_spelling(token: str, _: RunningGateway) -> str:
    return token + "="


def claims_of(token: str) -> TokenClaims:
    claims = parts_of(token)[1]
    return TokenClaims(**{name: claims[name] for name in TokenClaims.__dataclass_fields__ if name in claims})


@pytest.mark.parametrize(
    "forge",
    [
        forged_none,
        forged_hs256,
        by_a_stranger,
        by_a_stranger_with_our_kid,
        with_other_claims,
        by_the_ledger_key,
        with_a_second_spelling,
        lambda token, _: "x",
        lambda token, _: "a.b.c",
    ],
)
def test_forged_tokens(gateway: RunningGateway, forge: Callable[[str, RunningGateway], str]) -> None:
    answer = gateway.refund(forge(gateway.token(), gateway))
    assert (answer.status_code, code(answer)) == (401, "token_invalid")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_replay(gateway: RunningGateway) -> None:
    token = gateway.token()
    assert gateway.refund(token).status_code == 200
    answers = [gateway.refund(token) for _ in range(3)]
    assert [(answer.status_code, code(answer)) for answer in answers] == [(409, "token_already_consumed")] * 3


def test_one_token_many_times_at_once(gateway: RunningGateway) -> None:
    token = gateway.token()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: gateway.refund(token).status_code, range(32)))
    assert sorted(answers) == [200] + [409] * 31


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount":46}',
        b'{"amount":"45"}',
        b'{"amount":45,"currency":"EUR"}',
        b"{}",
        b'{"Amount":45}',
        b'{"amount":45,"nested":{"amount":45}}',
    ],
)
def test_altered_arguments(gateway: RunningGateway, body: bytes) -> None:
    token = gateway.token()
    answer = gateway.refund(token, body)
    assert (answer.status_code, code(answer)) == (403, "token_args_mismatch")
    assert gateway.refund(token).status_code == 200  # a refusal burns nothing


def test_another_charge(gateway: RunningGateway) -> None:
    token = gateway.token()
    answer = gateway.send(
        "POST", "/v1/charges/ch_2/refunds", content=BODY, headers={**JSON, "Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, code(answer)) == (403, "token_args_mismatch")


def test_the_token_of_another_tool(gateway: RunningGateway) -> None:
    answer = gateway.refund(gateway.token("read_charges", ARGUMENTS))
    assert (answer.status_code, code(answer)) == (403, "token_tool_mismatch")


def test_the_token_of_another_tenant(gateway: RunningGateway, other_tenant: Tenant) -> None:
    token = other_tenant.agent.ask(TOOL, ARGUMENTS)["token"]
    answer = gateway.refund(token)
    assert (answer.status_code, code(answer)) == (401, "token_invalid")


def test_the_token_of_another_agent(gateway: RunningGateway) -> None:
    token = gateway.token("read_own", {}, agent_id="alice")
    for headers, expected in (({"X-Agent-Id": "bob"}, "token_agent_mismatch"), ({}, "token_agent_mismatch")):
        answer = gateway.send("GET", "/v1/own", headers={"Authorization": f"Bearer {token}", **headers})
        assert (answer.status_code, code(answer)) == (403, expected)
    accepted = gateway.send("GET", "/v1/own", headers={"Authorization": f"Bearer {token}", "X-Agent-Id": "alice"})
    assert accepted.status_code == 200


@pytest.mark.parametrize("written", ["Bearer  {}", "Bearer\t{}", "bearer", "Bearer {} x", "Bearer {},{}", "Bearer={}"])
def test_almost_a_bearer_token(gateway: RunningGateway, written: str) -> None:
    """Never taken for another scheme that would be passed on to the tool."""
    token = gateway.token()
    answer = gateway.refund(None, **{"Authorization": written.format(token, token), "X-Ledgix-Token": token})
    assert answer.status_code in (400, 401)
    assert code(answer) in ("token_invalid", "head_ambiguous")


def test_no_token(gateway: RunningGateway) -> None:
    answer = gateway.refund()
    assert (answer.status_code, code(answer)) == (401, "token_missing")


@pytest.mark.parametrize("second", ["X-Ledgix-Token", "Authorization"])
def test_two_tokens(gateway: RunningGateway, second: str) -> None:
    token = gateway.token()
    raw = request(headers=[f"Authorization: Bearer {token}", f"{second}: {'Bearer ' * (second[0] == 'A')}{token}"])
    status, said = raw_code(gateway.raw(raw))
    assert (status, said) == (400, "token_ambiguous" if second[0] == "X" else "head_ambiguous")


def test_a_suspended_agent(gateway: RunningGateway) -> None:
    token = gateway.token(agent_id="rogue")
    full = gateway.tenant.full
    assert full.post("/suspensions", {"kind": "agent", "subject": "rogue", "reason": "test"}).status_code in (200, 201)
    answer = gateway.refund(token)
    assert (answer.status_code, code(answer)) == (403, "suspended")


def test_a_cancelled_approval(gateway: RunningGateway) -> None:
    answer = gateway.tenant.agent.ask(TOOL, ARGUMENTS)
    assert gateway.tenant.agent.decide(answer["request_id"], approved=False).status_code == 200
    refused = gateway.refund(answer["token"])
    assert (refused.status_code, code(refused)) == (401, "token_invalid")


# Bodies


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"amount":45,"amount":45}', {}, (400, "body_invalid")),
        (b'{"amount":450,"amount":45}', {}, (400, "body_invalid")),
        (b'{"amount":45,"charge_id":"ch_1"}', {}, (400, "arguments_ambiguous")),
        (b'{"amount":45} {"amount":4500}', {}, (400, "body_invalid")),
        (b'\xef\xbb\xbf{"amount":45}', {}, (400, "body_invalid")),
        ('{"amount":45}'.encode("utf-16"), {}, (400, "body_invalid")),
        (b'{"amount":NaN}', {}, (400, "body_invalid")),
        (b'{"amount":45.000000000000001}', {}, (400, "body_invalid")),
        (b'{"amount":9007199254740993}', {}, (400, "body_invalid")),
        (b'{"a":"\\ud800"}', {}, (400, "body_invalid")),
        (b"[" * 100 + b"]" * 100, {}, (400, "body_invalid")),
        (b'{"a":' * 40 + b"1" + b"}" * 40, {}, (400, "body_invalid")),
        (b"[45]", {}, (400, "body_invalid")),
        (b"", {}, (400, "body_invalid")),
        (BODY, {"Content-Type": "text/plain"}, (415, "content_type_unexpected")),
        (BODY, {"Content-Type": "application/json; charset=utf-16"}, (415, "content_type_unexpected")),
        (BODY, {"Content-Type": "application/json; charset=utf-8; charset=utf-7"}, (415, "content_type_unexpected")),
        (BODY, {"Content-Type": "application/json, text/plain"}, (415, "content_type_unexpected")),
        (BODY, {"Content-Type": "multipart/form-data; boundary=x"}, (415, "content_type_unexpected")),
        (gzip.compress(BODY, mtime=0), {"Content-Encoding": "gzip"}, (415, "content_encoded")),
        (BODY, {"Content-Encoding": "identity"}, (415, "content_encoded")),
    ],
)
def test_bodies_with_two_readings(
    gateway: RunningGateway, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = gateway.refund(gateway.token(), body, **headers)
    assert (answer.status_code, code(answer)) == expected


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_ten_megabytes(gateway: RunningGateway, framing: str) -> None:
    body = b'{"amount":45,"pad":"' + b"x" * 10_000_000 + b'"}'
    token = gateway.token()
    content: Any = body if framing == "length" else iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
    try:
        answer = gateway.refund(token, content)
    except (httpx2.WriteError, httpx2.ReadError):  # the connection was closed before all of it was sent
        return
    assert (answer.status_code, code(answer)) == (413, "body_too_large")


def test_a_body_where_none_is_taken(gateway: RunningGateway) -> None:
    token = gateway.token("read_charges", {})
    answer = gateway.send("GET", "/v1/charges", content=b"{}", headers={**JSON, "Authorization": f"Bearer {token}"})
    assert (answer.status_code, code(answer)) == (400, "body_unexpected")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"amount=45&amount=46", "body_invalid"),
        (b"amount=45;amount=46", "body_invalid"),
        (b"amount=45&&to=x", "body_invalid"),
        (b"amount", "body_invalid"),
        (b"amount=4%355", "token_args_mismatch"),
        (b"amount=%ff", "body_invalid"),
        (b"amount=%4", "body_invalid"),
        (b"amount=045", "argument_invalid"),
        (b"amount=+45", "argument_invalid"),
        (b"amount=45.0", "argument_invalid"),
        (b"amount=45&to=y", "token_args_mismatch"),
        (b"\xc3\xa4mount=45", "body_invalid"),
    ],
)
def test_forms(gateway: RunningGateway, body: bytes, expected: str) -> None:
    token = gateway.token("form_pay", {"amount": 45})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {token}"}
    assert code(gateway.send("POST", "/v1/pay", content=body, headers=headers)) == expected
    assert gateway.send("POST", "/v1/pay", content=b"amount=45", headers=headers).status_code == 200


# Queries


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=5&limit=5", "query_ambiguous"),
        ("limit=5&%6cimit=6", "query_ambiguous"),
        ("limit=5&debug=1", "query_unmapped"),
        ("limit=5&", "query_ambiguous"),
        ("limit=5;debug=1", "query_ambiguous"),
        ("limit", "query_ambiguous"),
        ("limit=05", "argument_invalid"),
        ("limit=%35%2535", "argument_invalid"),
        ("limit=6", "token_args_mismatch"),
        ("limit=5&q=x", "token_args_mismatch"),
        ("limit=5&tag=a", "token_args_mismatch"),
        ("?limit=5", "query_unmapped"),
        ("limit[]=5", "query_unmapped"),
        ("limit=5%00", "argument_invalid"),
        ("LIMIT=5", "query_unmapped"),
        ("", "token_args_mismatch"),
    ],
)
def test_queries(gateway: RunningGateway, query: str, expected: str) -> None:
    token = gateway.token("read_charges", {"limit": 5})
    status, said = raw_code(
        gateway.raw(request("GET", f"/v1/charges?{query}", [f"Authorization: Bearer {token}"], b"", json=False))
    )
    assert (said, 400 <= status < 500) == (expected, True)


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/v1/charges/ch_1%2Frefunds",
        "/v1/charges/ch_1%2frefunds",
        "/v1/charges/ch_1%5Crefunds",
        "/v1/charges/ch_1\\refunds",
        "/v1/charges/ch_1%00/refunds",
        "/v1/charges/../charges/ch_1/refunds",
        "/v1/charges/./ch_1/refunds",
        "/v1/charges/%2e%2e/charges/ch_1/refunds",
        "/v1/charges/%2E%2E/refunds",
        "/v1/charges/..%20/refunds",
        "/v1/charges/%252e%252e/refunds",
        "/v1/charges/ch_1%252Frefunds",
        "//v1/charges/ch_1/refunds",
        "/v1//charges/ch_1/refunds",
        "/v1/charges/ch_1//refunds",
        "/v1/charges/ch_1;x=1/refunds",
        "/v1/charges/ch_1%3Bx/refunds",
        "/v1/charges/%63h_1/refunds",
        "/v1/charges/ch%5f1/refunds",
        "/v1/charges/ch_1%/refunds",
        "/v1/charges/ch_1%G0/refunds",
        "/v1/charges/ch_%C3%A4/refunds",
        "/v1/charges/ch_1%0d%0aX:%20y/refunds",
        "/v1/charges/%EF%BC%8F/refunds",
    ],
)
def test_path_tricks(gateway: RunningGateway, path: str) -> None:
    token = gateway.token()
    assert raw_code(gateway.raw(request(path=path, headers=[f"Authorization: Bearer {token}"]))) == (
        400,
        "path_ambiguous",
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/charges/ch_1/refunds/"),
        ("POST", "/V1/charges/ch_1/refunds"),
        ("POST", "/v1/charges//refunds"[:11] + "/refunds"),
        ("PUT", REFUND),
        ("GET", REFUND),
        ("POST", "/admin"),
        ("DELETE", "/"),
        ("OPTIONS", REFUND),
        ("POST", "/.ledgix/calls/x"),
    ],
)
def test_what_no_route_names(gateway: RunningGateway, method: str, path: str) -> None:
    token = gateway.token()
    assert raw_code(gateway.raw(request(method, path, [f"Authorization: Bearer {token}"]))) == (403, "route_unmapped")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/v1/charges/ch_1/refunds",
        "http://evil.example/v1/charges/ch_1/refunds",
        "*",
        "/v1/charges/ch_1/refunds#x",
        "v1/charges",
    ],
)
def test_targets_that_are_no_path(gateway: RunningGateway, target: str) -> None:
    token = gateway.token()
    assert raw_code(gateway.raw(request(path=target, headers=[f"Authorization: Bearer {token}"]))) == (
        400,
        "head_ambiguous",
    )


# Heads, byte by byte


def request(
    method: str = "POST",
    path: str = REFUND,
    headers: list[str] | None = None,
    body: bytes = BODY,
    *,
    json: bool = True,
    framed: bool = True,
    host: str = "Host: tool.example",
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", host, *(headers or [])]
    if json:
        lines.append("Content-Type: application/json")
    if framed and body:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    return "\r\n".join(line for line in lines if line).encode("latin-1") + b"\r\n\r\n" + body


CHUNKED = b"d\r\n" + BODY + b"\r\n0\r\n\r\n"
HEADS: dict[str, tuple[list[str], bytes, bool]] = {
    "chunked and length": (["Transfer-Encoding: chunked", "Content-Length: 13"], CHUNKED, False),
    "length and chunked": (["Content-Length: 5", "Transfer-Encoding: chunked"], CHUNKED, False),
    "two equal lengths": (["Content-Length: 13", "Content-Length: 13"], BODY, False),
    "two lengths": (["Content-Length: 13", "Content-Length: 3"], BODY, False),
    "list of lengths": (["Content-Length: 13, 13"], BODY, False),
    "signed length": (["Content-Length: +13"], BODY, False),
    "hex length": (["Content-Length: 0xd"], BODY, False),
    "length with a zero in front": (["Content-Length: 013"], BODY, False),
    "negative length": (["Content-Length: -1"], BODY, False),
    "identity encoding": (["Transfer-Encoding: identity"], CHUNKED, False),
    "gzip, chunked": (["Transfer-Encoding: gzip, chunked"], CHUNKED, False),
    "chunked twice": (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CHUNKED, False),
    "xchunked": (["Transfer-Encoding: xchunked"], CHUNKED, False),
    "chunked with a tab": (["Transfer-Encoding:\x0bchunked"], CHUNKED, False),
    "space before the colon": (["Transfer-Encoding : chunked"], CHUNKED, False),
    "folded line": (["X-A: b\r\n Transfer-Encoding: chunked"], BODY, True),
    "bare carriage return": (["X-A: b\rTransfer-Encoding: chunked"], BODY, True),
    "null byte": (["X-A: b\x00c"], BODY, True),
    "header without a name": ([": x"], BODY, True),
    "line without a colon": (["nonsense"], BODY, True),
    "underscores": (["Content_Length: 5"], BODY, True),
    "underscores in our own header": (["X_Ledgix_Request_Id: x"], BODY, True),
    "two hosts": (["Host: evil.example"], BODY, True),
    "two content types": (["Content-Type: text/plain"], BODY, True),
    "two of any header": (["X-A: 1", "X-A: 2"], BODY, True),
    "latin-1": (["X-A: \xe4"], BODY, True),
    "connection names content-type": (["Connection: content-type"], BODY, True),
    "connection names a header of the call": (["X-Account: a", "Connection: keep-alive, X-Account"], BODY, True),
    "wrong chunk size": (["Transfer-Encoding: chunked"], b"5\r\n" + BODY + b"\r\n0\r\n\r\n", False),
    "chunk size with a sign": (["Transfer-Encoding: chunked"], b"+d\r\n" + BODY + b"\r\n0\r\n\r\n", False),
    "chunk size with 0x": (["Transfer-Encoding: chunked"], b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n", False),
    "chunk without its end": (["Transfer-Encoding: chunked"], b"d\r\n" + BODY + b"0\r\n\r\n", False),
}


@pytest.mark.parametrize("attack", HEADS)
def test_heads_with_two_readings(gateway: RunningGateway, attack: str) -> None:
    headers, body, framed = HEADS[attack]
    token = gateway.token()
    raw = request(headers=[f"Authorization: Bearer {token}", *headers], body=body, framed=framed)
    assert raw_code(gateway.raw(raw)) == (400, "head_ambiguous")


def test_no_host(gateway: RunningGateway) -> None:
    assert raw_code(gateway.raw(request(headers=[], host=""))) == (400, "head_ambiguous")


def test_bare_line_feeds(gateway: RunningGateway) -> None:
    assert raw_code(gateway.raw(request().replace(b"\r\n", b"\n"))) == (400, "head_ambiguous")


def test_a_second_request_in_the_body(gateway: RunningGateway) -> None:
    """The classic: the length ends early, and what follows is a request of its own. It needs a token like any other."""
    token = gateway.token()
    smuggled = f"POST {REFUND} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n"
    raw = request(headers=[f"Authorization: Bearer {token}"]).replace(b"Connection: close\r\n", b"")
    answer = gateway.raw(raw + smuggled.encode() + b"Connection: close\r\n\r\n" + BODY)
    first, _, second = answer.partition(b"HTTP/1.1 401")
    assert first.startswith(b"HTTP/1.1 200")
    assert b"token_missing" in second


def test_trailers_are_no_headers(gateway: RunningGateway) -> None:
    """A token behind the body is none, and nothing behind the body reaches the tool."""
    token = gateway.token()
    behind = b"d\r\n" + BODY + b"\r\n0\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n"
    raw = request(headers=["Transfer-Encoding: chunked"], body=behind, framed=False)
    assert raw_code(gateway.raw(raw)) == (401, "token_missing")
    behind = b"d\r\n" + BODY + b"\r\n0\r\nX-Admin: yes\r\n\r\n"
    raw = request(headers=[f"Authorization: Bearer {token}", "Transfer-Encoding: chunked"], body=behind, framed=False)
    assert gateway.raw(raw).startswith(b"HTTP/1.1 200")
    assert gateway.tool.seen[0].header("X-Admin") == []


@pytest.mark.parametrize(
    "headers",
    [
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
        ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
    ],
)
def test_upgrades(gateway: RunningGateway, headers: list[str]) -> None:
    token = gateway.token("read_charges", {})
    lines = ["GET /v1/charges HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *headers]
    answer = gateway.raw("\r\n".join(lines).encode() + b"\r\n\r\n", until=b"upgrade_refused")
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"upgrade_refused" in answer


@pytest.mark.parametrize(
    "start",
    [b"CONNECT tool.example:443 HTTP/1.1\r\nHost: tool.example:443\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
)
def test_other_protocols(gateway: RunningGateway, start: bytes) -> None:
    assert gateway.raw(start, until=b"HTTP/1.1 40").startswith(b"HTTP/1.1 40")


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override: PUT", "X-Original-URL: /admin", "X-Rewrite-URL: /admin"])
def test_overrides_are_not_forwarded(gateway: RunningGateway, header: str) -> None:
    raw = request(headers=[f"Authorization: Bearer {gateway.token()}", header])
    assert gateway.raw(raw).startswith(b"HTTP/1.1 200")
    assert gateway.tool.seen[0].header(header.partition(":")[0]) == []


def test_expectations(gateway: RunningGateway) -> None:
    raw = request(headers=[f"Authorization: Bearer {gateway.token()}", "Expect: 200-ok"])
    assert raw_code(gateway.raw(raw)) == (417, "expectation_failed")


# Slow callers


def test_a_slow_head(new_gateway: Callable[..., RunningGateway], gateway: RunningGateway) -> None:
    slow = new_gateway(limits={"head_seconds": 0.3})
    began = time.monotonic()
    assert raw_code(slow.raw(b"POST /v1/charges/ch_1/refunds HTTP/1.1\r\nHost: x\r\n")) == (408, "head_too_slow")
    assert [(ended.verdict, ended.code) for ended in slow.ended] == [("refused", "head_too_slow")]
    assert slow.raw(b"") == b""
    assert time.monotonic() - began < 10


def test_a_slow_body(new_gateway: Callable[..., RunningGateway], gateway: RunningGateway) -> None:
    slow = new_gateway(limits={"body_seconds": 0.3})
    raw = request(headers=[f"Authorization: Bearer {slow.token()}", "Content-Length: 13"], body=BODY[:5], framed=False)
    assert raw_code(slow.raw(raw)) == (408, "body_too_slow")


def test_too_many_connections(new_gateway: Callable[..., RunningGateway], gateway: RunningGateway) -> None:
    import socket

    few = new_gateway(limits={"connections": 2})
    held = [socket.create_connection(("127.0.0.1", few.port)) for _ in range(2)]
    try:
        assert raw_code(few.raw(request())) == (503, "gateway_busy")
    finally:
        for connection in held:
            connection.close()


def test_a_long_head(gateway: RunningGateway) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(100))
    assert raw_code(gateway.raw(raw)) == (400, "head_ambiguous")


# Bodies that are bound by their digest


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, "content_digest_invalid"),
        ("sha-512=:AAAA:", "content_digest_invalid"),
        (digest(b"abc") + ", sha-512=:AAAA:", "content_digest_invalid"),
        (digest(b"abc").upper(), "content_digest_invalid"),
        (digest(b"abd"), "content_digest_mismatch"),
        (digest(b""), "content_digest_mismatch"),
    ],
)
def test_digests(gateway: RunningGateway, said: str | None, expected: str) -> None:
    token = gateway.token("upload", {"name": "a.txt", "content_digest": said or digest(b"abc")})
    headers = {"Authorization": f"Bearer {token}", **({"Content-Digest": said} if said else {})}
    assert code(gateway.send("PUT", "/v1/files/a.txt", content=b"abc", headers=headers)) == expected


def test_another_digest_than_the_approved_one(gateway: RunningGateway) -> None:
    token = gateway.token("upload", {"name": "a.txt", "content_digest": digest(b"abc")})
    headers = {"Authorization": f"Bearer {token}", "Content-Digest": digest(b"evil")}
    answer = gateway.send("PUT", "/v1/files/a.txt", content=b"evil", headers=headers)
    assert code(answer) == "token_args_mismatch"


def test_held_calls_are_found_by_nobody_who_guesses(gateway: RunningGateway) -> None:
    answer = gateway.send("GET", f"/.ledgix/calls/{uuid.uuid4()}")
    assert (answer.status_code, code(answer)) == (404, "call_unknown")
