"""Tool schemas from an MCP server's list of tools."""

from __future__ import annotations

from typing import Any

import pytest

from ledgix.formats import json
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.money import Money, Unit
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.tools_list import ToolsList, changed, read_tools_list

REFUND = {
    "name": "stripe_refund",
    "description": "Refunds a charge.",
    "annotations": {"readOnlyHint": True},
    "inputSchema": {
        "type": "object",
        "properties": {
            "amount": {"type": "integer"},
            "currency": {"type": "string"},
            "fee": {"type": "object", "properties": {"amount": {"type": "number"}}},
        },
        "required": ["amount"],
    },
}
CENTS = {"stripe_refund": {"amount": {"currency": {"field": "currency"}, "unit": "minor"}}}


def read(content: Any, money: Any = None, registered: dict[str, ToolSchema] | None = None) -> ToolsList:
    return read_tools_list(json.from_python(content), json.from_python(money), registered or {})


def by_name(listed: ToolsList) -> dict[str, ToolSchema]:
    return {schema.tool_name: schema for schema in listed.schemas}


def test_a_list_of_tools() -> None:
    listed = read({"tools": [REFUND, {"name": "ping"}]})
    assert [schema.tool_name for schema in listed.schemas] == ["stripe_refund"]
    assert listed.schemas[0].schema == REFUND["inputSchema"]
    assert listed.skipped == ("ping",)
    assert not listed.is_partial


def test_the_answer_of_json_rpc_and_a_first_page() -> None:
    listed = read({"jsonrpc": "2.0", "id": 1, "result": {"tools": [REFUND], "nextCursor": "p2"}})
    assert len(listed.schemas) == 1
    assert listed.is_partial


def test_money_is_declared_beside_the_list() -> None:
    money = {"stripe_refund": {**CENTS["stripe_refund"], "fee.amount": {"currency": "USD", "unit": "major"}}}
    (schema,) = read({"tools": [REFUND]}, money).schemas
    assert dict(schema.money) == {
        ("amount",): Money(Unit.MINOR, currency_field=("currency",)),
        ("fee", "amount"): Money(Unit.MAJOR, currency="USD"),
    }


def test_declared_money_stays_declared() -> None:
    """Else a limit of $100 would be one of 100 cents after somebody read the list again."""
    first = by_name(read({"tools": [REFUND]}, CENTS))
    again = read({"tools": [REFUND]}, registered=first)
    assert by_name(again) == first
    assert [*changed(again, first)] == []
    without = read({"tools": [REFUND]}, {"stripe_refund": {}}, first)
    assert dict(without.schemas[0].money) == {}
    assert [*changed(without, first)] == [*without.schemas]


def test_a_money_argument_that_is_gone_is_refused() -> None:
    first = by_name(read({"tools": [REFUND]}, CENTS))
    renamed = {"name": "stripe_refund", "inputSchema": {"type": "object", "properties": {"cents": {"type": "integer"}}}}
    with pytest.raises(PolicyError, match=r"stripe_refund\): amount: is declared as money"):
        read({"tools": [renamed]}, registered=first)


def test_what_was_sent_is_not_changed() -> None:
    content = json.from_python({"tools": [REFUND]})
    read_tools_list(content, json.from_python(CENTS), {})
    assert content == json.from_python({"tools": [REFUND]})


@pytest.mark.parametrize(
    ("content", "money", "where"),
    [
        ([], None, ""),
        ({}, None, "tools"),
        ({"tools": {}}, None, "tools"),
        ({"tools": [REFUND] * 501}, None, "tools"),
        ({"jsonrpc": "2.0", "error": {"code": -1}}, None, "error"),
        ({"jsonrpc": "2.0", "result": []}, None, ""),
        ({"tools": [1]}, None, "tools[0]"),
        ({"tools": [{"name": ""}]}, None, "tools[0]"),
        ({"tools": [{"name": "x" * 257}]}, None, "tools[0]"),
        ({"tools": [REFUND, REFUND]}, None, "tools[1]"),
        ({"tools": [{"name": "t", "inputSchema": True}]}, None, "tools[0] (t)"),
        ({"tools": [{"name": "t", "inputSchema": {"type": "string"}}]}, None, "tools[0] (t): inputSchema.type"),
        (
            {"tools": [{"name": "t", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "http://x"}}}}]},
            None,
            "tools[0] (t): inputSchema.properties.a.$ref",
        ),
        ({"tools": [REFUND]}, [], "money"),
        ({"tools": [REFUND]}, {"stripe_refund": 1}, "money"),
        ({"tools": [REFUND]}, {"other": {}}, "money.other"),
        ({"tools": [REFUND]}, {"stripe_refund": {"total": {}}}, "tools[0] (stripe_refund): total"),
        (
            {"tools": [REFUND]},
            {"stripe_refund": {"amount": {"currency": "XXX", "unit": "minor"}}},
            "tools[0] (stripe_refund): inputSchema.amount",
        ),
    ],
    ids=range(18),
)
def test_what_is_refused_names_its_place(content: Any, money: Any, where: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read(content, money)
    assert [problem.where for problem in refused.value.problems] == [where]


def test_every_flaw_is_named_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        read({"tools": [1, {"name": "t", "inputSchema": 1}, REFUND]}, {"other": {}})
    assert len(refused.value.problems) == 3
