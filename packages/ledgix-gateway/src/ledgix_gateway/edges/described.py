"""The request that an edge holds, from what it tells of it; and the call that it is.

Invariants:

- The described head is held to the same rules as one that arrives at the proxy: what has two readings is refused.
- The edge's own headers are not part of the described request. Headers that replace method or path, and upgrades of
  the connection, are refused, because the edge would forward them.
- Where the edge shows no body, the arguments are `method`, `host` (in small letters), `path` and `query` as they were
  sent, and `content_digest`, which only GET and HEAD may leave out. Nobody here has seen the body: that it has this
  digest is for the tool to check.
"""

from __future__ import annotations

import re
from typing import Final, assert_never

from ledgix.formats.json import JsonObject
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.config.edging import Edge, Kind
from ledgix_gateway.credentials import OVERRIDES
from ledgix_gateway.edges.trust import EDGE_HEADER
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.routes.call import Call
from ledgix_gateway.routes.digest import content_digest, digest_of_body
from ledgix_gateway.routes.path import segments_of
from ledgix_gateway.routes.route import CONTENT_DIGEST, Body, Route
from ledgix_gateway.routes.table import Table
from ledgix_gateway.routes.template import Template
from ledgix_gateway.routes.texts import pairs_of

PARTIAL: Final = "x-envoy-auth-partial-body"
_HOST: Final = re.compile(r"[a-z0-9.\-]+(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?")
_WITHOUT_DIGEST: Final = frozenset(("GET", "HEAD"))


def original_of(edge: Edge, asked: Inbound) -> Inbound:
    """The request that the edge holds. `asked` is the edge's own question, with its body if it has one."""
    match edge.kind:
        case Kind.NGINX:
            return _named(asked, "x-original-method", "x-original-uri", "x-original-host")
        case Kind.CADDY | Kind.TRAEFIK:
            return _named(asked, "x-forwarded-method", "x-forwarded-uri", "x-forwarded-host")
        case Kind.ENVOY:
            target = asked.target.removeprefix(edge.path.encode())
            return Inbound.of(asked.method, target, asked.query, _without_edge(asked)).with_body(asked.body)
        case _:
            assert_never(edge.kind)


def call_without_body(edge: Edge, original: Inbound) -> Call:
    """The call of an edge that shows no body."""
    _refuse_detours(original)
    segments_of(original.target)  # the path must have one reading, since the tool acts on it
    pairs_of(original.query, Code.QUERY_AMBIGUOUS)
    host = (original.text("host") or "").lower()
    if not _HOST.fullmatch(host):
        raise refusal(Code.HEAD_AMBIGUOUS, "The host must be a plain name or address, with or without a port.")
    arguments: JsonObject = {
        "method": original.method,
        "host": host,
        "path": original.target.decode("ascii"),
        "query": original.query.decode("ascii"),
    }
    if original.method not in _WITHOUT_DIGEST or original.values("content-digest"):
        arguments[CONTENT_DIGEST] = content_digest(original)
    return Call(route_of(edge), arguments)


def call_with_body(table: Table, original: Inbound) -> Call:
    """The call of an edge that shows the whole body; its route may be open."""
    if original.values(PARTIAL) and original.text(PARTIAL) != "false":
        raise refusal(Code.EDGE_INCOMPLETE, "The edge shows a part of the body only: let it refuse larger ones.")
    if original.content_length is not None and original.content_length != len(original.body):
        raise refusal(Code.EDGE_INCOMPLETE, "The edge doesn't show the body that the request has.")
    _refuse_detours(original)
    match = table.match(original.method, original.target)
    if match.route.open:
        return Call(match.route, {})
    call = Call.of(match, original)
    if match.route.body is Body.DIGEST and digest_of_body(original.body) != content_digest(original):
        raise refusal(Code.DIGEST_MISMATCH, "The body isn't the one that Content-Digest names.")
    return call


def route_of(edge: Edge) -> Route:
    """What stands for the route where the edge's own configuration has chosen it."""
    return Route(method=str(edge.kind), template=Template(edge.path, ()), upstream="", tool=edge.tool)


def _refuse_detours(original: Inbound) -> None:
    """The edge forwards what it holds as it is, so nothing in it may lead past what is approved."""
    if original.wants_upgrade:
        raise refusal(Code.UPGRADE_REFUSED, "No upgrade of a connection is approved at an edge.")
    for name, _ in original.headers:
        if name in OVERRIDES:
            raise refusal(Code.HEAD_AMBIGUOUS, f"The header {name.decode()} may replace the method or path here.")


def _named(asked: Inbound, method_in: str, uri_in: str, host_in: str) -> Inbound:
    method, uri, host = (_told(asked, name) for name in (method_in, uri_in, host_in))
    target, mark, query = uri.partition("?")
    if mark and not query:
        raise refusal(Code.QUERY_AMBIGUOUS, "A question mark without a query has two readings.")
    own = {b"host", method_in.encode(), uri_in.encode(), host_in.encode()}
    headers = tuple((name, value) for name, value in _without_edge(asked) if name not in own)
    told = Inbound.of(method, target.encode(), query.encode(), ((b"host", host.encode()), *headers))
    return told.with_body(asked.body)


def _told(asked: Inbound, name: str) -> str:
    values = asked.values(name)
    text = asked.text(name) if len(values) == 1 else None
    if not text:
        raise refusal(Code.EDGE_INCOMPLETE, f"The edge must tell the request in {name}, once.")
    return text


def _without_edge(asked: Inbound) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, value in asked.headers if name != EDGE_HEADER.encode())
