"""Lists made from lists, and what is computed over them. `map`, `filter`, `exists_one` are CEL's macros; `sum`, `min`,
`max` and `distinct` are methods as in Kubernetes' CEL library. Everything is bounded by the items looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, DecimalException
from typing import Final, cast

from ledgix_vault.policy.cel.inputs import EXACT, Inputs, Outcome, Unknown, Value, is_number
from ledgix_vault.policy.cel.operators import Operand, Read, Test, count_items, unusable


def items_of(of: Operand, inputs: Inputs) -> Sequence[Value] | Unknown:
    """The list to look through, taken off the condition's budget."""
    found = of.read(inputs)
    if not isinstance(found, list | tuple):
        return unusable(found, of.label, "a list")
    refusal = count_items(found, inputs, of.label)
    return cast("Sequence[Value]", found) if refusal is None else refusal


def literal(reads: Sequence[Read]) -> Read:
    """`[a, b]`; as in CEL it is unknown as soon as one item is, whether or not that item is looked at."""

    def read(inputs: Inputs) -> Value:
        found: list[Value] = []
        for each in reads:
            value = each(inputs)
            if isinstance(value, Unknown):
                return value
            found.append(value)
        return found

    return read


def map_literal(entries: Sequence[tuple[str, Read]]) -> Read:
    """`{"a": b}`, in the same way."""
    names = [name for name, _ in entries]
    values = literal([value for _, value in entries])

    def read(inputs: Inputs) -> Value:
        found = values(inputs)
        return dict(zip(names, found, strict=True)) if isinstance(found, list) else found

    return read


def mapped(of: Operand, body: Read) -> Read:
    """`list.map(x, e)`; unknown as soon as one item's value is."""

    def read(inputs: Inputs) -> Value:
        items = items_of(of, inputs)
        if isinstance(items, Unknown):
            return items
        found: list[Value] = []
        for item in items:
            inputs.items.append(item)
            value = body(inputs)
            inputs.items.pop()
            if isinstance(value, Unknown):
                return value
            found.append(value)
        return found

    return read


def filtered(of: Operand, body: Test) -> Read:
    """`list.filter(x, c)`; unknown as soon as the condition is for one item."""

    def read(inputs: Inputs) -> Value:
        items = items_of(of, inputs)
        if isinstance(items, Unknown):
            return items
        found: list[Value] = []
        for item in items:
            inputs.items.append(item)
            outcome = body(inputs)
            inputs.items.pop()
            if isinstance(outcome, Unknown):
                return outcome
            if outcome:
                found.append(item)
        return found

    return read


def exactly_one(of: Operand, body: Test) -> Test:
    """`list.exists_one(x, c)`: unlike `exists` it has to know the condition of every item."""
    inner = filtered(of, body)

    def test(inputs: Inputs) -> Outcome:
        found = inner(inputs)
        return found if isinstance(found, Unknown) else len(cast("list[Value]", found)) == 1

    return test


def _sum(numbers: Sequence[int | Decimal], label: str) -> Value:
    total: int | Decimal = 0
    try:
        for number in numbers:
            exact = type(total) is int and type(number) is int
            total = total + number if exact else EXACT.add(Decimal(total), Decimal(number))
    except DecimalException:
        return Unknown(f"{label} can't be computed exactly")
    return total


def _least(numbers: Sequence[int | Decimal], label: str) -> Value:
    return min(numbers) if numbers else Unknown(f"{label}: the list is empty")


def _greatest(numbers: Sequence[int | Decimal], label: str) -> Value:
    return max(numbers) if numbers else Unknown(f"{label}: the list is empty")


AGGREGATES: Final[Mapping[str, Callable[[Sequence[int | Decimal], str], Value]]] = {
    "sum": _sum,
    "min": _least,
    "max": _greatest,
}


def aggregate(name: str, of: Operand) -> Read:
    """`list.sum()`, `list.min()` or `list.max()` of numbers; the sum of nothing is 0."""
    compute = AGGREGATES[name]
    label = f"the {name} of {of.label}"

    def read(inputs: Inputs) -> Value:
        items = items_of(of, inputs)
        if isinstance(items, Unknown):
            return items
        for item in items:
            if not is_number(item):
                return unusable(item, f"an item of {of.label}", "a number")
        return compute(cast("Sequence[int | Decimal]", items), label)

    return read


def distinct(of: Operand) -> Read:
    """`list.distinct()`: each value once, in the order of its first appearance; strings, or numbers."""

    def read(inputs: Inputs) -> Value:
        items = items_of(of, inputs)
        if isinstance(items, Unknown):
            return items
        if all(type(item) is str for item in items) or all(is_number(item) for item in items):
            once: list[Value] = [*dict.fromkeys(cast("Sequence[str]", items))]
            return once
        return Unknown(f"{of.label} isn't a list of strings or of numbers")

    return read
