"""Deterministic CBOR: published vectors where the contract's form agrees with them, key order, strict decoding."""

import json as stdlib
import math
import struct
from base64 import b64decode
from decimal import Decimal
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import CborError
from ledgix.formats import cbor, json

PLAIN = (type(None), bool, int, float, str, list, dict)


def _in_our_form(value: object) -> bool:
    """No floats (ours are always 64 bits), text keys only, no big numbers."""
    match value:
        case dict():
            return all(isinstance(key, str) and _in_our_form(item) for key, item in value.items())
        case list():
            return all(map(_in_our_form, value))
        case bool() | None | str() | bytes():
            return True
        case int():
            return -(2**64) <= value < 2**64
        case _:
            return False


def _appendix_a(vectors: Path) -> list[dict[str, object]]:
    cases = stdlib.loads((vectors / "cbor-rfc8949-appendix-a" / "appendix_a.json").read_text())
    assert len(cases) == 82
    return cases  # type: ignore[no-any-return]


def test_appendix_a(vectors: Path) -> None:
    ours, others = 0, 0
    for case in _appendix_a(vectors):
        raw = bytes.fromhex(str(case["hex"]))
        if "decoded" in case and case["roundtrip"] and _in_our_form(case["decoded"]):
            assert cbor.encode(case["decoded"]) == raw, case  # type: ignore[arg-type]
            assert cbor.decode(raw) == case["decoded"]
            ours += 1
        elif raw[0] == 0xFB and isinstance(case.get("decoded"), float):
            assert cbor.decode(raw) == case["decoded"]
            assert cbor.encode(case["decoded"]) == raw  # type: ignore[arg-type]
            ours += 1
        elif raw[0] in range(0x40, 0x58):
            assert cbor.encode(cbor.decode(raw)) == raw
            ours += 1
        else:
            # Half and single floats, tags, indefinite lengths, integer keys, undefined, NaN: not our form.
            with pytest.raises(CborError):
                cbor.decode(raw)
            others += 1
    assert (ours, others) == (39, 43)


def test_the_example_set_of_cbor2(vectors: Path) -> None:
    """Most of it is beyond the contract's form (tags, half floats, big numbers); text and doubles are within."""
    folder = vectors / "cbor-rfc8949-appendix-a" / "cbor2" / "tests"
    examples = cbor2.loads(b64decode((folder / "examples.cbor.b64").read_text()))
    within = {name for name, values in examples.items() if all(map(_encodes, values))}
    assert within == {"bytes", "strings"}
    for name in within:
        assert cbor.decode(cbor.encode(examples[name])) == examples[name]
        assert cbor.encode(examples[name]) == cbor2.dumps(examples[name])


def _encodes(value: object) -> bool:
    try:
        return bool(cbor.encode(value))  # type: ignore[arg-type]
    except CborError:
        return False


def test_every_float_is_a_double(vectors: Path) -> None:
    for case in _appendix_a(vectors):
        value = case.get("decoded")
        if isinstance(value, float) and math.isfinite(value):
            assert cbor.encode(value) == b"\xfb" + struct.pack(">d", value)


def test_text_keys_of_the_length_first_example(vectors: Path) -> None:
    order = stdlib.loads((vectors / "cbor-rfc8949-appendix-a" / "deterministic_order.json").read_text())
    keys = [cbor2.loads(bytes.fromhex(key)) for key in order["length_first_4_2_3"]]
    text = [key for key in keys if isinstance(key, str)]
    assert text == ["z", "aa"]
    assert cbor.encode(dict.fromkeys(reversed(text), 0)) == bytes.fromhex("a2617a0062616100")


def test_keys_sort_by_length_in_characters_then_by_code_point() -> None:
    keys = ["b", "a", "aa", "é", "\ufb33", "\N{GRINNING FACE}", "ab", "", "B"]
    encoded = cbor.decode(cbor.encode(dict.fromkeys(keys)))
    assert isinstance(encoded, dict)
    assert list(encoded) == ["", "B", "a", "b", "é", "\ufb33", "\N{GRINNING FACE}", "aa", "ab"]
    # By bytes of UTF-8, as RFC 8949 has it, "aa" would stand before the two-byte "é".


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "nothing"),
        ("0000", "bytes that follow"),
        ("1817", "an integer that fits in one byte less"),
        ("1900ff", "an integer that fits in one byte less"),
        ("f93c00", "a half float"),
        ("fa3f800000", "a single float"),
        ("fb7ff8000000000000", "NaN"),
        ("fb7ff0000000000000", "Infinity"),
        ("9f01ff", "an indefinite array"),
        ("bf616101ff", "an indefinite map"),
        ("7f6161ff", "indefinite text"),
        ("5f4161ff", "indefinite bytes"),
        ("a2616201616102", "keys out of order"),
        ("a262616101617a02", "keys out of order by length"),
        ("a2616101616102", "a key twice"),
        ("a10101", "an integer key"),
        ("a1f601", "a null key"),
        ("c000", "a tag"),
        ("c11a514b67b0", "a date"),
        ("c249010000000000000000", "a big number"),
        ("d9d9f700", "self-described CBOR"),
        ("f7", "undefined"),
        ("e0", "a simple value"),
        ("f818", "a simple value in two bytes"),
        ("61ff", "text that isn't UTF-8"),
        ("63eda080", "text with half a surrogate pair"),
        ("8201", "an array cut short"),
        ("9bffffffffffffffff", "an array longer than its text"),
        ("81" * 100_000 + "00", "depth"),
        ("a16161" * 70 + "00", "depth of maps"),
    ],
)
def test_decoding_refuses_every_other_form(raw: str, why: str) -> None:
    with pytest.raises(CborError):
        cbor.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 2**64, -(2**64) - 1, {1: 2}, {"a": {None: 1}}, (1, 2), {1}, object(), Decimal(1), "\ud800"],
)
def test_encoding_refuses_what_the_form_cannot_hold(value: object) -> None:
    with pytest.raises(CborError):
        cbor.encode(value)  # type: ignore[arg-type]


cbor_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(cbor_values)
def test_round_trip(value: cbor.Cbor) -> None:
    raw = cbor.encode(value)
    assert repr(cbor.decode(raw)) == repr(_sorted(value))
    assert cbor2.loads(raw) == value


def _sorted(value: cbor.Cbor) -> cbor.Cbor:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: (len(key), key))}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@given(st.binary(max_size=60))
def test_whatever_is_accepted_has_one_spelling(raw: bytes) -> None:
    try:
        value = cbor.decode(raw)
    except CborError:
        return
    assert cbor.encode(value) == raw


@given(st.dictionaries(st.text(max_size=4), st.integers(-9, 9) | st.booleans() | st.none(), max_size=6))
def test_numbers_of_arguments_become_doubles(members: dict[str, json.Json]) -> None:
    raw = cbor.dumps_ordered(cbor.doubles({"a": members, "b": [Decimal("1.5"), 1, True]}))
    back = cbor.decode(raw)
    assert isinstance(back, dict)
    assert repr(back["b"]) == "[1.5, 1.0, True]"
    inner = back["a"]
    assert isinstance(inner, dict)
    assert all(not isinstance(item, int) or isinstance(item, bool) for item in inner.values())
    assert inner == members
