"""Which tools and which argument a phrase means. Exactly one answer, or none.

With a schema, a phrase means the property that has the same words ("order id": `order_id`, `orderId`). Without one
only phrases count that are names beyond doubt: written as one (`order_id`), ending like one ("order id"), or common
ones ("currency"). "Partial refunds" or "approval" name no argument, and the sentence isn't understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledgix_vault.policy.cel.parse import RESERVED, quote
from ledgix_vault.policy.cel.types import ANY, Kind
from ledgix_vault.policy.globs import covers, is_literal
from ledgix_vault.policy.money import Path
from ledgix_vault.policy.schemas import ToolSchema

ACTIONS: Final[Mapping[str, str]] = {
    "refund": "refund",
    "payment": "pay",
    "transfer": "transfer",
    "payout": "payout",
    "charge": "charge",
    "purchase": "purchase",
    "withdrawal": "withdraw",
    "deposit": "deposit",
}
"""Nouns of actions, each with what the name of a tool contains that does it."""
VERBS: Final = {
    "refund": "refund",
    "pay": "payment",
    "transfer": "transfer",
    "charge": "charge",
    "withdraw": "withdrawal",
}
ANY_ACTION: Final = frozenset(("transaction", "call", "request"))

COUNTED: Final = frozenset(("quantity", "count"))
_NUMBERS: Final = COUNTED | {"amount", "discount", "fee", "price", "tip"}
_ENTITIES: Final = frozenset(
    ("customer", "destination account", "email", "iban", "phone", "recipient", "source account", "url")
)
_TEXTS: Final = frozenset(
    (
        *("category", "comment", "country", "currency", "description", "memo", "message", "note", "payment method"),
        *("reason", "reference", "region", "status"),
    )
)
_LISTS: Final = frozenset(("attachment", "attachments", "comments", "metadata", "notes"))
_NAMED: Final = frozenset(
    (
        *(
            "account",
            "booking",
            "case",
            "charge",
            "confirmation",
            "country",
            "coupon",
            "currency",
            "customer",
            "employee",
        ),
        *("invoice", "item", "merchant", "order", "payment", "postal", "product", "promo", "purchase", "reason"),
        *("receipt", "reference", "refund", "request", "reservation", "session", "tax", "ticket", "tracking"),
        *("transaction", "user", "vendor", "zip"),
    )
)
_NAME_ENDINGS: Final = ("id", "code", "number")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DETERMINER: Final = re.compile(r"(?:an?|the|all|any|every|each) (?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reach:
    """The tools that a sentence's rules apply to. `tools` go into the rules, empty for all of the policy;
    `is_closed` when every tool among them is named and has a schema; `is_single` when it is one named tool."""

    tools: tuple[str, ...]
    schemas: tuple[ToolSchema, ...]
    is_closed: bool
    is_single: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One argument or, where `root` is "facts", one fact. `spellings` has its other likely
    names, for tools without a schema."""

    path: Path
    kind: Kind = Kind.ANY
    allowed: tuple[str, ...] = ()
    is_declared: bool = False
    spellings: tuple[Path, ...] = ()
    root: str = "args"
    time: str = ""
    """ "timestamp" or "date" for text that holds one."""

    @property
    def expression(self) -> str:
        return expression(self.path, self.root)

    @property
    def label(self) -> str:
        """As assumptions call it."""
        return ".".join(self.path if self.root == "args" else (self.root, *self.path))

    @property
    def names_somebody(self) -> bool:
        """Whether its values are names of somebody or something: "VIP" describes a customer and names none."""
        words = words_of(self.path[-1])
        return " ".join(words) in _ENTITIES or words[-1] in _NAME_ENDINGS or "account" in words


def expression(path: Path, root: str = "args") -> str:
    """`args.order_id`, or `args["order-id"]` where the name isn't an identifier."""
    steps = (
        f".{name}" if _IDENTIFIER.fullmatch(name) and name not in RESERVED else f"[{quote(name)}]" for name in path
    )
    return root + "".join(steps)


def without_determiner(phrase: str) -> str:
    """ "the order id" → "order id"."""
    return _DETERMINER.sub("", phrase, count=1) if _DETERMINER.match(phrase) else phrase


def action_of(phrase: str) -> str | None:
    """The action that "refunds", "any refund" or "transactions" names."""
    noun = without_determiner(phrase).lower()
    for singular in (noun, noun.removesuffix("s")):
        if singular in ACTIONS or singular in ANY_ACTION:
            return singular
    return None


def reach_of(action: str | None, tools: Sequence[str], schemas: Mapping[str, ToolSchema]) -> Reach | None:
    """Where a sentence about `action` applies, None for any. A policy for refunds *and* charges gives no answer for
    "refunds": the sentence would leave the charges without a limit. For all tools it means those with the word in
    their name; the others are left to `otherwise`, which is review there."""
    stem = ACTIONS.get(action, "") if action else ""
    if any(stem not in tool.lower() for tool in tools):
        return None
    own = (f"*{stem}*", f"*{stem.capitalize()}*") if stem and not tools else ()
    concerned = tuple(schema for name, schema in sorted(schemas.items()) if covers(tools, name) and covers(own, name))
    named = bool(tools) and all(is_literal(tool) for tool in tools)
    return Reach(own, concerned, named and all(tool in schemas for tool in tools), named and len(tools) == 1)


def amount_in(reach: Reach) -> Field | None:
    """The argument that "the amount" means for every tool in reach."""
    found = {_amount_of(schema) for schema in reach.schemas}
    if not reach.is_closed:
        found.add(("amount",))
    path = found.pop() if len(found) == 1 else None
    return Field(path, Kind.NUMBER, is_declared=bool(reach.schemas)) if path else None


def field_in(phrase: str, reach: Reach) -> Field | None:
    """The argument that `phrase` names for every tool in reach."""
    written = phrase.strip("`")
    words = words_of(written)
    if not words:
        return None
    found = {_property_of(schema, words) for schema in reach.schemas}
    if not reach.is_closed:
        found.add(_undeclared(written, words))
    if len(found) != 1 or (name := found.pop()) is None:
        return None
    if not reach.schemas:
        camel = words[0] + "".join(word.capitalize() for word in words[1:])
        return Field((name,), _usual_kind(words), spellings=((camel,),) if camel != name else ())
    types = [schema.args.fields[name] if schema.args.fields else ANY for schema in reach.schemas]
    kinds = {found_type.kind for found_type in types}
    allowed = [_allowed(schema, name) for schema in reach.schemas]
    times = {_time(schema, name) for schema in reach.schemas}
    kind = kinds.pop() if len(kinds) == 1 else Kind.ANY
    return Field((name,), kind, _common(allowed), is_declared=True, time=times.pop() if len(times) == 1 else "")


def words_of(name: str) -> tuple[str, ...]:
    """("order", "id") for "order id", `order_id`, `orderId` and `order-id`; empty for what is no name."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")
    words = tuple(word.lower() for word in spaced.split(" ") if word)
    return words if all(_WORD.fullmatch(word) or word.isdigit() for word in words) and len(words) <= 5 else ()


def _amount_of(schema: ToolSchema) -> Path | None:
    if schema.money:
        return next(iter(schema.money)) if len(schema.money) == 1 else None
    fields = schema.args.fields or {}
    return ("amount",) if fields.get("amount", ANY).kind is Kind.NUMBER else None


def _property_of(schema: ToolSchema, words: tuple[str, ...]) -> str | None:
    found = [name for name in schema.args.fields or {} if words_of(name) == words]
    return found[0] if len(found) == 1 else None


def _undeclared(written: str, words: tuple[str, ...]) -> str | None:
    if _IDENTIFIER.fullmatch(written) and ("_" in written or written != written.lower()) and written[0].islower():
        return written
    phrase = " ".join(words)
    is_numbered = len(words) == 2 and words[0] in _NAMED and words[1] in _NAME_ENDINGS
    return "_".join(words) if is_numbered or phrase in _NUMBERS | _ENTITIES | _TEXTS | _LISTS else None


def _usual_kind(words: tuple[str, ...]) -> Kind:
    """What an argument of this name holds, for tools without a schema: nobody limits an order id."""
    phrase = " ".join(words)
    if phrase in _NUMBERS:
        return Kind.NUMBER
    if phrase in _LISTS:
        return Kind.LIST
    return Kind.STRING if phrase in _ENTITIES | _TEXTS or words[-1] in _NAME_ENDINGS else Kind.ANY


def _allowed(schema: ToolSchema, name: str) -> tuple[str, ...]:
    properties = schema.schema.get("properties")
    inner = properties.get(name) if isinstance(properties, dict) else None
    values = inner.get("enum") if isinstance(inner, dict) else None
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _time(schema: ToolSchema, name: str) -> str:
    properties = schema.schema.get("properties")
    inner = properties.get(name) if isinstance(properties, dict) else None
    declared = inner.get("format") if isinstance(inner, dict) else None
    return {"date-time": "timestamp", "date": "date"}.get(str(declared), "")


def _common(allowed: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = allowed
    return first if all(other == first for other in others) else ()
