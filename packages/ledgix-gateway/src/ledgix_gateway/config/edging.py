"""The sections `forward_auth` and `ext_authz`: which edges ask."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.config.section import Section
from ledgix_gateway.routes.template import Template


class Kind(StrEnum):
    """How an edge describes the request that it holds."""

    NGINX = "nginx"  # auth_request: X-Original-Method, -URI and -Host, which its configuration sets; no body
    CADDY = "caddy"  # forward_auth: X-Forwarded-Method, -Uri and -Host; no body
    TRAEFIK = "traefik"  # ForwardAuth: the same; with forwardBody the body too
    ENVOY = "envoy"  # ext_authz over HTTP: the request itself below our path, with its body


@dataclass(frozen=True, slots=True)
class Edge:
    """`path` is where it asks. An edge that shows no body has a `tool`; of one that shows the body it is `""`: there
    the routes say which tool a request calls."""

    path: str
    kind: Kind
    tool: str = ""
    secret: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExtAuthz:
    """Where Envoy asks over gRPC."""

    host: str
    port: int
    secret: Secret | None = field(default=None, repr=False)


def read_edges(sections: tuple[Section, ...]) -> tuple[Edge, ...]:
    """The list `forward_auth`. No edge asks below the path of another one."""
    edges: list[Edge] = []
    for section in sections:
        edge = _edge(section)
        for other in edges:
            if f"{edge.path}/".startswith(f"{other.path}/") or f"{other.path}/".startswith(f"{edge.path}/"):
                raise section.error("path", f"lies on the same way as {other.path}")
        edges.append(edge)
    return tuple(edges)


def _edge(section: Section) -> Edge:
    kind = section.choice("edge", Kind)
    shows_body = section.flag("shows_body", kind is Kind.ENVOY)
    if shows_body and kind in (Kind.NGINX, Kind.CADDY):
        raise section.error("shows_body", f"{kind} never shows the body of a request")
    if not shows_body and kind is Kind.ENVOY:
        raise section.error("shows_body", "Envoy must show the body (with_request_body)")
    if shows_body and "tool" in section:
        raise section.error("tool", "has no meaning here: the routes say which tool a request calls")
    edge = Edge(
        path=_path(section),
        kind=kind,
        tool="" if shows_body else section.text("tool"),
        secret=section.secret("secret") if "secret" in section else None,
    )
    section.close()
    return edge


def _path(section: Section) -> str:
    text = section.text("path")
    try:
        template = Template.parse(text)
    except ValueError as error:
        raise section.error("path", str(error)) from None
    if template.names or text.endswith("/"):
        raise section.error("path", "must be one plain path without names and without a slash at its end")
    return text


def read_ext_authz(section: Section) -> ExtAuthz:
    """The section `ext_authz`."""
    found = ExtAuthz(
        host=section.text("host", "127.0.0.1"),
        port=section.whole("port", most=65_535),
        secret=section.secret("secret") if "secret" in section else None,
    )
    section.close()
    try:
        is_here = ipaddress.ip_address(found.host).is_loopback
    except ValueError:
        raise section.error("host", "must be an IP address") from None
    if found.secret is None and not is_here:
        raise section.error("secret", "is needed where others than this machine may ask")
    return found
