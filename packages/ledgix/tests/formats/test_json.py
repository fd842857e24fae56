"""Strict JSON: what is accepted, what is refused, and where the refusal points."""

import json as stdlib
import re
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgix.errors import JsonError
from ledgix.formats import json, json_paths

ACCEPTED = [
    (b"{}", {}),
    (b' \t\r\n{"a" : [ 1 , true , false , null ] }\n', {"a": [1, True, False, None]}),
    (b"45", 45),
    (b"45.0", 45),
    (b"4.5e1", 45),
    (b"4500e-2", 45),
    (b"-0", 0),
    (b"-0.0", 0),
    (b"0e99999999999999999999", 0),
    (b"0.1", Decimal("0.1")),
    (b"0.10", Decimal("0.1")),
    (b"1e-7", Decimal("1e-7")),
    (b"5e-324", Decimal("5e-324")),
    (b"-12.50", Decimal("-12.5")),
    (b"9007199254740991", 2**53 - 1),
    (b"-9007199254740991", -(2**53) + 1),
    (b"9007199254740991.0", 2**53 - 1),
    (b"900719925474099.1e1", 2**53 - 1),
    (b"123456.78900000000000000000000000", Decimal("123456.789")),
    (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\u0000\\/\\b\\f\\n\\r\\t\\"\\\\"', '\0/\b\f\n\r\t"\\'),
    ('"ü€😀"'.encode(), "ü€😀"),
    (b'{"":{"":1}}', {"": {"": 1}}),
    (b"[" * 32 + b"]" * 32, None),
]

REFUSED = [
    (b"", "$", "found the end"),
    (b"\xef\xbb\xbf{}", "$", "byte order mark"),
    (b'{"a": "\xff"}', "$", "not UTF-8 at byte 7"),
    (b'"\xed\xa0\x80"', "$", "not UTF-8"),
    (b"{} {}", "$", "nothing more may follow"),
    (b'{"a":1,}', "$", "member's name"),
    (b"{a:1}", "$", "member's name"),
    (b"{'a':1}", "$", "member's name"),
    (b'{"a" 1}', "$.a", "expected ':'"),
    (b'{"a":1 "b":2}', "$", "expected ',' or '}'"),
    (b"[1,]", "$[1]", "expected a value"),
    (b"[1 2]", "$", "expected ',' or ']'"),
    (b'{"a":[1,{"b":', "$.a[1].b", "found the end"),
    (b'{"a":NaN}', "$.a", "NaN is not a JSON value"),
    (b'{"a":[0,Infinity]}', "$.a[1]", "Infinity is not a JSON value"),
    (b'{"a":-Infinity}', "$.a", "-Infinity is not a JSON value"),
    (b'{"a":{"b":1,"c":2,"b":3}}', "$.a.b", "more than once"),
    (b'{"a":1,"\\u0061":1}', "$.a", "more than once"),
    (b'{"tool_args":{"items":[1,2,{"amount":1e400}]}}', "$.tool_args.items[2].amount", "shortest decimal"),
    (b"[100.00000000000000001]", "$[0]", "shortest decimal"),
    (b"[1e-400]", "$[0]", "shortest decimal"),
    (b"[1e-99999999999999999999]", "$[0]", "shortest decimal"),
    (b"[4.9e-324]", "$[0]", "shortest decimal"),
    (b"[9007199254740992]", "$[0]", "beyond"),
    (b"[9007199254740993]", "$[0]", "beyond"),
    (b"[-9007199254740992]", "$[0]", "beyond"),
    (b"[9007199254740992.0]", "$[0]", "beyond"),
    (b"[1e16]", "$[0]", "beyond"),
    (b"[1e300]", "$[0]", "beyond"),
    (b"[" + b"9" * 5000 + b"]", "$[0]", "beyond"),
    (b"[01]", "$", "expected ',' or ']'"),
    (b"[1.]", "$", "expected ',' or ']'"),
    (b"[.5]", "$[0]", "expected a value"),
    (b"[+1]", "$[0]", "expected a value"),
    (b"[0x10]", "$", "expected ',' or ']'"),
    ("[\u0661]".encode(), "$[0]", "expected a value"),
    (b'"\x01"', "$", "string"),
    (b'"abc', "$", "string"),
    (b'"\\x41"', "$", "string"),
    (b'"\\u00g0"', "$", "string"),
    (b'"\\u+123"', "$", "string"),
    (b'"\\u 123"', "$", "string"),
    (b'"\\u1_23"', "$", "string"),
    (b'"\\U00000041"', "$", "string"),
    (b"[1_000]", "$", "expected ',' or ']'"),
    (b'{"a":"\\ud800"}', "$.a", "surrogate"),
    (b'{"a":"\\ude00\\ud83d"}', "$.a", "surrogate"),
    (b'{"a":"\\uD83Dx\\uDE00"}', "$.a", "surrogate"),
    (b'{"a":{"\\ud800":1}}', "$.a", "surrogate"),
    (b"[" * 33 + b"]" * 33, "$" + "[0]" * 32, "32 levels"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, "$" + ".a" * 32, "32 levels"),
    (b"\x00{}", "$", "expected a value"),
    ("\u00a0{}".encode(), "$", "expected a value"),
    (b"tru", "$", "expected a value"),
    (b"nulll", "$", "nothing more"),
    (b'{"a b":{"c\\"d":NaN}}', '$["a b"]["c\\"d"]', "NaN"),
]


@pytest.mark.parametrize(("raw", "value"), ACCEPTED)
def test_accepts_by_value(raw: bytes, value: json.Json) -> None:
    found = json.parse(raw)
    if value is not None:
        assert found == value
        assert repr(found) == repr(value)
    assert json_paths.read(raw, max_depth=32) == found


@pytest.mark.parametrize(("raw", "path", "message"), REFUSED)
def test_refuses_and_names_the_path(raw: bytes, path: str, message: str) -> None:
    with pytest.raises(JsonError, match=re.escape(message)) as caught:
        json.parse(raw)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'[{"a":', b"[[],"])
def test_deep_nesting_is_a_json_error(unit: bytes) -> None:
    with pytest.raises(JsonError):
        json.parse(unit * (200_000 // len(unit)))


def test_depth_is_a_parameter() -> None:
    assert json.parse(b"[" * 40 + b"]" * 40, max_depth=40)
    with pytest.raises(JsonError, match="40 levels"):
        json.parse(b"[" * 41 + b"]" * 41, max_depth=40)


def test_many_siblings_are_not_depth() -> None:
    assert len(json.parse_object(b'{"a":[' + b"{}," * 5000 + b"[]]}")["a"]) == 5001  # type: ignore[arg-type]


def test_top_level_must_be_an_object_where_it_matters() -> None:
    with pytest.raises(JsonError, match="must be an object, not an array"):
        json.parse_object(b"[]")


# An oracle of its own: the standard library reads, and the rules of contract section 2 are applied to what it read.


def _rules_hold(raw: bytes) -> bool:
    try:
        tokens = stdlib.loads(
            raw.decode("utf-8"),
            object_pairs_hook=lambda pairs: ("object", pairs),
            parse_float=_Literal,
            parse_int=_Literal,
            parse_constant=_Literal,
        )
    except (ValueError, RecursionError):
        return False
    return _fine(tokens, 0)


class _Literal(str):
    __slots__ = ()


def _fine(value: object, depth: int) -> bool:
    if isinstance(value, _Literal):
        return _fine_number(value)
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    if isinstance(value, tuple):
        pairs = value[1]
        names = [name for name, _ in pairs]
        return (
            depth < 32
            and len(set(names)) == len(names)
            and all(_fine(name, depth) and _fine(item, depth + 1) for name, item in pairs)
        )
    if isinstance(value, list):
        return depth < 32 and all(_fine(item, depth + 1) for item in value)
    return True


def _fine_number(literal: str) -> bool:
    if literal.endswith(("NaN", "Infinity")):
        return False
    if len(literal) > 400:
        return True  # not judged by this oracle
    mantissa, _, exponent = literal.lower().partition("e")
    if abs(int(exponent or 0)) > 2000:
        return not mantissa.strip("-0.")
    exact = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    if exact.denominator == 1:
        return abs(exact) < 2**53
    return float(literal) not in (float("inf"), float("-inf")) and Fraction(repr(float(literal))) == exact


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\udfff\ud800", "\N{GRINNING FACE}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["a", "\ud83d"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def nearly_json(draw: st.DrawFn) -> bytes:
    """A valid text with a few bytes replaced, dropped or repeated."""
    value = draw(json_values)
    raw = bytearray(
        stdlib.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).encode(
            "utf-8", "surrogatepass"
        )
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["insert", "replace", "drop", "repeat"])):
            case "insert":
                raw[at:at] = draw(st.sampled_from([b'"', b"\\", b"\\u", b"1e5", b".0", b"-", b"[", b"}", b",", b"NaN"]))
            case "replace":
                raw[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "drop":
                del raw[at : at + 1]
            case _:
                raw[at:at] = raw[at : at + 12]
    return bytes(raw)


JSON_BYTES = st.text(alphabet='{}[]",:\\u0123456789abcdefDE+-._truefalsnx \n', max_size=40).map(str.encode)


@given(st.binary(max_size=40) | JSON_BYTES | nearly_json())
@example(b'{"a":1}')
@example(b'["\\ud800"]')
def test_accepts_exactly_what_the_rules_allow(raw: bytes) -> None:
    try:
        value = json.parse(raw)
    except JsonError:
        accepted = False
    else:
        accepted = True
        # Fast and careful reader agree, types included.
        assert repr(json_paths.read(raw, max_depth=32)) == repr(value)
    assert accepted == _rules_hold(raw)


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_is_accepted_survives_every_reader(number: Decimal | float) -> None:
    raw = str(number).encode()
    try:
        value = json.parse(raw)
    except JsonError:
        return
    assert isinstance(value, int | Decimal)
    assert value == Decimal(str(number))
    assert Decimal(repr(float(value))) == value
    assert json.parse(json.dumps(value)) == value


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


def test_python_values_become_exact() -> None:
    value = {"a": (1, 2.0, 2.5, -0.0, Decimal("1.50")), "b": Colour.RED, "c": Level.LOW, "d": [True, None, "ü"]}
    found = json.from_python(value)
    assert found == {"a": [1, 2, Decimal("2.5"), 0, Decimal("1.5")], "b": "red", "c": 1, "d": [True, None, "ü"]}
    assert isinstance(found, dict)
    assert type(found["b"]) is str
    assert type(found["c"]) is int
    assert repr(found["a"]) == "[1, 2, Decimal('2.5'), 0, Decimal('1.5')]"


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"a": [float("nan")]}, "$.a[0]", "NaN"),
        ({"a": float("inf")}, "$.a", "Infinity"),
        (Decimal("NaN"), "$", "NaN"),
        (Decimal("sNaN"), "$", "NaN"),
        (Decimal("0.10000000000000000001"), "$", "shortest decimal"),
        (Decimal("1e400"), "$", "shortest decimal"),
        (Decimal("1e-999999"), "$", "shortest decimal"),
        (2**53, "$", "beyond"),
        (1e16, "$", "beyond"),
        ({1: 2}, "$", "name must be a string"),
        ({"a": {1, 2}}, "$.a", "a set has no JSON form"),
        ({"a": b"x"}, "$.a", "a bytes has no JSON form"),
        ({"a": "\ud800"}, "$.a", "surrogate"),
        ({"\ud800": 1}, "$", "surrogate"),
    ],
)
def test_python_values_without_an_exact_form_are_refused(value: object, path: str, message: str) -> None:
    with pytest.raises(JsonError, match=message) as caught:
        json.from_python(value)
    assert caught.value.path == path


def test_a_python_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(JsonError, match="levels"):
        json.from_python(loop)


@given(json_values)
def test_whatever_from_python_accepts_parse_accepts_too(value: object) -> None:
    try:
        exact = json.from_python(value)
    except JsonError:
        return
    assert repr(json.parse(json.dumps(exact))) == repr(exact)
    assert repr(json.from_python(exact)) == repr(exact)
