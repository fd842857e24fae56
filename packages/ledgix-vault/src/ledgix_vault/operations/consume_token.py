"""Burning a token: exactly once, whatever the concurrency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from ledgix.errors import TokenError
from ledgix.formats import jcs, tokens
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey
from ledgix.formats.tokens import TokenClaims
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import SUSPENDED, Outcome, decider_of
from ledgix_vault.errors import Conflict, Forbidden, TokenRefused
from ledgix_vault.operations.steps.record import record_event
from ledgix_vault.store.clearances import CLEARANCES, burn, find_clearance, find_clearance_by_jti
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

NO_EXPIRY = 0
"""Expiry is judged in the transaction, by its clock and after the idempotency key: a late retry of the request that
burned the token must learn that it did."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """The token that is about to be used, and what it is about to be used for, where the caller says so."""

    token: str
    tool_name: str | None = None
    tool_args: JsonObject | None = None


async def consume_token(
    vault: Vault,
    caller: Caller,
    consumption: Consumption,
    keys: Mapping[str, PublicKey],
    key: IdempotencyKey | None,
) -> tuple[TokenClaims, bool]:
    """Burns the token; its claims, and whether this is a replay. `keys` are the token keys that are listed.

    Raises `TokenRefused`, `Forbidden` (other tool or arguments, or suspended: nothing is burned) or `Conflict` (burned
    before). Durable on return: the `jti` can't be used again by anybody.
    """
    caller.require(Scope.CONSUME)
    claims = _verify(vault, caller, consumption, keys)
    _check_call(claims, consumption)
    stored = await vault.store.run(partial(_burn, caller, claims), key)
    if isinstance(stored, Replayed):
        return claims, True
    return claims, False


def _verify(vault: Vault, caller: Caller, consumption: Consumption, keys: Mapping[str, PublicKey]) -> TokenClaims:
    try:
        return tokens.verify(
            consumption.token,
            keys,
            issuer=vault.settings.jwt_issuer,
            audience=vault.settings.jwt_audience,
            now=NO_EXPIRY,
            tenant=caller.tenant_id,
        )
    except TokenError as error:
        raise TokenRefused(str(error), code=error.code) from error


def _check_call(claims: TokenClaims, consumption: Consumption) -> None:
    if consumption.tool_name is not None and consumption.tool_name != claims.tool:
        raise Forbidden(
            f"The token is for the tool {claims.tool!r}, not {consumption.tool_name!r}.", code="token_tool_mismatch"
        )
    if consumption.tool_args is not None and jcs.sha256_hex(consumption.tool_args) != claims.tool_args_hash:
        raise Forbidden("The arguments are not the ones that were approved.", code="token_args_mismatch")


def _burn(caller: Caller, claims: TokenClaims, unit: Unit) -> Stored[Clearance]:
    clearance = find_clearance_by_jti(unit.seeing(*CLEARANCES), caller.tenant_id, claims.jti)
    if clearance is None or clearance.token is None:
        raise TokenRefused("The token is not one of this Vault's approvals.", code="token_invalid")
    _check_unspent(clearance, unit.now)
    if suspension := unit.tenant(caller.tenant_id).suspension_of(claims.agent_id, claims.tool):
        raise Forbidden(suspension.why, code=SUSPENDED, request_id=clearance.request_id)
    consumed = replace(clearance, token=replace(clearance.token, consumed_at=unit.now))
    record_event(unit, consumed, EventKind.TOKEN_CONSUMED, decider_of(caller))
    if not burn(unit, clearance):
        current = find_clearance(unit.connection, caller.tenant_id, clearance.request_id)
        assert current is not None
        _check_unspent(current, unit.now)
        raise Conflict("The approval changed a moment ago; nothing was burned.", code="settled_meanwhile")
    return Stored(consumed, reference=claims.jti)


def _check_unspent(clearance: Clearance, now: int) -> None:
    assert clearance.token is not None
    if clearance.decision.outcome is not Outcome.APPROVED:
        raise TokenRefused("The approval was cancelled, which voids its token.", code="token_invalid")
    if clearance.token.consumed_at is not None:
        raise Conflict("This token was consumed before; a token is for one call.", code="token_already_consumed")
    if clearance.token.lapsed(now):
        raise TokenRefused("The token has expired.", code="token_expired")
