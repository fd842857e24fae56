"""For all bodies: forwarded implies that the hash is equal. Through the real gateway, against another JSON reader."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

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
