"""What a request means, for all requests: a path has exactly one reading or none, and forwarded implies hash equal."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledgix.formats import jcs, json
from ledgix_gateway.admission.admission import Admission
from ledgix_gateway.admission.passage import Presented
from ledgix_gateway.credentials import TokenPlaces
from ledgix_gateway.errors import Refusal
from ledgix_gateway.inbound import Inbound, end_to_end
from ledgix_gateway.routes.arguments import arguments_of
from ledgix_gateway.routes.call import Call
from ledgix_gateway.routes.path import segments_of
from ledgix_gateway.routes.route import Body, Route, Type
from ledgix_gateway.routes.table import RoutesOverlap, Table
from ledgix_gateway.routes.template import Template
from ledgix_gateway.routes.texts import pairs_of

T = TypeVar("T")

HOST = (b"host", b"tool.example")
JSON = (b"content-type", b"application/json")


def route(path: str, method: str = "POST", **more: Any) -> Route:
    return Route(method, Template.parse(path), "payments", tool=more.pop("tool", path), **more)


def attempt(what: Callable[[], T]) -> tuple[T | None, str]:
    """What it gives, or the code by which it is refused."""
    try:
        return what(), ""
    except Refusal as refused:
        return None, refused.problem.code


# Paths

PIECES = st.sampled_from(
    [
        "/",
        "a",
        "b",
        ".",
        "..",
        "%2F",
        "%2f",
        "%2E",
        "%20",
        "%25",
        "%00",
        "%5C",
        ";",
        "\\",
        "~",
        "%C3%A4",
        ":",
        "%3A",
        "?",
    ]
)


@given(st.lists(PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces)))
def test_a_path_has_one_reading_or_is_refused(text: str) -> None:
    target = text.encode()
    try:
        segments = segments_of(target)
    except Refusal:
        return
    # A server that decodes before it splits, one that decodes twice, one that resolves dots and one that merges
    # slashes all see the segments that we see.
    once = unquote_to_bytes(target)
    twice = unquote_to_bytes(once)
    assert once.decode().split("/")[1:] == list(segments)
    assert twice == once
    assert not any(segment.strip(" .") == "" for segment in segments[:-1])
    assert ".." not in segments
    assert "." not in segments
    assert b"//" not in once
    assert b"\\" not in once
    assert b";" not in once


@given(st.binary(max_size=12))
def test_any_bytes_as_a_path(raw: bytes) -> None:
    try:
        segments = segments_of(b"/" + raw)
    except Refusal:
        return
    assert all(segment.isascii() and segment.isprintable() for segment in segments)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="/\\%;"), min_size=1))
def test_what_a_client_quotes_is_read_as_it_was_meant(text: str) -> None:
    from urllib.parse import quote

    assume(text.strip(". "))
    assert segments_of(b"/x/" + quote(text, safe="").encode()) == ("x", text)


# Routes


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ("/a/{x}", "/a/{y}", True),
        ("/a/{x}/c", "/a/b/{y}", True),
        ("/a/{x}", "/a/b", False),
        ("/{x}/{y}", "/a/{y}", False),
        ("/a/{x}/", "/a/{x}", False),
        ("/a/{x}", "/a/", False),
        ("/a", "/b", False),
    ],
)
def test_routes_that_cross_are_refused(first: str, second: str, *, is_refused: bool) -> None:
    routes = [route(first), route(second)]
    if is_refused:
        with pytest.raises(RoutesOverlap):
            Table.of(routes)
    else:
        Table.of(routes)
        Table.of(reversed(routes))
    Table.of([route(first), route(second, "GET")])


SEGMENTS = st.sampled_from(["a", "b", "{x}", "{y}", ""])
ASKED = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=3)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(PATHS, max_size=5), ASKED, st.randoms())
def test_the_order_of_routes_decides_nothing(paths: list[str], asked: list[str], random: Any) -> None:
    try:
        routes = [route(path) for path in paths]
        table = Table.of(routes)
    except ValueError:
        return
    random.shuffle(routes)
    target = ("/" + "/".join(asked)).encode()

    def found(in_table: Table) -> str:
        try:
            return in_table.match("POST", target).route.tool
        except Refusal as refused:
            return refused.problem.code

    assert found(Table.of(routes)) == found(table)


@pytest.mark.parametrize("text", ["a", "/{x", "/x{y}", "/{x}/{x}", "/a%20b", "/a//b", "/../a", "/a;b", "/ä", "/{1}"])
def test_templates_that_no_request_could_have(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Template.parse(text)


# Arguments

TABLE = Table.of([route("/r/{id}", query={"limit": "limit"}, types={"limit": Type.INTEGER}, headers={"key": "X-Key"})])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


class _Claims:
    """A token's claims, as far as the comparison looks at them."""

    tool = "/r/{id}"
    request_id = "r"
    agent_id = "a"

    def __init__(self, arguments_hash: str) -> None:
        self.tool_args_hash = arguments_hash


@given(
    approved=st.dictionaries(st.sampled_from(["id", "amount", "key", "limit", "to"]), VALUES, max_size=4),
    body=st.dictionaries(st.sampled_from(["id", "amount", "key", "limit", "to"]), VALUES, max_size=3),
    segment=st.sampled_from(["1", "x"]),
    query=st.sampled_from([b"", b"limit=1", b"limit=2"]),
    key=st.sampled_from([None, b"k"]),
)
def test_compared_implies_hash_equal(
    approved: dict[str, Any], body: dict[str, Any], segment: str, query: bytes, key: bytes | None
) -> None:
    headers = [HOST, JSON] + ([(b"x-key", key)] if key else [])
    raw = json.dumps(json.from_python(body))
    inbound = Inbound.of("POST", f"/r/{segment}".encode(), query, headers).with_body(raw)
    approved_hash = jcs.sha256_hex(json.from_python(approved))
    # Everything that reaches the tool as input, by plain means.
    expected = {"id": segment, **({"key": "k"} if key else {}), **({"limit": int(query[-1:])} if query else {})}
    call, code = attempt(lambda: Call.of(TABLE.match("POST", inbound.target), inbound))
    if call is None:
        assert code == "arguments_ambiguous"
        assert set(expected) & set(body)
        return
    assert call.arguments == json.from_python({**expected, **body})
    presented = Presented("token", _Claims(approved_hash))  # type: ignore[arg-type]
    verified, code = attempt(lambda: Admission(None).compare(presented, call))  # type: ignore[arg-type]
    assert code in ("", "token_args_mismatch")
    assert (verified is not None) == (json.from_python(approved) == call.arguments)


@given(st.binary(max_size=30))
def test_any_body_is_read_strictly_or_refused(raw: bytes) -> None:
    inbound = Inbound.of("POST", b"/r/1", b"", [HOST, JSON]).with_body(raw)
    arguments, code = attempt(lambda: arguments_of(TABLE.match("POST", b"/r/1"), inbound))
    if arguments is None:
        assert code in ("body_invalid", "arguments_ambiguous")
        return
    assert {name: value for name, value in arguments.items() if name != "id"} == json.parse(raw)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=4))
def test_what_a_browser_sends_as_a_form_is_read_as_it_was_meant(fields: dict[str, str]) -> None:
    from urllib.parse import urlencode

    from ledgix_gateway.codes import Code

    raw = urlencode(fields).encode()
    assert pairs_of(raw, Code.BODY_INVALID) == {name: [value] for name, value in fields.items()}


@given(st.binary(max_size=20))
def test_pairs_have_one_reading(raw: bytes) -> None:
    from urllib.parse import parse_qsl

    from ledgix_gateway.codes import Code

    try:
        pairs = pairs_of(raw, Code.QUERY_AMBIGUOUS)
    except Refusal:
        return
    usual = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    assert sorted((name, value) for name, values in pairs.items() for value in values) == sorted(usual)


def test_forms_of_numbers() -> None:
    table = Table.of([route("/n/{n}", types={"n": Type.NUMBER}, body=Body.NONE)])

    def read(text: str) -> Any:
        inbound = Inbound.of("POST", f"/n/{text}".encode(), b"", [HOST])
        return arguments_of(table.match("POST", inbound.target), inbound)["n"]

    for good in ("0", "1", "-1", "1.5", "-0.5", "10", "100.25"):
        assert str(read(good)) == good
    for bad in ("-0", "01", "1.", ".5", "1.50", "1e3", "0x1", "+1", "1,5", "NaN", "1.0", "9007199254740993"):
        assert attempt(partial(read, bad))[1] == "argument_invalid"


# Heads


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"Connection", b"Keep-Alive", b"X-A", b"X-Ledgix-Token", b"Authorization", b"Via", b"TE"]),
            st.sampled_from([b"close", b"x-a", b"keep-alive, X-A", b"Bearer abc", b"trailers"]),
        ),
        max_size=5,
    )
)
def test_no_token_and_nothing_about_a_connection_is_forwarded(headers: list[tuple[bytes, bytes]]) -> None:
    places = TokenPlaces()
    try:
        inbound = Inbound.of("POST", b"/r/1", b"", [HOST, *headers])
    except Refusal:
        return
    forwarded = dict(places.forwarded(inbound))
    assert not {b"connection", b"keep-alive", b"te", b"x-ledgix-token", b"host"} & set(forwarded)
    if re.fullmatch(rb"(?i)bearer .*", forwarded.get(b"authorization", b"")):
        raise AssertionError("a bearer token was forwarded")
    named = b",".join(value for name, value in headers if name == b"Connection").lower()
    assert not (b"x-a" in named and b"x-a" in forwarded)
    assert end_to_end(forwarded.items()) == tuple(forwarded.items())
