"""Everything that one configuration makes: Vault, tools' servers, outcome reports and held calls, in one frozen value.

A reload makes another one; this one serves the calls that it has begun, and is closed after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from ledgix_gateway.admission.admission import Admission
from ledgix_gateway.config.config import Config
from ledgix_gateway.outcomes import Outcomes
from ledgix_gateway.upstream.upstream import Upstream
from ledgix_gateway.vault import Vault


class _Uses:
    """How many calls go on."""

    def __init__(self) -> None:
        self.count = 0
        self.changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Gateway:
    config: Config
    vault: Vault
    admission: Admission
    upstreams: Mapping[str, Upstream]
    outcomes: Outcomes
    _uses: _Uses = field(default_factory=_Uses, repr=False)

    @contextmanager
    def in_use(self) -> Generator[None, None, None]:
        """Keeps it open until the block ends."""
        self._uses.count += 1
        try:
            yield
        finally:
            self._uses.count -= 1
            self._uses.changed.set()

    @property
    def calls(self) -> int:
        """How many go on."""
        return self._uses.count

    async def until_unused(self) -> None:
        """Returns when no call goes on."""
        while self._uses.count:
            self._uses.changed.clear()
            await self._uses.changed.wait()

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config) -> AsyncIterator[Gateway]:
        """Usable inside the block; at its end the last outcomes are reported and all connections closed."""
        async with AsyncExitStack() as stack:
            vault = Vault.of(config.vault, agent_id=config.ask.agent_id)
            stack.push_async_callback(vault.client.aclose)
            await stack.enter_async_context(vault.keeping_keys_fresh())
            outcomes = Outcomes(vault, config.vault.outcomes)
            await stack.enter_async_context(outcomes.reporting())
            upstreams = {name: Upstream(upstream) for name, upstream in config.upstreams.items()}
            for upstream in upstreams.values():
                stack.push_async_callback(upstream.aclose)
            yield cls(config, vault, Admission(vault), upstreams, outcomes)
