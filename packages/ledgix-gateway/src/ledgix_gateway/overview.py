"""What a configuration means, in words: the route table, what each route hashes, and what deserves a second look."""

from __future__ import annotations

from collections.abc import Iterator

from ledgix_gateway.config.config import Config
from ledgix_gateway.routes.route import CONTENT_DIGEST, Body, Mode, Route, Type


def describe(config: Config) -> str:
    """Text for a terminal; for the operator who is about to serve this."""
    lines = [
        f"Vault   {config.vault.url}, tenant {config.vault.tenant}, {config.vault.skew_seconds} s of skew",
        f"Listen  {config.listen.host}:{config.listen.port}",
        f"Tokens  in {', '.join(config.tokens.headers)}; never forwarded",
        "",
    ]
    for route in config.table.routes:
        lines += [*_route(route), ""]
    lines += _edges(config)
    lines.append(
        "Everything else is refused: route_unmapped." if not config.unmapped else "Nothing is refused for now."
    )
    if warnings := list(_warnings(config)):
        lines += ["", *(f"WARNING  {warning}" for warning in warnings)]
    return "\n".join(lines)


def hashed(route: Route) -> dict[str, str]:
    """Each argument of the route, with where it comes from; their JSON object is what a token's hash is taken over."""
    found = {name: f"path, {route.type_of(name)}" for name in route.template.names}
    found |= {name: f"query parameter {wire}, {_kind(route, name)}" for name, wire in route.query.items()}
    found |= {name: f"header {wire}, {_kind(route, name)}" for name, wire in route.headers.items()}
    match route.body:
        case Body.JSON:
            found["…"] = "every member of the JSON body, as it is"
        case Body.FORM:
            listed = ", ".join(f"{name} {kind}" for name, kind in route.types.items() if name not in found)
            found["…"] = f"every field of the form, string{f' ({listed})' if listed else ''}"
        case Body.DIGEST:
            found[CONTENT_DIGEST] = "header Content-Digest (sha-256), which the streamed body must have"
        case Body.NONE:
            pass
    return found


def _kind(route: Route, name: str) -> str:
    kind = route.type_of(name)
    return "list of strings" if kind is Type.LIST else f"{kind}, if present"


def _route(route: Route) -> Iterator[str]:
    if route.open:
        yield f"{route.label} → {route.upstream}, OPEN: no token needed"
        return
    yield f"{route.label} → {route.upstream}, tool {route.tool}, {route.mode}"
    for name, source in hashed(route).items():
        yield f"    {name:<20} {source}"
    if not hashed(route):
        yield "    {}                   no arguments"
    if route.websocket:
        yield "    opens a WebSocket; its messages are not hashed"
    if route.agent_header:
        yield f"    the token's agent must be the one in {route.agent_header}"


def _edges(config: Config) -> Iterator[str]:
    for edge in config.edges:
        bound = f"tool {edge.tool}: method, host, path, query, content_digest" if edge.tool else "by the routes above"
        yield f"Edge    {edge.kind} asks at {edge.path}, {bound}"
    if config.ext_authz is not None:
        yield f"Edge    envoy asks over gRPC on {config.ext_authz.host}:{config.ext_authz.port}, by the routes above"
    if config.edges or config.ext_authz is not None:
        yield ""


def _warnings(config: Config) -> Iterator[str]:
    for route in config.table.routes:
        if route.open:
            yield f"{route.label} needs no token: anybody who reaches the gateway reaches the tool there"
        elif route.mode is Mode.OBSERVE:
            yield f"{route.label} is only observed: calls without an approval go through"
        elif route.mode is Mode.ASK:
            yield f"{route.label} asks by itself: anybody who reaches the gateway may cause such a request"
    for edge in config.edges:
        if edge.tool:
            yield f"{edge.kind} at {edge.path} shows no body: the tool has to compare it with its digest"
    if config.unmapped:
        yield f"requests without a route go to {config.unmapped} unchecked"
    if config.vault.url.startswith("http://") and not config.vault.url.startswith(("http://127.", "http://localhost")):
        yield "the Vault is asked without TLS: its answers and tokens can be read and changed on the way"
