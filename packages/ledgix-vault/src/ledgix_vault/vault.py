"""What every operation needs from outside, in one frozen value."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledgix.formats import tokens
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey
from ledgix_vault.attempts import Attempts
from ledgix_vault.clearance.clearance import Clearance, answer
from ledgix_vault.documents.reader import DocumentReader
from ledgix_vault.keys.ring import KeyRing
from ledgix_vault.settings import Settings
from ledgix_vault.store.proofs import LogProofs
from ledgix_vault.store.store import Store
from ledgix_vault.tenancy.suspensions import Suspension


def system_clock() -> int:
    """Microseconds since the Unix epoch, by this machine."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Vault:
    """A running Vault. `token_key` is the id of the key that signs new tokens."""

    settings: Settings
    store: Store
    keys: KeyRing
    token_key: str
    proofs: LogProofs = field(default_factory=LogProofs)
    clock: Callable[[], int] = system_clock
    simulating: set[str] = field(default_factory=set)  # tenants with a simulation under way
    following: dict[str, int] = field(default_factory=dict)  # streams of events by tenant
    documents: DocumentReader = field(default_factory=DocumentReader)
    attempts: Attempts = field(default_factory=Attempts)
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Held while a password is hashed: each takes 64 MiB."""

    def token_keys(self) -> Mapping[str, PublicKey]:
        """The token keys that are listed: those whose tokens may still be valid."""
        return {self.token_key: self.keys.private(self.token_key).public}

    def answer(self, clearance: Clearance) -> JsonObject:
        """The answer for the key that asked: with the token while it may be used."""
        now, suspension = self.clock(), self.suspension_of(clearance)
        return answer(clearance, now, None if suspension else self._token(clearance, now), suspension)

    def answer_without_token(self, clearance: Clearance) -> JsonObject:
        """The answer for everybody else."""
        return answer(clearance, self.clock(), suspension=self.suspension_of(clearance))

    def suspension_of(self, clearance: Clearance) -> Suspension | None:
        """What stops this call by now, if anything does."""
        state = self.store.tenant(clearance.tenant_id)
        return state.suspension_of(clearance.request.agent_id, clearance.request.tool_name)

    def _token(self, clearance: Clearance, now: int) -> str | None:
        """The one token of this approval: the same bytes at every call, signed only after the approval is stored."""
        facts = clearance.token
        if facts is None or not facts.handed_out or not clearance.usable(now):
            return None
        claims = clearance.claims(self.settings.jwt_issuer, self.settings.jwt_audience)
        return tokens.issue(claims, self.keys.private(facts.kid))
