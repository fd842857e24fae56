"""What all sessions of one gateway share."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledgix_gateway.ended import OnEnd
from ledgix_gateway.mcp.approvals import Approvals
from ledgix_gateway.mcp.config import McpConfig
from ledgix_gateway.mcp.schemas import Schemas
from ledgix_gateway.outcomes import Outcomes
from ledgix_gateway.upstream.upstream import Upstream
from ledgix_gateway.vault import Vault


@dataclass(slots=True)
class Gate:
    """One configuration, one key, one memory of what waits. `on_end` hears of every call; `calls` go on now."""

    config: McpConfig
    approvals: Approvals
    outcomes: Outcomes
    schemas: Schemas | None  # None: schemas are registered by somebody else
    on_end: OnEnd
    calls: int = 0
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)  # none that a circuit breaker guards

    @classmethod
    def of(cls, config: McpConfig, vault: Vault, on_end: OnEnd) -> Gate:
        schemas = Schemas(vault.client, config.tool_prefix) if config.register_schemas else None
        return cls(config, Approvals(vault.client, config), Outcomes(vault, config.vault.outcomes), schemas, on_end)

    @contextmanager
    def counted(self) -> Generator[None, None, None]:
        """The block is one of the calls that go on."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
