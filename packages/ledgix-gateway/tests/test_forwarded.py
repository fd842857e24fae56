"""Forwarded implies that the hash is equal, for all bodies and heads. Through the real gateway, by other readers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from gateway_testing import JSON, REFUND, RunningGateway
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

APPROVED = {"amount": 45, "to": "ä", "lines": [1, {"a": None}], "deep": {"x": True}}
TEXTS = [
    '{"amount":45,"to":"ä","lines":[1,{"a":null}],"deep":{"x":true}}',
    ' { "deep":{"x":true} , "amount" : 4.5e1, "lines":[1.0,{"a":null}], "to":"\\u00e4" } ',
    '{"amount":45,"to":"ä","lines":[1,{"a":null}],"deep":{"x":1}}',
    '{"amount":45,"to":"a\u0308","lines":[1,{"a":null}],"deep":{"x":true}}',
]
PIECES = st.sampled_from(
    ["", " ", ",", '"', "}", "{", "0", "1", "e1", ".0", '"amount":45,', '"to":"x",', "null", "\t", "-"]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Something like the approved body, cut and mended a little."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 2)) :]
    return text.encode()


def as_anybody_reads_it(body: bytes) -> dict[str, Any] | None:
    """By the standard library; None for what has no one reading as an object."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    try:
        value = json.loads(body, object_pairs_hook=once, parse_float=Decimal)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=bodies())
def test_forwarded_implies_hash_equal(gateway: RunningGateway, body: bytes) -> None:
    gateway.tool.reset()
    spare = gateway.__dict__.setdefault("spare_tokens", [])
    token = spare.pop() if spare else gateway.token(arguments={"charge_id": "ch_1", **APPROVED})
    headers = {**JSON, "Authorization": f"Bearer {token}"}
    answer = gateway.send("POST", REFUND, content=body, headers=headers)
    said = as_anybody_reads_it(body)
    if answer.status_code == 200:
        assert same(said, APPROVED)
        assert [seen.body for seen in gateway.tool.seen] == [body]
    else:
        assert answer.status_code in (400, 403)
        assert not same(said, APPROVED)
        assert gateway.tool.seen == []
        spare.append(token)  # a refusal burns nothing


def same(one: Any, two: Any) -> bool:
    """Equal as JSON: 1 is 1.0, and true is no number."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return isinstance(one, bool) == isinstance(two, bool) and bool(one == two)


READ = {"limit": 5, "account": "acct_1"}
QUERIES = [
    *("limit=5", "limit=05", "limit=6", "limit=5&limit=5", "limit=%35", "LIMIT=5", "limit=5&", "limit=5;q=1", "limit"),
    "",
]
ACCOUNTS = [
    *("X-Account: acct_1", "X-Account: acct_2", "x-account:acct_1", "X-ACCOUNT:\tacct_1 ", "X_Account: acct_2"),
    *("X-Account : acct_1", "X-Account: acct_1, acct_2", "X-Account:", "X-Account: acct_1\r\n X-A: b"),
]
LINES = [
    *("Connection: close", "Connection: X-Account", "Connection: keep-alive, x-account", "Connection: ,X-Account "),
    *("Keep-Alive: X-Account", "Proxy-Connection: X-Account", "TE: trailers", "Trailer: X-Account"),
    *("X-HTTP-Method: DELETE", "X-Original-URL: /v1/pay", "X-Forwarded-Prefix: /a", "Forwarded: host=evil"),
    *("Traceparent: x", "X-A: 1", "X-Ledgix-Request-Id: forged", "X-Forwarded-Host: evil"),
]
DROPPED = ("X-HTTP-Method", "X-Original-URL", "X-Forwarded-Prefix", "Forwarded")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    query=st.just("limit=5") | st.sampled_from(QUERIES),
    account=st.just(ACCOUNTS[0]) | st.sampled_from(ACCOUNTS),
    lines=st.lists(st.sampled_from([*LINES, *ACCOUNTS]), max_size=3),
)
def test_heads_that_are_forwarded_are_the_approved_ones(
    gateway: RunningGateway, query: str, account: str, lines: list[str]
) -> None:
    gateway.tool.reset()
    spare = gateway.__dict__.setdefault("spare_reading_tokens", [])
    token = spare.pop() if spare else gateway.token("read_charges", READ)
    head = [f"GET /v1/charges?{query} HTTP/1.1", "Host: tool", f"Authorization: Bearer {token}", account, *lines]
    if not any(line.startswith("Connection: close") for line in lines):
        head.append("Connection: close")
    answer = gateway.raw("\r\n".join([*head, "", ""]).encode())
    if b" 200 " in answer.splitlines()[0]:
        (seen,) = gateway.tool.seen
        assert seen.header("X-Account") == ["acct_1"]
        assert parse_qs(seen.query.decode(), keep_blank_values=True, separator="&") == {"limit": ["5"]}
        assert (seen.method, seen.path) == ("GET", b"/v1/charges")
        for header in ("X-Account", "X-Ledgix-Request-Id", "X-Forwarded-Host", "Host"):
            assert len(seen.header(header)) == 1
        assert "forged" not in seen.header("X-Ledgix-Request-Id")
        assert "evil" not in seen.header("X-Forwarded-Host")
        assert not any(
            seen.header(name) for name in ("X-HTTP-Method", "X-Original-URL", "X-Forwarded-Prefix", "Forwarded")
        )
    else:
        assert gateway.tool.seen == []
        spare.append(token)  # a refusal burns nothing
