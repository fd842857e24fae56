"""From a Python call to the exact arguments that the Vault decides about, and back.

Invariants:

- An argument that isn't seen isn't guarded, so every argument is seen: positional ones by their parameter's name,
  defaults as if they had been given, `**kwargs` by their own names, a non-empty `*args` as a list under its name.
- Left out are only the receiver (`self`, `cls`) of a method, and parameters that the guard names in `leave_out`.
- Two arguments never share a name, and a value without an exact JSON form is refused: both before anything is sent.
- What runs is what was approved: arguments that changed in between are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from ledgix.client.errors import ArgumentsError
from ledgix.formats import jcs
from ledgix.formats import json as exact
from ledgix.formats.json import Json, JsonObject

Call: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]

_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)
_PLAIN = (type(None), bool, int, float, Decimal, str, list, tuple, dict)


@dataclass(frozen=True, slots=True)
class GuardedSignature:
    """A function's parameters, and which of them the Vault does not see."""

    signature: inspect.Signature
    receiver: str | None
    left_out: frozenset[str]

    @classmethod
    def of(
        cls, function: Callable[..., object], *, leave_out: Collection[str] = (), is_method: bool | None = None
    ) -> GuardedSignature:
        """`is_method`: whether the first parameter is a receiver; None looks at where and how it was defined."""
        signature = inspect.signature(function)
        unknown = sorted(set(leave_out) - set(signature.parameters))
        if unknown:
            raise TypeError(f"{function!r} has no parameter {', '.join(unknown)} to leave out")
        has_receiver = _looks_like_method(function, signature) if is_method is None else is_method
        receiver = next(iter(signature.parameters), None) if has_receiver else None
        return cls(signature, receiver, frozenset(leave_out))

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> BoundCall:
        """Raises TypeError as the function itself would, ArgumentsError or JsonError for what can't be guarded."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        seen: dict[str, Any] = {}
        for parameter in self.signature.parameters.values():
            value = bound.arguments[parameter.name]
            if parameter.name in self.left_out or (parameter.name == self.receiver and type(value) not in _PLAIN):
                continue
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                self._refuse_collision(parameter.name, value)
                seen.update(value)
            elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL or value:
                seen[parameter.name] = value
        return BoundCall(self, bound, MappingProxyType(seen), _exact(seen))

    def _refuse_collision(self, catch_all: str, extra: Mapping[str, Any]) -> None:
        taken = set(self.signature.parameters) - {catch_all}
        shared = sorted(taken & set(extra))
        if shared:
            raise ArgumentsError(
                f"**{catch_all} holds {', '.join(shared)}, also a parameter's name: the Vault could not tell them apart"
            )


@dataclass(frozen=True, slots=True)
class BoundCall:
    """One call: the Python objects, and the exact arguments as they were when it was bound."""

    guarded: GuardedSignature
    bound: inspect.BoundArguments
    seen: Mapping[str, Any]
    exact: JsonObject

    def approved(self, effective: JsonObject | None) -> Call:
        """The `(args, kwargs)` to run: as bound, or with `effective` in the place of what was asked.

        Unchanged values stay the caller's own objects. Changed ones are plain Python data; a number takes the type
        (float or Decimal) of the value that it replaces.
        """
        if jcs.canonicalize(_exact(self.seen)) != jcs.canonicalize(self.exact):
            raise ArgumentsError("the arguments changed while the approval was awaited; nothing ran, ask again")
        if effective is None or jcs.canonicalize(effective) == jcs.canonicalize(self.exact):
            return self.bound.args, self.bound.kwargs
        changed = inspect.BoundArguments(self.guarded.signature, self._changed(effective))
        return changed.args, changed.kwargs

    def _changed(self, effective: JsonObject) -> dict[str, Any]:
        rest = dict(effective)
        arguments: dict[str, Any] = {}
        for parameter in self.guarded.signature.parameters.values():
            name = parameter.name
            original = self.bound.arguments[name]
            if (name not in self.seen and parameter.kind in _NAMED) or name in self.guarded.left_out:
                arguments[name] = original
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments[name] = {key: self._value(key, value, original.get(key)) for key, value in rest.items()}
                rest = {}
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                arguments[name] = _items(name, self._value(name, rest.pop(name, []), original))
            elif name in rest:
                arguments[name] = self._value(name, rest.pop(name), original)
            else:
                raise ArgumentsError(f"the approval leaves out {name}; its default was not approved, so nothing ran")
        if rest:
            raise ArgumentsError(f"the approval adds {', '.join(sorted(rest))}, which the function does not take")
        return arguments

    def _value(self, name: str, approved: Json, original: object) -> object:
        if name in self.exact and jcs.canonicalize(approved) == jcs.canonicalize(self.exact[name]):
            return original
        return _to_python(approved, original)


def _exact(seen: Mapping[str, Any]) -> JsonObject:
    # Wrapped, so that an error names the path that the Vault would: $.tool_args.amount.
    body = exact.from_python({"tool_args": dict(seen)})
    assert isinstance(body, dict)
    value = body["tool_args"]
    assert isinstance(value, dict)
    return value


def _to_python(value: Json, like: object) -> object:
    match value:
        case bool():
            return value
        case int() | Decimal() if isinstance(like, Decimal):
            return Decimal(value)
        case int() if isinstance(like, float) and not isinstance(like, bool):
            return float(value)
        case Decimal():
            return float(value)
        case list():
            return [_to_python(item, None) for item in value]
        case dict():
            return {name: _to_python(item, None) for name, item in value.items()}
        case _:
            return value


def _items(name: str, value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ArgumentsError(f"the approval's {name} must be a list")
    return tuple(value)


def _looks_like_method(function: Callable[..., object], signature: inspect.Signature) -> bool:
    """Defined in a class body, with a first parameter named as receivers are.

    A function elsewhere may well have an argument called `self`; `bind` also keeps a `self` that is plain data.
    """
    first = next(iter(signature.parameters.values()), None)
    if first is None or first.name not in ("self", "cls") or first.kind not in _NAMED[:2]:
        return False
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(owner) and not owner.endswith("<locals>")
