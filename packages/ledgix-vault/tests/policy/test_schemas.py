"""Tool schemas: what is refused, what doesn't fit, and how conditions are typed by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from ledgix.formats import json
from ledgix_vault.policy.draft import schema_problems
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.money import MINOR_DIGITS, Money, Unit
from ledgix_vault.policy.schemas import ToolSchema

Schemas = Mapping[str, ToolSchema]


def parse(schema: Any, tool_name: str = "stripe_refund") -> ToolSchema:
    return ToolSchema.parse(tool_name, json.from_python(schema))  # type: ignore[arg-type]


def with_amount(annotation: Any, kind: str = "number") -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"amount": {"type": kind, "x-ledgix-money": annotation}, "currency": {"type": "string"}},
    }


REFUSED = {
    "no object": ({"type": "string"}, '"type": "object"'),
    "no type": ({"properties": {}}, '"type": "object"'),
    "wrong keyword": ({"type": "object", "properties": {"a": {"type": "numbr"}}}, "no valid JSON Schema"),
    "remote reference": ({"type": "object", "properties": {"a": {"$ref": "https://example.com/s"}}}, "same schema"),
    "file reference": ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "same schema"),
    "dangling reference": ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "no valid JSON Schema"),
    "pattern that backtracks": ({"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}, "no valid JSON Schema"),
    "too deep": ({"type": "object", "allOf": [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}, "nested more than"),
    "too large": ({"type": "object", "description": "x" * 300_000}, "at most 256 KiB"),
    "money on a string": (with_amount({"currency": "USD", "unit": "minor"}, "string"), "money is a number"),
    "no unit": (with_amount({"currency": "USD"}), '{"currency": …, "unit": …}'),
    "unknown unit": (with_amount({"currency": "USD", "unit": "cents"}), '"major" (whole dollars) or "minor"'),
    "unknown currency": (with_amount({"currency": "USDD", "unit": "minor"}), "code like"),
    "lower-case currency": (with_amount({"currency": "usd", "unit": "minor"}), "code like"),
    "unclear currency field": (with_amount({"currency": {"field": "curency"}, "unit": "minor"}), "no declared string"),
    "currency field that isn't text": (with_amount({"currency": {"field": "amount"}, "unit": "minor"}), "no declared"),
    "money in a list": (
        {"type": "object", "properties": {"l": {"type": "array", "items": with_amount({})["properties"]["amount"]}}},
        "stands beside a number in `properties`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    schema, message = REFUSED[name]
    with pytest.raises(PolicyError) as refused:
        parse(schema)
    assert message in str(refused.value)


FITS: list[tuple[dict[str, Any], str]] = [
    ({"amount": 5}, ""),
    ({"amount": Decimal("5.5")}, 'amount: 5.5 is not of type "integer"'),
    ({"amount": True}, 'amount: true is not of type "integer"'),
    ({"amount": None}, 'amount: null is not of type "integer"'),
    ({"amount": "5"}, 'amount: "5" is not of type "integer"'),
    ({}, '"amount" is a required property'),
    ({"amount": 101}, "amount: 101 is greater than the maximum of 100"),
    ({"amount": 9007199254740991}, "amount: 9007199254740991 is greater than the maximum of 100"),
    ({"amount": 5, "rate": Decimal("0.1")}, ""),
    ({"amount": 5, "rate": Decimal("0.10000000000000001")}, "rate: 0.10000000000000001 is greater than"),
    ({"amount": 5, "items": [{"sku": "a"}, {"sku": 7}]}, 'items[1].sku: 7 is not of type "string"'),
    ({"amount": 5, "currency": "GBP"}, 'currency: "GBP" is not one of "USD" or "EUR"'),
]
SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "maximum": 100},
        "rate": {"type": "number", "maximum": 0.1},
        "currency": {"enum": ["USD", "EUR"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
    "required": ["amount"],
}


@pytest.mark.parametrize(("args", "misfit"), FITS)
def test_what_does_not_fit_is_named_exactly(args: dict[str, Any], misfit: str) -> None:
    found = parse(SCHEMA).check(args)
    assert found == [] if not misfit else found[0].startswith(misfit), found


def test_many_misfits_are_cut_short() -> None:
    found = parse({"type": "object", "additionalProperties": {"type": "string"}}).check({str(i): i for i in range(50)})
    assert len(found) == 6
    assert found[-1] == "and more"


def test_a_schema_comes_back_as_it_was() -> None:
    parsed = parse(SCHEMA)
    assert ToolSchema.parse("pay", parsed.to_json()).to_json() == json.from_python(SCHEMA)
    assert parsed.content_hash == parse(SCHEMA).content_hash
    assert parsed.content_hash != parse(SCHEMA | {"title": "Pay"}).content_hash


def test_money_is_found_by_its_path() -> None:
    nested = {"type": "object", "properties": {"payment": with_amount({"currency": "USD", "unit": "minor"})}}
    assert parse(nested).money == {("payment", "amount"): Money(Unit.MINOR, currency="USD")}
    by_field = with_amount({"currency": {"field": "currency"}, "unit": "major"})
    assert parse(by_field).money == {("amount",): Money(Unit.MAJOR, currency_field=("currency",))}


def test_currencies_whose_cents_are_disputed_are_left_out() -> None:
    assert not {"ISK", "UGX", "HUF", "TWD"} & MINOR_DIGITS.keys()
    assert (MINOR_DIGITS["JPY"], MINOR_DIGITS["USD"], MINOR_DIGITS["KWD"]) == (0, 2, 3)
    assert all(len(code) == 3 and code.isupper() for code in MINOR_DIGITS)


TYPED = [
    ("args.amout <= 100", 6, "there is no `amout` in `args`", ("amount", "currency", "items", "note", "rate")),
    ("args.amount == '5'", 13, '`args.amount` is a number and `"5"` is a string', ()),
    ("args.items <= 5", 12, "`<=` compares numbers, but `args.items` is a list", ()),
    ("args.items.all(i, i.sku > 5)", 25, "compares numbers", ()),
    ("args.items.all(i, i.size == 5)", 21, "there is no `size` in `i`", ("sku",)),
    ("args.note.amount == 5", 11, "`args.note` is a string and has no members", ()),
    ("args.amount.startsWith('5')", 6, "`args.amount` is a number, but a string is needed here", ()),
    ("args['amout'] <= 100", 6, "there is no `amout`", ("amount", "currency", "items", "note", "rate")),
    ("money(args.note, 'USD') > 5", 1, "`money` reads a number", ()),
    ("args.rate in ['a']", 11, "are each a string", ()),
]


@pytest.mark.parametrize(("text", "column", "message", "known"), TYPED)
def test_a_rule_is_typed_against_the_schema(
    text: str, column: int, message: str, known: tuple[str, ...], draft: Callable[..., PolicyDocument]
) -> None:
    properties = SCHEMA["properties"] | {"note": {"type": ["string", "null"]}}  # type: ignore[operator]
    schemas = {"stripe_refund": parse(SCHEMA | {"properties": properties})}
    definition = f"rules:\n  - id: a\n    effect: deny\n    when:\n      - |\n        {text}\n"
    with pytest.raises(PolicyError) as refused:
        draft(definition=definition, schemas=schemas)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.known_fields) == (6, 8 + column, known)
    assert message in problem.message
    assert "(tool stripe_refund)" in problem.message


@pytest.mark.parametrize(
    "text",
    ["args.anything == 1", "args.deep.er > 5", "args.amount <= 100.5", "args.currency == 'X'", "args['x y'] == 1"],
)
def test_open_schemas_and_open_types_are_not_guessed_at(text: str, draft: Callable[..., PolicyDocument]) -> None:
    schemas = {"stripe_refund": parse(SCHEMA | {"additionalProperties": True})}
    assert draft(definition=f'rules: [{{id: a, effect: deny, when: ["{text}"]}}]', schemas=schemas).rules


def test_a_schema_that_comes_later_is_checked_against_what_is_there(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(definition="rules: [{id: a, effect: deny, when: [args.amout > 5, args.amount > 5]}]")
    (problem,) = schema_problems(document, {"stripe_refund": parse(SCHEMA), "other": parse(SCHEMA, "other")})
    assert (problem.where, problem.known_fields) == ("rule a", ("amount", "currency", "items", "rate"))
    assert schema_problems(document, {"other": parse(SCHEMA, "other")}) == ()


def test_only_the_tools_that_a_rule_meets_count(draft: Callable[..., PolicyDocument]) -> None:
    schemas = {"stripe_refund": parse(SCHEMA), "other": parse({"type": "object", "properties": {"x": {}}})}
    rule = "rules: [{id: a, effect: deny, tools: [%s], when: [args.x == 1]}]"
    assert draft(definition=rule % "other", tools=["stripe_refund", "other"], schemas=schemas).rules
    assert draft(definition=rule % '"*"', tools=["other"], schemas=schemas).rules
    with pytest.raises(PolicyError):
        draft(definition=rule % '"*"', tools=["stripe_refund", "other"], schemas=schemas)
