"""Tool schemas from what an MCP server answers to `tools/list`.

A server says what its tools take, never what money in them means: `money` declares that, and what was declared before
stays declared, so that a limit doesn't change its meaning because somebody read the list again. `annotations`
(`readOnlyHint` and the like) are the server's own claims; nothing here rests on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.money import Path
from ledgix_vault.policy.schemas import MONEY, ToolSchema

MOST_TOOLS: Final = 500
LONGEST_TOOL_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class ToolsList:
    """What the list says. `skipped` are the tools that declare no arguments at all; `is_partial`: the server has more,
    on a further page."""

    schemas: tuple[ToolSchema, ...]
    skipped: tuple[str, ...]
    is_partial: bool


def read_tools_list(content: Json, money: Json, registered: Mapping[str, ToolSchema]) -> ToolsList:
    """Reads a `tools/list` result, or the JSON-RPC answer around one. `money` is {tool: {path: {currency, unit}}}, with
    dots in the path; a tool that it names is declared by it alone, any other keeps what `registered` declares.

    Raises PolicyError with every flaw, each with the tool and the place in it; then nothing is to be registered.
    """
    result = _result(content)
    declared = _money(money)
    reader = _Reader(declared, registered)
    for number, tool in enumerate(_tools(result)):
        reader.tool(tool, f"tools[{number}]")
    for name in declared.keys() - reader.names:
        reader.problems.append(Problem("no tool of the list has this name", where=f"money.{name}"))
    if reader.problems:
        raise PolicyError(reader.problems)
    return ToolsList(tuple(reader.schemas), tuple(reader.skipped), bool(result.get("nextCursor")))


class _Reader:
    """Goes through the tools and keeps every problem."""

    def __init__(self, money: Mapping[str, JsonObject], registered: Mapping[str, ToolSchema]) -> None:
        self.money = money
        self.registered = registered
        self.names: set[str] = set()
        self.schemas: list[ToolSchema] = []
        self.skipped: list[str] = []
        self.problems: list[Problem] = []

    def tool(self, tool: Json, where: str) -> None:
        name = self.name(tool, where)
        if name is None or not isinstance(tool, dict):
            return
        match tool.get("inputSchema"):
            case None:
                self.skipped.append(name)
            case dict() as schema:
                self.schema(name, schema, f"{where} ({name})")
            case _:
                self.problems.append(Problem("`inputSchema` must be an object", where=f"{where} ({name})"))

    def name(self, tool: Json, where: str) -> str | None:
        if not isinstance(tool, dict):
            self.problems.append(Problem("must be an object with `name` and `inputSchema`", where=where))
            return None
        name = tool.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_TOOL_NAME or "\0" in name:
            self.problems.append(
                Problem(f"`name` must be a string of 1 to {LONGEST_TOOL_NAME} characters", where=where)
            )
            return None
        if name in self.names:
            self.problems.append(Problem(f"a second tool is called {name}", where=where))
            return None
        self.names.add(name)
        return name

    def schema(self, name: str, schema: JsonObject, where: str) -> None:
        fresh = deepcopy(schema)
        declarations = self.money[name] if name in self.money else _declared_in(self.registered.get(name))
        lost = [path for path, money in declarations.items() if not _declare(fresh, _path(path), money)]
        for path in lost:
            message = "is declared as money, but the tool has no such argument (any more)"
            self.problems.append(Problem(message, where=f"{where}: {path}"))
        try:
            self.schemas.append(ToolSchema.parse(name, fresh))
        except PolicyError as error:
            for problem in error.problems:
                place = ": ".join(part for part in (where, ".".join(filter(None, ("inputSchema", problem.where)))))
                self.problems.append(Problem(problem.message, where=place))


def _result(content: Json) -> JsonObject:
    if isinstance(content, dict) and "jsonrpc" in content:
        if "error" in content:
            raise PolicyError([Problem("the server answered with an error instead of its tools", where="error")])
        content = content.get("result")
    if not isinstance(content, dict):
        raise PolicyError([Problem('must be the result of `tools/list`: {"tools": […]}')])
    return content


def _tools(result: JsonObject) -> list[Json]:
    tools = result.get("tools")
    if not isinstance(tools, list):
        raise PolicyError([Problem("must be a list of tools", where="tools")])
    if len(tools) > MOST_TOOLS:
        raise PolicyError([Problem(f"at most {MOST_TOOLS} tools at once, not {len(tools)}", where="tools")])
    return tools


def _money(money: Json) -> dict[str, JsonObject]:
    match money:
        case None:
            return {}
        case dict() if all(isinstance(fields, dict) for fields in money.values()):
            return {tool: fields for tool, fields in money.items() if isinstance(fields, dict)}
        case _:
            message = 'must be like {"stripe_refund": {"amount": {"currency": "USD", "unit": "minor"}}}'
            raise PolicyError([Problem(message, where="money")])


def _path(text: str) -> Path:
    return tuple(text.split("."))


def _declared_in(registered: ToolSchema | None) -> JsonObject:
    """The money declarations of the schema that is registered, by dotted path."""
    if registered is None:
        return {}
    found: JsonObject = {}
    for path in registered.money:
        part = _member(registered.schema, path)
        assert part is not None  # `money` was read from there
        found[".".join(path)] = part[MONEY]
    return found


def _declare(schema: JsonObject, path: Path, money: Json) -> bool:
    """Puts the declaration beside the member at `path`; False if there is no such member."""
    part = _member(schema, path)
    if part is not None:
        part[MONEY] = deepcopy(money)
    return part is not None


def _member(schema: JsonObject, path: Path) -> JsonObject | None:
    part = schema
    for name in path:
        properties = part.get("properties")
        inner = properties.get(name) if isinstance(properties, dict) else None
        if not isinstance(inner, dict):
            return None
        part = inner
    return part


def changed(listed: ToolsList, registered: Mapping[str, ToolSchema]) -> Iterator[ToolSchema]:
    """Those that aren't registered with exactly this content."""
    for schema in listed.schemas:
        known = registered.get(schema.tool_name)
        if known is None or known.content_hash != schema.content_hash:
            yield schema
