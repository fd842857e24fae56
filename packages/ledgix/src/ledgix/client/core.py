"""All rules of the client, wired for one API key; the senders only transport and sleep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ledgix.client.administration import Administration
from ledgix.client.clearances import Clearances
from ledgix.client.exchange import Exchange
from ledgix.client.flow import Clock, draw_uniform
from ledgix.client.keyring import KeyRing
from ledgix.client.ledger import LedgerView
from ledgix.client.replay import PROCESS_WIDE, ReplayMemories
from ledgix.client.requests import RequestBuilder
from ledgix.client.retry import RetryPolicy
from ledgix.client.settings import ClientSettings
from ledgix.client.tokens import TokenVerifier


@dataclass(frozen=True, slots=True)
class Core:
    """The flows by subject; see `flow` for what a flow is."""

    settings: ClientSettings
    clearances: Clearances
    tokens: TokenVerifier
    ledger: LedgerView
    administration: Administration

    @classmethod
    def wire(
        cls,
        settings: ClientSettings,
        *,
        memories: ReplayMemories = PROCESS_WIDE,
        clock: Clock | None = None,
        draw: Callable[[float, float], float] = draw_uniform,
    ) -> Self:
        policy = RetryPolicy(max_retries=settings.max_retries, base_delay=settings.retry_base_delay)
        exchange = Exchange(RequestBuilder(settings.vault_api_key), policy, clock or Clock(), draw)
        tokens = TokenVerifier(settings, exchange, KeyRing(settings.jwks_ttl_seconds), memories)
        clearances = Clearances(settings, exchange, tokens)
        return cls(settings, clearances, tokens, LedgerView(exchange), Administration(exchange))
