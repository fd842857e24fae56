"""The functions of the language. `has`, `size`, `startsWith`, `endsWith`, `contains` and `lowerAscii` are CEL's;
`given` and `money` (in `amounts`) are ours."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Final, cast

from ledgix_vault.policy.cel.inputs import Inputs, Outcome, Unknown, Value
from ledgix_vault.policy.cel.operators import Operand, Read, Test, unusable

STRING_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def has(of: Operand, field: str, label: str) -> Test:
    """`has(x.field)`: whether the member is there. There but null is unknown: nobody can say what was meant."""
    read, of_label = of

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        if not isinstance(value, Mapping):
            return unusable(value, of_label, "an object")
        if field not in value:
            return False
        return True if cast(Mapping[str, object], value)[field] is not None else Unknown(f"{label} is null")

    return test


def given(root: Read, path: tuple[str, ...], label: str) -> Test:
    """`given(x.field)`: there, and neither null nor blank. A tool called with `""` was given nothing."""

    def test(inputs: Inputs) -> Outcome:
        value = root(inputs)
        for name in path:
            if value is None:
                return False
            if not isinstance(value, Mapping):
                return unusable(value, label, "an object")
            value = value.get(name)
        return value if isinstance(value, Unknown) else _says_something(value)

    return test


def _says_something(value: Value) -> bool:
    match value:
        case None:
            return False
        case str():
            return any(character.isprintable() and not character.isspace() for character in value)
        case list() | tuple() | Mapping():
            return len(value) > 0
        case _:
            return True


def size(of: Operand) -> Read:
    """`size(x)`: characters of a string, items of a list, members of an object."""
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        if isinstance(value, str | list | tuple | Mapping):
            return len(value)
        return unusable(value, label, "a string, a list or an object")

    return read


def string_test(name: str, of: Operand, part: Operand) -> Test:
    """`x.startsWith(part)` and its like."""
    check, (read_of, of_label), (read_part, part_label) = STRING_TESTS[name], of, part

    def test(inputs: Inputs) -> Outcome:
        value, wanted = read_of(inputs), read_part(inputs)
        if not isinstance(value, str):
            return unusable(value, of_label, "a string")
        if not isinstance(wanted, str):
            return unusable(wanted, part_label, "a string")
        return check(value, wanted)

    return test


def lower_ascii(of: Operand) -> Read:
    """`x.lowerAscii()`: A to Z become a to z, nothing else changes."""
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        return value.translate(_LOWER) if isinstance(value, str) else unusable(value, label, "a string")

    return read
