"""The whole configuration of the proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledgix_gateway.config.document import read_document
from ledgix_gateway.config.edging import Edge, ExtAuthz, read_edges, read_ext_authz
from ledgix_gateway.config.routing import UpstreamConfig, read_table, read_upstreams
from ledgix_gateway.config.section import Section
from ledgix_gateway.config.serving import (
    Ask,
    Limits,
    Listen,
    MetricsAddress,
    read_ask,
    read_limits,
    read_listen,
    read_metrics,
    read_token_places,
)
from ledgix_gateway.config.vault import VaultConfig, read_vault
from ledgix_gateway.credentials import TokenPlaces
from ledgix_gateway.routes.route import Mode
from ledgix_gateway.routes.table import Table

OTHERS = ("mcp",)
"""Sections of the same file that others read."""


@dataclass(frozen=True, slots=True)
class Config:
    """`unmapped` is the upstream of requests without a route, in mode observe only; `""`: they are refused."""

    vault: VaultConfig
    listen: Listen
    mode: Mode
    tokens: TokenPlaces
    upstreams: Mapping[str, UpstreamConfig]
    table: Table
    limits: Limits
    ask: Ask
    unmapped: str = ""
    edges: tuple[Edge, ...] = ()
    ext_authz: ExtAuthz | None = None
    metrics: MetricsAddress | None = None


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Reads and checks the file completely; raises ConfigError with the place of the first mistake."""
    return read_config(read_document(path, environment))


def read_config(top: Section) -> Config:
    """Like `load_config`, from a section that was read already."""
    mode = top.choice("mode", Mode, Mode.ENFORCE)
    upstreams = read_upstreams(top.sections_by_name("upstreams"))
    config = Config(
        vault=read_vault(top.section("vault")),
        listen=read_listen(top.section("listen")),
        mode=mode,
        tokens=read_token_places(top.section("token")),
        upstreams=upstreams,
        table=read_table(top.sections("routes"), upstreams, mode),
        limits=read_limits(top.section("limits")),
        ask=read_ask(top.section("ask")),
        unmapped=top.text("unmapped", ""),
        edges=read_edges(top.sections("forward_auth")),
        ext_authz=read_ext_authz(top.section("ext_authz")) if "ext_authz" in top else None,
        metrics=read_metrics(top.section("metrics")) if "metrics" in top else None,
    )
    top.leave(*OTHERS)
    top.close()
    if config.unmapped and (mode is not Mode.OBSERVE or config.unmapped not in upstreams):
        raise top.error(
            "unmapped", "must name an upstream, and only in mode observe: else what has no route is refused"
        )
    _check_token_places(config, top)
    return config


def _check_token_places(config: Config, top: Section) -> None:
    """A header that carries tokens is taken away: it can neither name an agent nor be an argument."""
    places = set(config.tokens.headers)
    named = {header.lower() for header in (config.ask.agent_header, config.ask.session_header) if header}
    if clash := named & places:
        raise top.error("ask", f"the header {sorted(clash)[0]} carries tokens")
    bound = {header.lower() for route in config.table.routes for header in route.headers.values()}
    if clash := bound & places:
        raise top.error("routes", f"the header {sorted(clash)[0]} carries tokens, and can't be an argument")
