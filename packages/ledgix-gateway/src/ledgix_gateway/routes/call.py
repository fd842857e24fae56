"""A request, understood: which tool would be called, with which arguments, by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.routes.arguments import arguments_of
from ledgix_gateway.routes.route import Route
from ledgix_gateway.routes.table import Match


@dataclass(frozen=True)
class Call:
    """`agent_id` is who the caller says to be, where the route names a header for it; else None."""

    route: Route
    arguments: JsonObject = field(repr=False)
    agent_id: str | None = None

    @classmethod
    def of(cls, match: Match, inbound: Inbound) -> Self:
        """Raises Refusal for a request with two readings, and for one that doesn't say its agent where it must."""
        header = match.route.agent_header
        agent_id = inbound.text(header) if header else None
        if header and not agent_id:
            raise refusal(Code.AGENT_MISMATCH, f"This route needs the header {header} to name the agent.")
        return cls(match.route, arguments_of(match, inbound), agent_id)

    @cached_property
    def arguments_hash(self) -> str:
        """What a token for exactly this call carries: hex SHA-256 of the RFC 8785 bytes of the arguments."""
        return jcs.sha256_hex(self.arguments)
