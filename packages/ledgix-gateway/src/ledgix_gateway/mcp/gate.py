"""What all sessions of one gateway share."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_gateway.mcp.approvals import Approvals
from ledgix_gateway.mcp.config import McpConfig
from ledgix_gateway.mcp.schemas import Schemas
from ledgix_gateway.outcomes import Outcomes
from ledgix_gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Gate:
    """One configuration, one key, one memory of what waits."""

    config: McpConfig
    approvals: Approvals
    outcomes: Outcomes
    schemas: Schemas | None  # None: schemas are registered by somebody else

    @classmethod
    def of(cls, config: McpConfig, vault: Vault) -> Gate:
        schemas = Schemas(vault.client, config.tool_prefix) if config.register_schemas else None
        return cls(config, Approvals(vault.client, config), Outcomes(vault, config.vault.outcomes), schemas)
