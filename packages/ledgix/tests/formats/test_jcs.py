"""RFC 8785: published vectors, and agreement with the `rfc8785` package on everything else."""

import json as stdlib
from decimal import Decimal
from pathlib import Path

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ledgix.errors import FormatError
from ledgix.formats import jcs, json

NAMES = ["arrays", "french", "structures", "unicode", "values", "weird"]


@pytest.mark.parametrize("name", NAMES)
def test_published_vectors(vectors: Path, name: str) -> None:
    folder = vectors / "rfc8785-jcs" / "testdata"
    source = (folder / "input" / f"{name}.json").read_bytes()
    expected = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())
    assert (folder / "output" / f"{name}.json").read_bytes().rstrip(b"\n") == expected
    if name == "values":
        # It holds 1E30 and a long 333333333.33333329, which the contract refuses to take from the wire.
        assert rfc8785.dumps(stdlib.loads(source)) == expected
        with pytest.raises(FormatError):
            json.parse(source)
    else:
        assert jcs.canonicalize(json.parse(source)) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0.1", "0.1"),
        ("-0.1", "-0.1"),
        ("1e-4", "0.0001"),
        ("1e-5", "0.00001"),
        ("1e-6", "0.000001"),
        ("1e-7", "1e-7"),
        ("1.5e-10", "1.5e-10"),
        ("5e-324", "5e-324"),
        ("4503599627370495.5", "4503599627370495.5"),
        ("123456789012.25", "123456789012.25"),
        ("45.0", "45"),
        ("4.5e1", "45"),
        ("-0.0", "0"),
        ("9007199254740991", "9007199254740991"),
    ],
)
def test_numbers(number: str, expected: str) -> None:
    assert jcs.canonicalize(json.parse(number.encode())) == expected.encode()


def test_names_sort_by_utf16_units() -> None:
    # U+1F600 starts with the unit D83D, which stands before U+FB33 although its code point is larger.
    value: json.Json = {"\ufb33": 1, "\N{GRINNING FACE}": 2, "a": 3}
    assert jcs.canonicalize(value) == '{"a":3,"\N{GRINNING FACE}":2,"\ufb33":1}'.encode()


exact_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**52), 2.0**52).map(json.from_python)
    | st.text()
    | st.text(alphabet="0123456789", min_size=16),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _with_floats(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_floats(item) for name, item in value.items()}
    return value


@given(exact_values)
@example({"a": Decimal("0.00001"), "b": "\x7f\x1f\u2028"})
def test_agrees_with_the_reference_package_and_reads_back(value: json.Json) -> None:
    canonical = jcs.canonicalize(value)
    assert canonical == rfc8785.dumps(_with_floats(value))  # type: ignore[arg-type]
    back = json.parse(canonical)
    assert back == value
    assert jcs.canonicalize(back) == canonical


@given(st.dictionaries(st.text(), st.integers(-9, 9), min_size=2))
def test_order_of_members_does_not_matter(members: dict[str, json.Json]) -> None:
    turned = dict(reversed(members.items()))
    assert jcs.sha256_hex(turned) == jcs.sha256_hex(members)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        [-(2**53)],
        Decimal("0.10000000000000000001"),
        Decimal("NaN"),
        Decimal("Infinity"),
        [Decimal("0.00001"), 2**53],
        [Decimal("0.00001"), Decimal("1e400")],
        {"a": Decimal("0.00001"), "b": "\ud800"},
        [Decimal("0.00001"), object()],
        float("nan"),
        "\ud800",
        {"\udfff": 1},
        b"bytes",
        {1, 2},
        object(),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: json.Json) -> None:
    with pytest.raises(FormatError):
        jcs.canonicalize(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[json.Json] = []
    loop.append(loop)
    with pytest.raises(FormatError):
        jcs.canonicalize(loop)


def test_hash_of_arguments_is_pinned() -> None:
    args = json.parse(b'{"currency":"USD","amount":45.00,"note":"J\\u00fcrgen"}')
    assert jcs.canonicalize(args) == '{"amount":45,"currency":"USD","note":"Jürgen"}'.encode()
    assert jcs.sha256_hex(args) == "b204b32779825f95be31be2c5b84466dad5be82e28bc8393533bd15e1a4687a4"
    assert jcs.sha256_hex({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
