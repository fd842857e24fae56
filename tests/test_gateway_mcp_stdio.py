"""The MCP gateway as a desktop client starts it: over stdio, before servers that it starts itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError
from mcp_types import ElicitResult

from collector import collecting
from ledgix import AsyncLedgix, ClearanceDenied, ClientSettings, VaultUnreachable
from ledgix.client import ReplayMemories
from ledgix_gateway.mcp.approvals import Approvals
from ledgix_gateway.mcp.config import load
from ledgix_gateway.mcp.desk import Desk
from ledgix_gateway.mcp.exactness import read_call
from ledgix_gateway.mcp.schemas import Schemas
from ledgix_gateway.vault import NoMemory
from mcp_edge import GATEWAY, TOKEN, Edge, process, refusal, text
from running_vault import Tenant, eventually, free_port, running_vault

pytestmark = pytest.mark.anyio

ANYTHING = "rules: [{id: all, effect: approve, when: []}]"
SHELF = "rules: [{id: few, effect: deny, when: [args.count > 12]}, {id: all, effect: approve, when: []}]"
ALLOWED = ["echo", "asks_by_result", "environment", "hangs", "dies", "time.*"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with running_vault(tmp_path_factory.mktemp("vault")) as (_, [tenant]):
        tenant.register_refunds()
        tenant.register("rest", definition=ANYTHING, tools=ALLOWED)
        tenant.register("shelf", definition=SHELF, tools=["shelf.*"])
        yield tenant


@pytest.fixture
def edge(desk: Tenant, tmp_path: Path) -> Edge:
    return Edge(desk, tmp_path)


@pytest.mark.parametrize(("mode", "revision"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_from_the_client_to_the_server_and_back(edge: Edge, mode: Any, revision: str) -> None:
    (edge.directory / "secret").write_text("of-the-server")
    program = edge.program() | {"env": {"REGION": "eu"}, "secrets": {"STRIPE_KEY": {"file": "secret"}}}
    file = edge.write(program, review={"wait_seconds": 1, "progress_seconds": 0.1})
    async with edge.started_by_client(file, mode=mode, env={"VAULT_KEY": "not for the server"}) as client:
        assert client.protocol_version == revision
        assert "echo" in {tool.name for tool in (await client.list_tools()).tools}

        assert text(await client.call_tool("stripe_refund", {"amount": 45})) == "refunded 45"
        assert refusal(await client.call_tool("stripe_refund", {"amount": 4500}))["code"] == "denied"

        waits = await client.call_tool("stripe_refund", {"amount": 450}, progress_callback=edge.hear)
        said = refusal(waits)
        assert said["code"] == "review_pending"
        assert edge.asked == [said["request_id"]]
        await edge.decide(said["request_id"], approved=True)
        assert text(await client.call_tool("stripe_refund", {"amount": 450})) == "refunded 450"

        names = set(text(await client.call_tool("environment")).split())
        assert {"REGION", "STRIPE_KEY", "PATH"} <= names
        assert "VAULT_KEY" not in names

        # The server dies while it is called: nobody can tell what it did.
        lost = refusal(await client.call_tool("dies"))
        assert lost["code"] == "outcome_unknown"
        assert await edge.outcome_of(lost["request_id"]) == "unknown"
    assert [call["amount"] for call in edge.reached("stripe_refund")] == [45, 450]


async def test_a_server_made_with_fastmcp(edge: Edge) -> None:
    shelf = str(Path(__file__).with_name("fastmcp_shelf.py"))
    file = edge.write({"command": sys.executable, "args": [shelf, str(edge.calls_file)]}, tool_prefix="shelf.")
    async with edge.started_by_client(file) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["take"]
        taken = await client.call_tool("take", {"item": "ß", "count": 2})
        assert taken.structured_content == {"item": "ß", "count": 2}
        assert refusal(await client.call_tool("take", {"item": "bomb", "count": 13}))["code"] == "denied"
    assert [(call["item"], call["count"]) for call in edge.reached("take")] == [("ß", 2)]


async def test_a_server_from_pypi(edge: Edge) -> None:
    program = {"command": sys.executable, "args": ["-m", "mcp_server_time", "--local-timezone", "Europe/Berlin"]}
    file = edge.write(program, tool_prefix="time.")
    async with edge.started_by_client(file, mode="legacy") as client:
        assert "get_current_time" in {tool.name for tool in (await client.list_tools()).tools}
        schema = edge.tenant.full.read("/tool-schemas/time.get_current_time")["schema"]
        assert schema["required"] == ["timezone"]
        result = await client.call_tool("get_current_time", {"timezone": "Europe/Berlin"})
        assert json.loads(text(result))["timezone"] == "Europe/Berlin"
        assert edge.tenant.events("token.consumed")[0]["tool_name"] == "time.get_current_time"


async def test_without_the_vault_nothing_is_called(edge: Edge) -> None:
    gone = {"url": f"http://127.0.0.1:{free_port()}", "retries": 0}
    async with edge.started_by_client(edge.write(edge.program(), vault=gone), mode="legacy") as client:
        assert (await client.list_tools()).tools, "what is no call passes all the same"
        assert refusal(await client.call_tool("echo", {"value": 1}))["code"] == "vault_unavailable"
    assert not edge.reached("echo")


async def test_a_running_call_can_be_cancelled(edge: Edge) -> None:
    async with edge.started_by_client(edge.write(edge.program())) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "hangs")
            await _until(lambda: edge.reached("hangs"))
            group.cancel_scope.cancel()
        await _until(lambda: edge.reached("hangs: cancelled"))
        assert await edge.outcome_of(edge.tenant.events("token.consumed")[0]["request_id"]) == "unknown"


async def test_a_stateless_client_is_asked_by_a_result(edge: Edge) -> None:
    """MCP 2026-07-28: the question whether the waiting goes on is a result, and its answer comes with the same call."""
    answers = ["keep waiting", "come back later", "keep waiting", "withdraw the request"]
    questions: list[str] = []

    async def answer(_: Any, question: Any) -> ElicitResult:
        questions.append(question.message)
        return ElicitResult(action="accept", content={"choice": answers[len(questions) - 1]})

    file = edge.write(edge.program(), review={"wait_seconds": 0.3, "progress_seconds": 0.1})
    async with edge.started_by_client(file, elicitation_callback=answer) as client:
        assert client.protocol_version == "2026-07-28"
        later = refusal(await client.call_tool("stripe_refund", {"amount": 450}))
        assert (later["code"], len(questions)) == ("review_pending", 2)
        assert later["request_id"] in questions[0]
        assert refusal(await client.call_tool("stripe_refund", {"amount": 450})) == {
            "code": "withdrawn",
            "request_id": later["request_id"],
        }
        await edge.state_of(later["request_id"], "cancelled")
        assert not edge.reached("stripe_refund")

        # The server's own question reaches the user, and each of the two calls needed an approval.
        answers.append("sure")
        before = len(edge.tenant.events("token.consumed"))
        assert text(await client.call_tool("asks_by_result")) == "accept"
        assert questions[-1] == "Sure?"
        assert len(edge.tenant.events("token.consumed")) == before + 2


async def _until(look: Any) -> None:
    with anyio.fail_after(60):
        while not look():
            await anyio.sleep(0.01)


def spoken(file: Path, *lines: bytes) -> list[dict[str, Any]]:
    """What the gateway answers to these lines, after the handshake."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    first = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}).encode()
    with subprocess.Popen(
        [GATEWAY, "mcp", "--config", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as gateway:
        assert gateway.stdin is not None
        assert gateway.stdout is not None
        answers = []
        for line in (first, *lines):
            gateway.stdin.write(line + b"\n")
            gateway.stdin.flush()
            answers.append(json.loads(gateway.stdout.readline()))
        gateway.stdin.close()
        assert gateway.wait(60) == 0
    return answers[1:]


def test_lines_without_one_exact_meaning_are_refused(edge: Edge) -> None:
    call = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":%s}}'
    twice, half, list_, word, fine = spoken(
        edge.write(edge.program()),
        call % (1, b'{"value":1,"value":2}'),
        call % (2, b'{"value":"\\ud800"}'),
        b"[" + call % (3, b'{"value":1}') + b"]",
        b"what?",
        call % (4, b'{"value":"fine"}'),
    )
    assert twice["result"]["_meta"]["ledgix/refusal"]["code"] == "arguments_not_exact"
    assert "error" in half or half["result"]["isError"]
    assert half["id"] == 2
    assert list_["error"]["code"] == -32600
    assert word["error"]["code"] == -32700
    assert not fine["result"]["isError"]
    assert [call["value"] for call in edge.reached("echo")] == ["fine"]


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ({"command": "no-such-program"}, "no connection with the MCP server: FileNotFoundError"),
        ({"command": sys.executable, "args": ["-c", ""]}, "the MCP server ended its connection"),
        ({"command": "x", "url": "http://127.0.0.1/"}, "mcp.upstream: needs either `command`"),
    ],
    ids=["missing", "ends", "both"],
)
def test_without_a_server_the_gateway_says_so_and_ends(edge: Edge, upstream: Any, said: str) -> None:
    command = [GATEWAY, "mcp", "--config", str(edge.write(upstream))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as gateway:
        assert gateway.wait(60) == 1
        assert gateway.stderr is not None
        assert said in gateway.stderr.read().decode()


@pytest.mark.parametrize("upstream", [{"command": "no-such-program"}, {"url": "http://127.0.0.1:9/mcp"}])
async def test_over_http_clients_are_told_that_there_is_no_server(edge: Edge, upstream: Any) -> None:
    port = free_port()
    (edge.directory / "token").write_text(TOKEN)
    file = edge.write(upstream, listen={"port": port, "token": {"file": "token"}})
    edge.url = f"http://127.0.0.1:{port}/mcp"
    with process([GATEWAY, "mcp", "--config", str(file)], port, edge.directory / "log"):
        for _ in range(2):
            with pytest.RaisesGroup(MCPError, flatten_subgroups=True), anyio.fail_after(60):
                async with edge.connect(mode="legacy"):
                    pass


# The answer to a burn is lost


class Losing(httpx2.AsyncBaseTransport):
    """Loses the first burn: before the Vault hears of it, or what it answers."""

    def __init__(self, *, after_commit: bool) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._after_commit = after_commit
        self._is_first = True

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        loses = self._is_first and request.url.path == "/consume-token"
        if loses:
            self._is_first = False
        if not loses or self._after_commit:
            response = await self._inner.handle_async_request(request)
        if loses:
            raise httpx2.ReadError("lost")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Nobody:
    """A client's request that nobody hears about."""

    can_send_request = False

    async def progress(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("after_commit", [False, True])
async def test_an_approval_whose_burn_was_lost_is_good_for_one_call_at_most(edge: Edge, after_commit: bool) -> None:
    config = load(edge.write(edge.program()))
    raw = json.dumps({"params": {"name": "stripe_refund", "arguments": {"amount": 45, "after": after_commit}}}).encode()
    call = read_call(raw, json.loads(raw)["params"])
    settings = replace(config.vault.client_settings(agent_id="desk"), max_retries=0)
    memories = ReplayMemories(received=NoMemory())
    async with AsyncLedgix(settings, transport=Losing(after_commit=after_commit), memories=memories) as client:
        approvals = Approvals(client, config)
        desk = Desk(Nobody(), config.waiting, may_ask=False)  # type: ignore[arg-type]
        with pytest.raises(VaultUnreachable):
            await approvals.obtain(call, "s", desk)
        assert len(approvals.held) == 1
        if after_commit:
            with pytest.raises(ClearanceDenied) as used:
                await approvals.obtain(call, "s", desk)
            assert used.value.reason_code == "approval_used"
        else:
            burned = await approvals.obtain(call, "s", desk)
            assert edge.tenant.events("token.consumed")[0]["request_id"] == burned.request_id
        assert len(approvals.held) == 0


# Schemas


async def test_schemas_are_sent_once_and_again_when_they_change(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    def listed(amount: str) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"amount": {"type": amount}}, "required": ["amount"]}
        return {"tools": [{"name": "pay", "inputSchema": schema}, {"name": "bad", "inputSchema": {"type": "array"}}]}

    def registered() -> list[str]:
        return [str(event["action_metadata"]) for event in edge.tenant.entries() if "desk/pay" in json.dumps(event)]

    settings = ClientSettings(vault_url=edge.tenant.url, vault_api_key=edge.tenant.gateway.secret)
    async with AsyncLedgix(settings) as client:
        schemas = Schemas(client, "desk/")
        await schemas.register(listed("integer"))
        assert len(registered()) == 1
        await schemas.register(listed("integer"))
        await Schemas(client, "desk/").register(listed("integer"))  # the gateway was started again
        assert len(registered()) == 1
        assert "desk/bad" in caplog.text, "what can't be registered is said"

        await schemas.register(listed("string"))
        assert "the server changed what it takes" in caplog.text
    assert len(registered()) == 2
    schema = edge.tenant.full.read("/tool-schemas/desk/pay")["schema"]
    assert schema["properties"]["amount"]["type"] == "string"


async def test_arguments_that_do_not_fit_the_listed_schema_are_not_approved(edge: Edge) -> None:
    file = edge.write(edge.program(), review={"wait_seconds": 0})
    async with edge.started_by_client(file, mode="legacy") as client:
        await client.list_tools()
        result = await client.call_tool("stripe_refund", {"amount": "45"})
    assert refusal(result)["code"] in ("denied", "review_pending")
    assert not edge.reached("stripe_refund")


async def test_a_call_belongs_to_the_trace_of_its_client(edge: Edge) -> None:
    trace, parent = "b" * 32, "c" * 16
    with collecting() as collector:
        exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        file = edge.write(edge.program())
        async with edge.started_by_client(file, env=exporting) as client:
            meta: Any = {"traceparent": f"00-{trace}-{parent}-01"}
            assert text(await client.call_tool("stripe_refund", {"amount": 45}, meta=meta)) == "refunded 45"
            assert refusal(await client.call_tool("stripe_refund", {"amount": 4500}, meta=meta))["code"] == "denied"
            await anyio.to_thread.run_sync(lambda: eventually(lambda: len(collector.of(trace)) >= 6))
    called, refused = (span for span in collector.of(trace) if span.name == "tools/call")
    made = [(span.name, span.parent) for span in collector.of(trace)]
    assert called.parent == refused.parent == parent
    assert {(f"POST /{step}", called.span) for step in ("request-clearance", "consume-token")} <= set(made)
    assert ("MCP send tools/call stripe_refund", called.span) in made
    assert (called.attributes["ledgix.tool"], refused.attributes["ledgix.code"]) == ("stripe_refund", "denied")
    assert ("MCP send tools/call stripe_refund", refused.span) not in made


async def test_calls_are_counted_and_logged(edge: Edge) -> None:
    port = free_port()
    file = edge.write(edge.program(), metrics={"port": port})
    log = edge.directory / "gateway.log"
    with log.open("w") as written:
        async with edge.started_by_client(file, errlog=written) as client:
            assert text(await client.call_tool("stripe_refund", {"amount": 45})) == "refunded 45"
            refused = refusal(await client.call_tool("stripe_refund", {"amount": 4500, "secret": "s3cr3t"}))
            async with httpx2.AsyncClient(timeout=60) as http:
                found = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    for verdict, code in (("forwarded", ""), ("refused", "denied")):
        labels = f'code="{code}",route="tools/call",upstream="",verdict="{verdict}"'
        assert f"ledgix_gateway_requests_total{{{labels}}} 1.0" in found
    assert "ledgix_gateway_calls 0.0" in found
    calls = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "call"]
    assert [(call["verdict"], call.get("code")) for call in calls] == [("forwarded", None), ("refused", "denied")]
    assert {(call["tool"], call["agent_id"]) for call in calls} == {("stripe_refund", "desk")}
    assert calls[1]["request_id"] == refused["request_id"]
    assert "s3cr3t" not in log.read_text()
