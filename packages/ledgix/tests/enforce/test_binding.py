"""Every argument is seen, under one name, exactly; and what was approved is what runs."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.client.errors import ArgumentsError
from ledgix.enforce.binding import GuardedSignature
from ledgix.errors import JsonError


def seen(function: Any, *args: Any, **kwargs: Any) -> dict:
    return GuardedSignature.of(function).bind(args, kwargs).exact


def test_positional_named_and_default_arguments_are_seen_alike() -> None:
    def refund(order_id, amount=10, *, currency="USD"): ...

    expected = {"order_id": "A", "amount": 45, "currency": "USD"}
    assert seen(refund, "A", 45) == expected
    assert seen(refund, amount=45, order_id="A") == expected
    assert seen(refund, "A", 45, currency="USD") == expected
    assert seen(refund, "A")["amount"] == 10


def test_variable_arguments_are_seen() -> None:
    def call(first, *rest, **more): ...

    assert seen(call, 1) == {"first": 1}
    assert seen(call, 1, 2, 3, x=4) == {"first": 1, "rest": [2, 3], "x": 4}
    assert seen(call, 1, more=5) == {"first": 1, "more": 5}


def test_a_collision_of_names_is_refused() -> None:
    def positional_only(a, /, **more): ...

    def variable(*rest, **more): ...

    with pytest.raises(ArgumentsError, match="also a parameter"):
        seen(positional_only, 1, a=2)
    with pytest.raises(ArgumentsError):
        seen(variable, 1, rest=2)


class Shop:
    def refund(self, amount): ...

    def odd(this, amount): ...

    @classmethod
    def of(cls, amount): ...

    @staticmethod
    def static(self, amount): ...  # noqa: PLW0211


def test_only_a_real_receiver_is_left_out() -> None:
    def function(self, amount): ...

    assert seen(Shop.refund, Shop(), 5) == {"amount": 5}
    assert seen(Shop().refund, 5) == {"amount": 5}
    assert seen(Shop.of, 5) == {"amount": 5}
    assert seen(function, "me", 5) == {"self": "me", "amount": 5}
    # Not distinguishable from a method by its looks; but a receiver is never plain data.
    assert seen(Shop.static, "me", 5) == {"self": "me", "amount": 5}
    with pytest.raises(JsonError):
        seen(Shop.odd, Shop(), 5)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", 2**53, float("nan"), {1: 2}, Decimal("1e400")])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    def call(x, *rest, **more): ...

    for args, kwargs, path in (
        ((value,), {}, r"\$\.tool_args\.x"),
        ((1, value), {}, "rest"),
        ((1,), {"y": value}, "y"),
    ):
        with pytest.raises(JsonError, match=path):
            seen(call, *args, **kwargs)


def test_leave_out_is_by_name_and_checked() -> None:
    def refund(session, order_id): ...

    assert GuardedSignature.of(refund, leave_out=["session"]).bind((object(), "A"), {}).exact == {"order_id": "A"}
    with pytest.raises(TypeError, match="sesion"):
        GuardedSignature.of(refund, leave_out=["sesion"])


def test_a_wrong_call_fails_like_the_function() -> None:
    def refund(order_id): ...

    for args, kwargs in (((), {}), ((1, 2), {}), ((), {"amount": 1})):
        with pytest.raises(TypeError):
            seen(refund, *args, **kwargs)


# Properties over generated signatures and calls

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5) | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KINDS = inspect.Parameter


@st.composite
def calls(draw: st.DrawFn) -> tuple[inspect.Signature, tuple, dict]:
    """A signature of any shape, and arguments that fit it."""
    parameters, args, kwargs = [], [], {}
    for kind in (KINDS.POSITIONAL_ONLY, KINDS.POSITIONAL_OR_KEYWORD):
        for _ in range(draw(st.integers(0, 2))):
            parameters.append(KINDS(f"p{len(parameters)}", kind))
            args.append(draw(json_values))
    if draw(st.booleans()):
        parameters.append(KINDS("rest", KINDS.VAR_POSITIONAL))
        args += draw(st.lists(json_values, max_size=2))
    for _ in range(draw(st.integers(0, 2))):
        name = f"p{len(parameters)}"
        if draw(st.booleans()):
            parameters.append(KINDS(name, KINDS.KEYWORD_ONLY, default=draw(json_values)))
        else:
            parameters.append(KINDS(name, KINDS.KEYWORD_ONLY))
            kwargs[name] = draw(json_values)
    if draw(st.booleans()):
        parameters.append(KINDS("more", KINDS.VAR_KEYWORD))
        kwargs |= draw(st.dictionaries(st.sampled_from(["x", "y", "more"]), json_values, max_size=2))
    return inspect.Signature(parameters), tuple(args), kwargs


def function_of(signature: inspect.Signature) -> Any:
    def function(*args: Any, **kwargs: Any) -> tuple:
        return args, kwargs

    function.__signature__ = signature
    return function


@given(calls())
def test_every_argument_is_seen_and_runs_unchanged(call: tuple[inspect.Signature, tuple, dict]) -> None:
    signature, args, kwargs = call
    bound = GuardedSignature.of(function_of(signature)).bind(args, kwargs)
    flat = []
    for value in bound.seen.values():
        flat += list(value) if isinstance(value, tuple) else [value]
    for value in (*args, *kwargs.values()):
        assert any(value is item for item in flat)
    run_args, run_kwargs = bound.approved(None)
    assert run_args == args
    assert kwargs.items() <= run_kwargs.items()


@given(calls(), st.data())
def test_changed_arguments_are_what_runs(call: tuple[inspect.Signature, tuple, dict], data: st.DataObject) -> None:
    signature, args, kwargs = call
    guarded = GuardedSignature.of(function_of(signature))
    bound = guarded.bind(args, kwargs)
    if not bound.exact:
        return
    name = data.draw(st.sampled_from(sorted(bound.exact)))
    value = data.draw(st.lists(json_values) if name == "rest" else json_values)
    effective = {**bound.exact, name: guarded_value(value)}
    run_args, run_kwargs = bound.approved(effective)
    again = guarded.bind(run_args, run_kwargs).exact
    if name == "rest" and value == []:
        del effective["rest"]
    assert again == effective


def guarded_value(value: Any) -> Any:
    def one(value): ...

    return seen(one, value)["value"]


# What runs


def bound_refund(amount: Any = 45.0) -> Any:
    def refund(order_id, amount, note=None): ...

    return GuardedSignature.of(refund).bind(("A", amount), {})


def test_changed_numbers_keep_the_callers_type() -> None:
    assert bound_refund(45.5).approved({"order_id": "A", "amount": 20, "note": None})[0] == ("A", 20.0, None)
    assert type(bound_refund(45.5).approved({"order_id": "A", "amount": 20, "note": None})[0][1]) is float
    assert type(bound_refund(Decimal("45.5")).approved({"order_id": "A", "amount": 20, "note": None})[0][1]) is Decimal
    assert type(bound_refund(45).approved({"order_id": "A", "amount": Decimal("20.5"), "note": None})[0][1]) is float


@pytest.mark.parametrize("effective", [{}, {"order_id": "A", "amount": 1}, {"order_id": "A", "amount": 1, "z": 1}])
def test_an_approval_that_does_not_fit_the_function_does_not_run(effective: dict) -> None:
    with pytest.raises(ArgumentsError):
        bound_refund().approved(effective)
    with pytest.raises(ArgumentsError):
        bound_refund().approved({"order_id": "A", "amount": 1, "note": None, "extra": 1})


def test_arguments_that_changed_while_waiting_do_not_run() -> None:
    def pay(lines): ...

    lines = [{"amount": 5}]
    bound = GuardedSignature.of(pay).bind((lines,), {})
    lines[0]["amount"] = 5000
    with pytest.raises(ArgumentsError, match="changed"):
        bound.approved(None)
