"""The sections `upstreams` and `routes`: where tools are, and which requests are calls of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.config.section import Section
from ledgix_gateway.credentials import AUTHORIZATION, UNFORWARDED
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.routes.route import CONTENT_DIGEST, Body, Mode, Route, Type
from ledgix_gateway.routes.table import RoutesOverlap, Table
from ledgix_gateway.routes.template import Template

_METHOD: Final = re.compile(r"[A-Z]+")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_FRAMING: Final = frozenset(("connection", "content-length", "content-type", "transfer-encoding", "te", "upgrade"))
_OWN: Final = "/.ledgix/"
_NEVER_BOUND: Final = _FRAMING | {name.decode() for name in UNFORWARDED} | {AUTHORIZATION}


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One tool's server. `headers` are its own credentials, which agents never hold; times are in seconds."""

    name: str
    url: str
    http2: bool
    headers: Mapping[str, Secret]
    connect_seconds: float
    timeout_seconds: float  # between two parts of an answer
    idle_seconds: float  # how long a connection is kept for the next call
    calls: int  # at the same time
    failures: int  # in a row, until the circuit breaker opens
    rest_seconds: float  # how long it stays open
    refused_statuses: tuple[int, ...]  # answers by which this tool says that it did nothing


def read_upstreams(sections: Mapping[str, Section]) -> dict[str, UpstreamConfig]:
    """The section `upstreams`, by name."""
    return {name: _upstream(name, section) for name, section in sections.items()}


def _upstream(name: str, section: Section) -> UpstreamConfig:
    config = UpstreamConfig(
        name=name,
        url=_url(section),
        http2=section.flag("http2", False),
        headers=section.secrets("headers"),
        connect_seconds=section.seconds("connect_seconds", 5.0, least=0.1, most=60.0),
        timeout_seconds=section.seconds("timeout_seconds", 30.0, least=0.1, most=3600.0),
        idle_seconds=section.seconds("idle_seconds", 2.0, most=600.0),
        calls=section.whole("calls", 256, least=1, most=65_536),
        failures=section.whole("failures", 5, least=1, most=1000),
        rest_seconds=section.seconds("rest_seconds", 10.0, least=0.1, most=3600.0),
        refused_statuses=section.wholes("refused_statuses", ()),
    )
    for header in config.headers:
        _check_header(section, f"headers.{header}", header, never=_FRAMING)
    if wrong := [status for status in config.refused_statuses if not 400 <= status < 500]:
        raise section.error("refused_statuses", f"may hold 4xx statuses only, not {wrong[0]}")
    section.close()
    return config


def _url(section: Section) -> str:
    text = section.text("url")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise section.error("url", "must be an http or https address without credentials, query and fragment")
    return text.rstrip("/")


def read_table(sections: tuple[Section, ...], upstreams: Mapping[str, UpstreamConfig], mode: Mode) -> Table:
    """The section `routes`; `mode` is that of routes that don't say their own."""
    routes = tuple(_route(section, upstreams, mode) for section in sections)
    try:
        return Table.of(routes)
    except RoutesOverlap as overlap:
        raise ConfigError(sections[overlap.second].place, f"{overlap}") from None


def _route(section: Section, upstreams: Mapping[str, UpstreamConfig], mode: Mode) -> Route:
    is_open, websocket = section.flag("open", False), section.flag("websocket", False)
    agent = section.section("agent")
    route = Route(
        method=section.text("method"),
        template=_template(section),
        upstream=section.text("upstream"),
        tool=section.text("tool", "") if is_open else section.text("tool"),
        mode=section.choice("mode", Mode, mode),
        body=section.choice("body", Body, Body.NONE if section.text("method") in ("GET", "HEAD") else Body.JSON),
        query=section.text_by_name("query"),
        headers=section.text_by_name("headers"),
        types=_types(section),
        agent_header=agent.text("header") if "agent" in section else "",
        open=is_open,
        websocket=websocket,
    )
    agent.close()
    section.close()
    _check(section, route, upstreams)
    return route


def _template(section: Section) -> Template:
    try:
        return Template.parse(section.text("path"))
    except ValueError as error:
        raise section.error("path", str(error)) from None


def _types(section: Section) -> dict[str, Type]:
    said = section.section("types")
    return {name: said.choice(name, Type) for name in section.text_by_name("types")}


def _check(section: Section, route: Route, upstreams: Mapping[str, UpstreamConfig]) -> None:
    if route.template.text.startswith(_OWN):
        raise section.error("path", f"begins with {_OWN}, where the gateway's own pages are")
    if route.mode is Mode.ASK and route.body is Body.DIGEST and not route.open:
        raise section.error("mode", "a streamed body can't be held for a review: let callers ask for clearance")
    if not _METHOD.fullmatch(route.method) or route.method in ("CONNECT", "TRACE"):
        raise section.error("method", f"must be a method in capital letters, such as POST, not {route.method!r}")
    if route.upstream not in upstreams:
        raise section.error("upstream", f"names no section of upstreams: {route.upstream!r}")
    if route.websocket and (route.method != "GET" or route.body is not Body.NONE):
        raise section.error("websocket", "a WebSocket is opened with GET and without a body")
    if route.websocket and (route.open or route.mode is not Mode.ENFORCE):
        raise section.error("websocket", "a WebSocket needs a token: the route must be in mode enforce, and not open")
    if route.websocket and upstreams[route.upstream].http2:
        raise section.error("websocket", "WebSockets go to upstreams with HTTP/1.1 only")
    if len(route.tool) > 256:
        raise section.error("tool", "must have 256 characters at most")
    if route.open and route.tool:
        raise section.error("tool", "has no meaning on an open route, which needs no token")
    if route.open and "body" in section:
        raise section.error("body", "has no meaning on an open route: nothing of it is read")
    replaced = {header.lower() for header in upstreams[route.upstream].headers}
    for argument, header in route.headers.items():
        _check_header(section, f"headers.{argument}", header, never=_NEVER_BOUND | replaced)
    if route.agent_header:
        _check_header(section, "agent.header", route.agent_header)
    _check_arguments(section, route)


def _check_arguments(section: Section, route: Route) -> None:
    seen: dict[str, str] = {}
    sources = (
        ("path", route.template.names),
        ("query", tuple(route.query)),
        ("headers", tuple(route.headers)),
        ("body", (CONTENT_DIGEST,) if route.body is Body.DIGEST else ()),
    )
    for source, names in sources:
        for name in names:
            if name in seen:
                raise section.error(source, f"gives the argument {name!r}, which {seen[name]} gives too")
            seen[name] = source
    if len(set(route.query.values())) != len(route.query):
        raise section.error("query", "takes one parameter for two arguments")
    for name, kind in route.types.items():
        if kind is Type.LIST and (name in route.template.names or name in route.headers):
            raise section.error(f"types.{name}", "a path or a header can't carry a list")
        if name not in seen and route.body is not Body.FORM:
            raise section.error(f"types.{name}", "names no argument of path, query or headers")


def _check_header(section: Section, place: str, header: str, *, never: frozenset[str] = _NEVER_BOUND) -> None:
    if not _HEADER.fullmatch(header) or header.lower() in never:
        raise section.error(place, f"{header!r} is no header that can be used here")
