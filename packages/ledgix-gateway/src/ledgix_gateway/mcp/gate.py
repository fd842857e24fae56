"""What all sessions of one gateway share."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.client import AsyncLedgix
from ledgix_gateway.mcp.config import McpConfig
from ledgix_gateway.mcp.schemas import Schemas
from ledgix_gateway.mcp.vault import Approvals


@dataclass(frozen=True, slots=True)
class Gate:
    """One configuration, one key, one memory of what waits."""

    config: McpConfig
    approvals: Approvals
    schemas: Schemas | None  # None: schemas are registered by somebody else

    @classmethod
    def of(cls, config: McpConfig, client: AsyncLedgix) -> Gate:
        schemas = Schemas(client, config.tool_prefix) if config.register_schemas else None
        return cls(config, Approvals(client, config), schemas)
