"""Asking for a second reviewer: one more person has to approve this call."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Conflict, Invalid, NotFound, VaultError
from ledgix_vault.operations.steps.current import expire_if_due
from ledgix_vault.operations.steps.deciding import REASON_MISSING
from ledgix_vault.operations.steps.record import record_event
from ledgix_vault.operations.steps.reviews import review_items
from ledgix_vault.reviews.review import Review
from ledgix_vault.store.clearances import find_clearance, find_review, second_review
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.settings import ReasonRequired
from ledgix_vault.vault import Vault


async def ask_second_reviewer(
    vault: Vault, caller: Caller, request_id: str, reason: str, key: IdempotencyKey | None
) -> tuple[JsonObject, bool]:
    """Raises this review's quorum by one; the review as it then stands, and whether this is a replay. Whoever asked may
    still approve.

    The same caller's wish again changes nothing. Raises `Conflict` for a review that is over or whose quorum is as
    large as it may be. Durable on return.
    """
    caller.require(Scope.REVIEW)
    stored = await vault.store.run(partial(_ask, caller, request_id, reason), key)
    if isinstance(stored, VaultError):
        raise stored  # its expiry is written
    state, now = vault.store.tenant(caller.tenant_id), vault.clock()

    def read(connection: Connection) -> JsonObject:
        clearance, review = _find(connection, caller.tenant_id, request_id)
        return review_items(connection, caller, state, [(clearance, review)], now)[0]

    return await vault.store.read(read), isinstance(stored, Replayed)


def _ask(caller: Caller, request_id: str, reason: str, unit: Unit) -> Stored[VaultError | None]:
    clearance, review = _find(unit.connection, caller.tenant_id, request_id)
    if expire_if_due(unit, clearance) is not clearance:
        return Stored(Conflict("This review expired; nobody else can be asked.", code="review_expired"))
    always = unit.tenant(caller.tenant_id).settings.reason_required is ReasonRequired.ALWAYS
    if always and not reason.strip():
        raise Invalid(REASON_MISSING, path="$.review_reason", code="review_reason_required")
    after = review.seconded(caller.lineage, reason, unit.now)
    if after is not review:
        if not second_review(unit, review, after):
            raise Conflict("Somebody else changed this review a moment ago; look again.", code="settled_meanwhile")
        decider = decider_of(caller)
        record_event(unit, clearance, EventKind.REVIEW_SECOND_REQUESTED, decider, {"review_reason": reason})
    return Stored(None, reference=request_id)


def _find(connection: Connection, tenant_id: str, request_id: str) -> tuple[Clearance, Review]:
    clearance = find_clearance(connection, tenant_id, request_id)
    review = find_review(connection, tenant_id, request_id)
    if clearance is None or review is None:
        raise NotFound("There is no review with this id.")
    return clearance, review
