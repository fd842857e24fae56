"""An MCP server for tests, in a process of its own: it writes down every call that reaches it.

`python mcp_tools.py FILE` speaks stdio; `python mcp_tools.py FILE PORT` speaks Streamable HTTP. Each line of FILE is a
call: the tool's name and what it was given. With MCP_TOOLS_AMOUNT=number a refund's amount is listed as a number.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from pydantic import BaseModel

CALLS = Path(sys.argv[1])
AMOUNT = float if os.environ.get("MCP_TOOLS_AMOUNT") == "number" else int

server = MCPServer("desk", instructions="Refunds, and things that are harder.")


class Sure(BaseModel):
    sure: bool


def note(tool: str, **given: Any) -> None:
    with CALLS.open("a", encoding="utf-8") as calls:
        calls.write(json.dumps({"tool": tool, **given}) + "\n")


def _refund(amount: AMOUNT, order_id: str = "") -> str:  # type: ignore[valid-type]
    """Pays money back."""
    note("stripe_refund", amount=amount, order_id=order_id)
    return f"refunded {amount}"


server.add_tool(_refund, name="stripe_refund")


@server.tool()
def echo(value: Any) -> str:
    """Says what it was given."""
    note("echo", value=value)
    return json.dumps(value, sort_keys=True)


@server.tool()
def environment() -> str:
    """Names the variables of its environment."""
    note("environment")
    return " ".join(os.environ)


@server.tool()
def fails() -> str:
    """Fails in its own way."""
    note("fails")
    raise ValueError("no such order")


@server.tool()
async def steps(context: Context) -> str:
    """Tells of its progress, and writes to the client's log."""
    note("steps")
    for step in (1, 2):
        await context.report_progress(step, 2, f"step {step}")
    await context.info("half way")
    return "done"


@server.tool()
async def asks(context: Context) -> str:
    """Asks the user."""
    note("asks")
    answer = await context.elicit("Sure?", Sure)
    return f"{answer.action}"


@server.tool()
def asks_by_result(context: Context) -> CallToolResult | InputRequiredResult:
    """Asks the user as MCP 2026-07-28 does."""
    note("asks_by_result", state=context.request_state or "")
    if context.input_responses is not None:
        answer = context.input_responses["sure"]
        assert isinstance(answer, ElicitResult)
        return CallToolResult(content=[TextContent(text=answer.action)])
    form = ElicitRequestFormParams(message="Sure?", requested_schema=Sure.model_json_schema())
    return InputRequiredResult(input_requests={"sure": ElicitRequest(params=form)}, request_state="once")


@server.tool()
async def hangs(context: Context) -> str:
    """Waits until it is cancelled."""
    import anyio

    note("hangs")
    try:
        await anyio.sleep_forever()
    finally:
        note("hangs: cancelled")
    return ""


@server.tool()
def dies() -> str:
    """Ends the process while it is called."""
    note("dies")
    os._exit(1)


@server.resource("note://today")
def today() -> str:
    """What is to be done."""
    return "refunds"


@server.prompt()
def greeting(name: str) -> str:
    """How to greet."""
    return f"Greet {name}."


if __name__ == "__main__":
    if len(sys.argv) > 2:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run("stdio")
