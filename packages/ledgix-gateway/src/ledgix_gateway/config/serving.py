"""The sections `listen`, `token`, `limits` and `ask`: how the gateway itself behaves."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from ledgix_gateway.config.section import Section
from ledgix_gateway.credentials import AUTHORIZATION, OWN_HEADER, TokenPlaces

_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^`|~-]+")
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Listen:
    """The address of the proxy. TLS ends in front of the gateway unless both files are given."""

    host: str
    port: int
    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may take. `body_bytes` bounds bodies that are read whole, `stream_bytes` streamed ones."""

    body_bytes: int
    stream_bytes: int
    head_seconds: float
    body_seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Mode `ask`: as whom the gateway asks, and how long calls wait. `…_header` names a header, or is `""`."""

    agent_id: str
    agent_header: str
    session_header: str
    wait_seconds: float  # how long the caller's connection waits for a person
    hold_seconds: float  # how long a call is held after that, and then its answer
    calls: int  # held at the same time
    answer_bytes: int  # of a held call's answer


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where Prometheus asks. Not for the public: it says how much goes on."""

    host: str
    port: int


def read_metrics(section: Section) -> MetricsAddress:
    found = MetricsAddress(section.text("host", "127.0.0.1"), section.whole("port", 9090, most=65_535))
    section.close()
    return found


def read_listen(section: Section) -> Listen:
    listen = Listen(
        host=section.text("host", "127.0.0.1"),
        port=section.whole("port", 8080, most=65_535),
        certificate=section.text("certificate", ""),
        key=section.text("key", ""),
    )
    try:
        ipaddress.ip_address(listen.host)
    except ValueError:
        if listen.host != "localhost":
            raise section.error("host", "must be an IP address or localhost") from None
    if bool(listen.certificate) != bool(listen.key):
        raise section.error("certificate", "certificate and key are files that go together")
    section.close()
    return listen


def read_token_places(section: Section) -> TokenPlaces:
    """In which headers a token may stand."""
    names = section.texts("headers", (AUTHORIZATION, OWN_HEADER))
    lowered = tuple(name.lower() for name in names)
    if not lowered or not all(_HEADER.fullmatch(name) for name in lowered) or len(set(lowered)) != len(lowered):
        raise section.error("headers", "must name at least one header, each once")
    section.close()
    return TokenPlaces(lowered)


def read_limits(section: Section) -> Limits:
    limits = Limits(
        body_bytes=section.whole("body_bytes", 256 * _KIB, least=1, most=256 * _KIB),
        stream_bytes=section.whole("stream_bytes", 64 * _KIB * _KIB, least=1, most=2**40),
        head_seconds=section.seconds("head_seconds", 10.0, least=0.1, most=300.0),
        body_seconds=section.seconds("body_seconds", 20.0, least=0.1, most=3600.0),
        connections=section.whole("connections", 512, least=1, most=65_536),
    )
    section.close()
    return limits


def read_ask(section: Section) -> Ask:
    agent, session = section.section("agent"), section.section("session")
    ask = Ask(
        agent_id=section.text("agent_id", "ledgix-gateway"),
        agent_header=agent.text("header") if "agent" in section else "",
        session_header=session.text("header") if "session" in section else "",
        wait_seconds=section.seconds("wait_seconds", 20.0, most=600.0),
        hold_seconds=section.seconds("hold_seconds", 900.0, least=1.0),
        calls=section.whole("calls", 256, least=1, most=65_536),
        answer_bytes=section.whole("answer_bytes", 1024 * _KIB, least=1, most=64 * 1024 * _KIB),
    )
    for part in (agent, session, section):
        part.close()
    return ask
