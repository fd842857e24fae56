"""The MCP gateway over Streamable HTTP: what reaches the server, and what a model reads instead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, ElicitResult

from mcp_edge import TOKEN, Edge, http_edge, refusal, text
from running_vault import running_vault

pytestmark = pytest.mark.anyio

ANYTHING = "rules: [{id: all, effect: approve, when: []}]"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    with running_vault(directory) as (_, [tenant]):
        tenant.register_refunds()
        tenant.register("rest", definition=ANYTHING, tools=["echo", "fails", "steps", "asks", "hangs"])
        with http_edge(tenant, directory) as edge:
            yield edge


@pytest.fixture
def edge(shared: Edge) -> Edge:
    shared.asked.clear()
    return shared


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[Client]:
    async with edge.connect(mode="legacy") as connected:
        yield connected


def order() -> str:
    """An order that no other test knows."""
    return uuid4().hex


async def refund(client: Client, edge: Edge, amount: Any, order_id: str) -> CallToolResult:
    return await client.call_tool(
        "stripe_refund", {"amount": amount, "order_id": order_id}, progress_callback=edge.hear
    )


# Verdicts


async def test_approved_runs_once_with_exactly_these_arguments(client: Client, edge: Edge) -> None:
    number = order()
    result = await refund(client, edge, 45, number)
    assert not result.is_error
    assert text(result) == "refunded 45"
    assert edge.refunds(number) == 1
    consumed = edge.tenant.events("token.consumed")[0]
    assert (consumed["tool_name"], consumed["agent_id"]) == ("stripe_refund", "desk")
    assert await edge.outcome_of(consumed["request_id"]) == "delivered"


async def test_denied_says_why_and_what_to_do(client: Client, edge: Edge) -> None:
    number = order()
    result = await refund(client, edge, 4500, number)
    said = refusal(result)
    assert (said["code"], said["reason_code"]) == ("denied", "policy_denied")
    for part in ("was not made", "Refunds must not exceed $1000", said["request_id"], "What to do:"):
        assert part in text(result)
    assert edge.refunds(number) == 0


async def test_approved_by_a_person_meanwhile(client: Client, edge: Edge) -> None:
    number = order()
    async with anyio.create_task_group() as group:

        async def person() -> None:
            await edge.decide(await edge.waiting_request(), approved=True)

        group.start_soon(person)
        result = await refund(client, edge, 450, number)
    assert text(result) == "refunded 450"
    assert edge.refunds(number) == 1


async def test_denied_by_a_person_meanwhile(client: Client, edge: Edge) -> None:
    number = order()
    async with anyio.create_task_group() as group:

        async def person() -> None:
            await edge.decide(await edge.waiting_request(), approved=False)

        group.start_soon(person)
        result = await refund(client, edge, 450, number)
    assert refusal(result)["code"] == "denied"
    assert "looked at it" in text(result)
    assert edge.refunds(number) == 0


async def test_approved_later_runs_when_the_same_call_comes_again(client: Client, edge: Edge) -> None:
    number = order()
    said = refusal(await refund(client, edge, 450, number))
    assert said["code"] == "review_pending"
    assert edge.asked == [said["request_id"]]
    await edge.decide(said["request_id"], approved=True)

    other = refusal(await refund(client, edge, 451, number))
    assert other["code"] == "review_pending", "other arguments are another request"
    assert other["request_id"] != said["request_id"]
    assert edge.refunds(number) == 0

    assert text(await refund(client, edge, 450, number)) == "refunded 450"
    assert edge.refunds(number) == 1

    third = refusal(await refund(client, edge, 450, number))
    assert third["code"] == "review_pending", "an approval is for one call"
    assert third["request_id"] != said["request_id"]
    assert edge.refunds(number) == 1


async def test_what_waits_for_one_session_is_not_picked_up_by_another(client: Client, edge: Edge) -> None:
    number = order()
    said = refusal(await refund(client, edge, 450, number))
    await edge.decide(said["request_id"], approved=True)
    async with edge.connect(mode="legacy") as other:
        assert refusal(await refund(other, edge, 450, number))["request_id"] != said["request_id"]
    assert edge.refunds(number) == 0


async def test_cancelled_by_the_client_is_cancelled_in_the_vault(client: Client, edge: Edge) -> None:
    number = order()
    async with anyio.create_task_group() as group:
        group.start_soon(refund, client, edge, 450, number)
        request_id = await edge.waiting_request()
        group.cancel_scope.cancel()
    await edge.state_of(request_id, "cancelled")
    assert edge.refunds(number) == 0


async def test_a_client_that_leaves_takes_its_request_back(edge: Edge) -> None:
    number = order()
    async with edge.connect(mode="legacy") as client, anyio.create_task_group() as group:
        group.start_soon(refund, client, edge, 450, number)
        request_id = await edge.waiting_request()
        group.cancel_scope.cancel()
    await edge.state_of(request_id, "cancelled")


# Elicitation


@pytest.mark.parametrize(
    ("choice", "code", "outcome"),
    [("withdraw the request", "withdrawn", "cancelled"), ("come back later", "review_pending", "pending")],
)
async def test_the_user_may_stop_waiting(edge: Edge, choice: str, code: str, outcome: str) -> None:
    questions: list[str] = []

    async def answer(_: Any, question: Any) -> ElicitResult:
        questions.append(question.message)
        return ElicitResult(action="accept", content={"choice": choice})

    number = order()
    async with edge.connect(mode="legacy", elicitation_callback=answer) as client:
        said = refusal(await refund(client, edge, 450, number))
    assert said["code"] == code
    assert said["request_id"] in questions[0]
    await edge.state_of(said["request_id"], outcome)
    assert edge.refunds(number) == 0


async def test_the_user_can_not_approve(edge: Edge) -> None:
    async def answer(_: Any, question: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"choice": "approve", "approved": True})

    number = order()
    async with edge.connect(mode="legacy", elicitation_callback=answer) as client:
        assert refusal(await refund(client, edge, 450, number))["code"] == "review_pending"
    assert edge.refunds(number) == 0


# What passes through


async def test_the_rest_of_mcp_passes(client: Client) -> None:
    assert client.server_info is not None
    assert client.server_info.name == "desk"
    assert client.instructions == "Refunds, and things that are harder."
    tools = {tool.name for tool in (await client.list_tools()).tools}
    assert {"stripe_refund", "echo", "hangs"} <= tools
    assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["note://today"]
    assert (await client.read_resource("note://today")).contents[0].text == "refunds"  # type: ignore[union-attr]
    prompt = await client.get_prompt("greeting", {"name": "Ada"})
    assert prompt.messages[0].content.text == "Greet Ada."  # type: ignore[union-attr]


async def test_schemas_are_registered_before_the_list_is_answered(client: Client, edge: Edge) -> None:
    await client.list_tools()
    schema = edge.tenant.full.read("/tool-schemas/stripe_refund")["schema"]
    assert schema["properties"]["amount"]["type"] == "integer"


async def test_progress_and_log_pass(edge: Edge) -> None:
    heard: list[tuple[float, str | None]] = []
    logged: list[Any] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, message))

    async def log(entry: Any) -> None:
        logged.append(entry.data)

    async with edge.connect(mode="legacy", logging_callback=log) as client:
        assert text(await client.call_tool("steps", progress_callback=progress)) == "done"
    assert heard == [(1, "step 1"), (2, "step 2")]
    assert logged == ["half way"]


async def test_the_server_may_ask_the_user(edge: Edge) -> None:
    async def answer(_: Any, question: Any) -> ElicitResult:
        assert question.message == "Sure?"
        return ElicitResult(action="accept", content={"sure": True})

    async with edge.connect(mode="legacy", elicitation_callback=answer) as client:
        assert text(await client.call_tool("asks")) == "accept"


async def test_a_failure_of_the_tool_is_delivered(client: Client, edge: Edge) -> None:
    result = await client.call_tool("fails")
    assert result.is_error
    assert "Error executing tool fails" in text(result)
    assert await edge.outcome_of(edge.tenant.events("token.consumed")[0]["request_id"]) == "delivered"


async def test_a_running_call_can_be_cancelled(client: Client, edge: Edge) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "hangs")
        with anyio.fail_after(30):
            while not edge.reached("hangs"):
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert await edge.outcome_of(edge.tenant.events("token.consumed")[0]["request_id"]) == "unknown"
    with anyio.fail_after(30):
        while not edge.reached("hangs: cancelled"):
            await anyio.sleep(0.01)


async def test_parallel_calls_are_approved_one_by_one(client: Client, edge: Edge) -> None:
    number = order()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(refund, client, edge, 45, number)
    assert edge.refunds(number) == 2


@pytest.mark.parametrize(
    "value",
    ["Grüße 😀 \u2028 \x00", {"ß": [1, -0.5, 1e-7, 1.5e-300, 45.0, True, None]}, "x" * 200_000],
    ids=["unicode", "numbers", "large"],
)
async def test_arguments_arrive_as_they_are(client: Client, edge: Edge, value: Any) -> None:
    result = await client.call_tool("echo", {"value": value})
    assert not result.is_error, text(result)[:300]
    assert edge.reached("echo")[-1]["value"] == value


async def test_arguments_larger_than_the_vault_takes_are_not_called(client: Client, edge: Edge) -> None:
    before = len(edge.reached("echo"))
    said = refusal(await client.call_tool("echo", {"value": "x" * 300_000}))
    assert said["code"] == "vault_refused"
    assert len(edge.reached("echo")) == before


async def test_a_stateless_client_falls_back_to_the_handshake(edge: Edge) -> None:
    async with edge.connect(mode="auto") as client:
        assert client.protocol_version == "2025-11-25"
        assert not (await client.call_tool("echo", {"value": 1})).is_error


# Attacks, as bytes


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


class Raw:
    """A session spoken by hand."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._session: dict[str, str] = {}

    async def begin(self) -> None:
        answer = await self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        self._session = {"Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def end(self) -> None:
        assert (await self._http.delete(self._url, headers=self._session)).status_code == 200

    async def send(self, message: Any, **headers: str) -> httpx2.Response:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        return await self._http.post(self._url, content=body, headers={**accept, **self._session, **headers})

    async def call(self, params: str) -> dict[str, Any]:
        """The JSON-RPC answer to a tool call with these bytes as params."""
        body = f'{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}'
        answer = await self.send(body.encode())
        data = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        found: dict[str, Any] = json.loads(data[0].removeprefix("data: ")) if data else answer.json()
        return found


@pytest.fixture
async def raw(edge: Edge) -> AsyncIterator[Raw]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
        session = Raw(http, edge.url)
        await session.begin()
        yield session
        await session.end()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ('{"name":"echo","arguments":{"value":1,"value":2}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":{"a":1,"a":1}}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":1},"arguments":{"value":2}}', "arguments_not_exact"),
        ('{"name":"echo","name":"stripe_refund","arguments":{"value":1}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":9007199254740993}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":0.1000000000000000055}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":1e400}}', "arguments_not_exact"),
        ('{"name":"echo","arguments":{"value":NaN}}', "arguments_not_exact"),
        ('{{"name":"echo","arguments":{{"value":{}1{}}}}}'.format("[" * 40, "]" * 40), "arguments_not_exact"),
        ('{"name":"echo","arguments":[1]}', "call_malformed"),
        ('{"name":"echo","arguments":[]}', "call_malformed"),
        ('{"name":"","arguments":{}}', "call_malformed"),
        ('{"name":"echo","arguments":{"value":1},"_meta":7}', "call_malformed"),
        ('{"name":"echo","arguments":{"value":1},"_meta":null}', "call_malformed"),
        ('{"name":["echo"],"arguments":{}}', "call_malformed"),
        ('{"name":"echo","arguments":{"value":1},"extra":{"value":2}}', "call_malformed"),
    ],
)
async def test_calls_without_one_exact_meaning_are_refused(raw: Raw, edge: Edge, params: str, code: str) -> None:
    before = len(edge.reached("echo"))
    answer = await raw.call(params)
    said = answer["result"]
    assert said["isError"]
    assert said["_meta"]["ledgix/refusal"]["code"] == code
    assert "$" in said["content"][0]["text"]
    assert len(edge.reached("echo")) == before


async def test_half_a_surrogate_is_refused(raw: Raw, edge: Edge) -> None:
    before = len(edge.reached("echo"))
    answer = await raw.call('{"name":"echo","arguments":{"value":"\\ud800"}}')
    assert "error" in answer or answer["result"]["isError"]
    assert len(edge.reached("echo")) == before


async def test_a_call_without_an_answer_is_dropped(raw: Raw, edge: Edge) -> None:
    number = order()
    params = {"name": "stripe_refund", "arguments": {"amount": 45, "order_id": number}}
    assert (await raw.send({"jsonrpc": "2.0", "method": "tools/call", "params": params})).status_code == 202
    assert (await raw.call('{"name":"echo","arguments":{"value":1}}'))["result"]  # whatever was sent before has arrived
    assert edge.refunds(number) == 0


async def test_two_messages_in_one_body_are_refused(raw: Raw, edge: Edge) -> None:
    number = order()
    params = {"name": "stripe_refund", "arguments": {"amount": 45, "order_id": number}}
    call = {"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": params}
    assert (await raw.send([call, call])).status_code == 400
    assert edge.refunds(number) == 0


async def test_methods_that_mcp_does_not_know_are_refused(client: Client) -> None:
    from mcp_types import EmptyResult, Request

    class Other(Request[None, str]):  # type: ignore[type-var]
        method: str = "tools/Call"
        params: None = None

    with pytest.raises(MCPError) as refused:
        await client.session.send_request(Other(), EmptyResult)  # type: ignore[arg-type]
    assert refused.value.code == METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Mcp-Session-Id": "0" * 32}, 404),
        ({"MCP-Protocol-Version": "2026-07-28"}, 400),
    ],
)
async def test_who_may_not_speak(raw: Raw, headers: dict[str, str], status: int) -> None:
    answer = await raw.send({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Accept": "text/html"}]
)
async def test_a_refused_beginning_leaves_no_session(edge: Edge, headers: dict[str, str]) -> None:
    """A page in a browser must not use up the sessions: more of them than may be open are refused here."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
        raw = Raw(http, edge.url)
        for _ in range(6):
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
            assert (await raw.send(hello, **headers)).status_code in (403, 406, 421)
        await raw.begin()
        await raw.end()


async def test_a_body_beyond_the_limit_is_refused(raw: Raw) -> None:
    assert (await raw.send(b'{"x":"' + b"x" * (5 * 2**20) + b'"}')).status_code == 413
