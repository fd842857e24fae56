"""The pure parts: exact calls, what waits, and what a model reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.client.asked import ClearanceRequest
from ledgix.client.errors import ReviewPending, VaultBusy, VaultFailed, VaultRefused, VaultUnreachable
from ledgix.errors import JsonError, LedgixError, TokenError
from ledgix.formats import jcs
from ledgix.formats import json as exact
from ledgix_gateway.mcp.answers import META, Code, of_error
from ledgix_gateway.mcp.exactness import CallRefused, read_call
from ledgix_gateway.mcp.held import Held, Open
from ledgix_gateway.mcp.sessions import SlowBody, in_time

DOCUMENT = Path(__file__).parents[4] / "docs" / "gateway-mcp.md"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(arguments=st.dictionaries(st.text(), values, max_size=4))
def test_what_is_cleared_is_what_is_sent(arguments: dict[str, Any]) -> None:
    params = {"name": "t", "arguments": arguments}
    raw = json.dumps({"params": params}).encode()
    try:
        call = read_call(raw, json.loads(raw)["params"])
    except CallRefused:
        return
    sent = exact.parse(json.dumps(call.params["arguments"]).encode())
    assert jcs.canonicalize(call.arguments) == jcs.canonicalize(sent)


def test_what_the_sdk_read_must_be_what_the_bytes_say() -> None:
    raw = b'{"params":{"name":"t","arguments":{"a":1}}}'
    assert read_call(raw, {"name": "t", "arguments": {"a": 1}}).arguments == {"a": 1}
    with pytest.raises(CallRefused):
        read_call(raw, {"name": "t", "arguments": {"a": 2}})
    with pytest.raises(CallRefused):
        read_call(raw, {"name": "u", "arguments": {"a": 1}})


@pytest.mark.parametrize("written", ["", ',"arguments":null', ',"arguments":{}'])
def test_no_arguments_are_empty_arguments(written: str) -> None:
    raw = b'{"params":{"name":"t"%s}}' % written.encode()
    assert read_call(raw, json.loads(raw)["params"]).arguments == {}


def opened(number: int, **more: Any) -> Open:
    body = {"tool_name": "t", "tool_args": {"n": number}, "agent_id": "a", "session_id": "s", "context": {}, **more}
    return Open(f"request-{number}", ClearanceRequest.from_json(body))


def test_what_waits_is_taken_once_and_by_the_same_call_only() -> None:
    held = Held()
    held.hold(opened(1))
    assert held.take(opened(2).request) is None
    assert held.take(opened(1, session_id="other").request) is None
    assert held.take(opened(1, agent_id="other").request) is None
    assert held.take(opened(1, tool_name="other").request) is None
    assert held.take(opened(1).request) == opened(1)
    assert held.take(opened(1).request) is None


def test_what_was_held_longest_is_forgotten() -> None:
    held = Held(most=2)
    for number in (1, 2, 1, 3):
        held.hold(opened(number))
    assert len(held) == 2
    assert held.take(opened(2).request) is None
    assert held.take(opened(1).request) is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VaultUnreachable("no answer"), Code.VAULT_UNAVAILABLE),
        (VaultBusy("busy", 3), Code.VAULT_UNAVAILABLE),
        (VaultFailed("failed", 500), Code.VAULT_UNAVAILABLE),
        (VaultRefused("no", status=403, code="scope_missing"), Code.VAULT_REFUSED),
        (TokenError("token_invalid", "forged"), Code.APPROVAL_INVALID),
        (JsonError("not exact", "$.a"), Code.ARGUMENTS_NOT_EXACT),
    ],
)
def test_every_failure_is_a_result_that_says_what_to_do(error: LedgixError, code: Code) -> None:
    result = of_error(error).result()
    assert result["isError"]
    assert result["_meta"][META]["code"] == code
    assert "was not made" in result["content"][0]["text"]
    assert "What to do:" in result["content"][0]["text"]


def test_what_is_no_answer_about_a_call_is_not_hidden() -> None:
    with pytest.raises(ReviewPending):
        of_error(ReviewPending(opened(1)))


def test_every_code_is_documented() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.M))
    assert {str(code) for code in Code} <= listed


@pytest.mark.anyio
async def test_a_body_that_does_not_end_is_given_up() -> None:
    async def drips() -> Any:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read(receive: Any) -> None:
        while True:
            await receive()

    with pytest.raises(SlowBody):
        await read(in_time(drips, 0.1))


@pytest.mark.anyio
async def test_after_the_body_there_is_no_hurry() -> None:
    messages: list[Any] = [{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}]

    async def whole() -> Any:
        if len(messages) == 1:
            await anyio.sleep(0.1)
        return messages.pop(0)

    receive = in_time(whole, 0.05)
    assert (await receive())["body"] == b"x"
    assert (await receive())["type"] == "http.disconnect"
