"""A clearance: one request, its decision, and the life of the one token that an approval carries.

Invariants (contract sections 2 and 3)
- One approval, one token: `jti` and `kid` are fixed when it is approved; `iat` and `exp` with them for a direct answer,
  after a review at the first hand-out. From then on the token is a pure function of this value.
- Clients in the field run the tool unless they read `denied`. So a token that was used or has lapsed, and a review that
  expired, read as `denied`; `outcome` tells the rest. So does an approval while it is suspended.
- Every move returns the next value or raises; the store settles races by writing it under the old one's conditions.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix.formats.tokens import TokenClaims
from ledgix_vault.clearance.decision import SUSPENDED, Decision, Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.tenancy.suspensions import Suspension
from ledgix_vault.times import MICROSECONDS, rfc3339


class TokenFacts(msgspec.Struct, frozen=True):
    """What is fixed of a token. `issued_at` and `expires_at` are whole seconds, null until the first hand-out."""

    jti: str
    kid: str
    issued_at: int | None = None
    expires_at: int | None = None
    pick_up_until: int | None = None  # µs; a reviewed approval that nobody fetched lapses then
    consumed_at: int | None = None  # µs

    @property
    def handed_out(self) -> bool:
        return self.expires_at is not None

    def issued(self, now: int, lifetime: int) -> TokenFacts:
        """First hand-out at `now` (µs), to live `lifetime` seconds."""
        seconds = now // MICROSECONDS
        return replace(self, issued_at=seconds, expires_at=seconds + lifetime)

    def lapsed(self, now: int) -> bool:
        if self.expires_at is not None:
            return now >= self.expires_at * MICROSECONDS
        return self.pick_up_until is not None and now >= self.pick_up_until


class Clearance(msgspec.Struct, frozen=True):
    """A row of the ledger's other half: what was asked, what was decided, what became of it."""

    tenant_id: str
    request_id: str
    key_lineage: str
    requested_at: int
    request: ClearanceRequest
    decision: Decision
    token: TokenFacts | None = None
    original_request_id: str | None = None
    depth: int = 0
    review_expires_at: int | None = None

    @property
    def effective_args(self) -> JsonObject:
        """The arguments that may run."""
        changed = self.decision.effective_args
        return self.request.tool_args if changed is None else changed

    @property
    def mintable(self) -> bool:
        """Decided by rules alone and approved: only such a decision may be made again by `/mint-token`."""
        return self.decision.outcome is Outcome.APPROVED and self.decision.decider.type == "engine"

    def begun(self, now: int, lifetime: int, review_seconds: int) -> Clearance:
        """This clearance with its moments fixed: an approval's token is issued for `lifetime` seconds, a pending one's
        review lasts `review_seconds`."""
        return replace(
            self,
            requested_at=now,
            token=None if self.token is None else self.token.issued(now, lifetime),
            review_expires_at=now + review_seconds * MICROSECONDS if self.decision.needs_person else None,
        )

    def usable(self, now: int) -> bool:
        """Whether its token may still be handed out or consumed."""
        return (
            self.decision.outcome is Outcome.APPROVED
            and self.token is not None
            and self.token.consumed_at is None
            and not self.token.lapsed(now)
        )

    def claims(self, issuer: str, audience: str) -> TokenClaims:
        """The claims of the one token of this approval; it must have been handed out (`iat` and `exp` are fixed)."""
        token, decision, request = self.token, self.decision, self.request
        assert token is not None
        assert token.issued_at is not None
        assert token.expires_at is not None
        return TokenClaims(
            iss=issuer,
            aud=audience,
            iat=token.issued_at,
            exp=token.expires_at,
            jti=token.jti,
            request_id=self.request_id,
            tool=request.tool_name,
            agent_id=request.agent_id,
            session_id=request.session_id,
            policy_id=decision.policy_id or "",
            tool_args_hash=jcs.sha256_hex(self.effective_args),
            tenant=self.tenant_id,
            policy_version_id=decision.policy_version_id or "",
            human_principal=request.human_principal or None,
            parent_jti=request.parent_jti or None,
        )


def answer(
    clearance: Clearance, now: int, token: str | None = None, suspension: Suspension | None = None
) -> JsonObject:
    """The clearance answer of contract section 2. `token` goes only to the key that asked, while usable. An approval
    that a `suspension` stops reads as denied and stays one: after the release it can be fetched and used."""
    decision = clearance.decision
    status, reason, reason_code = decision.status, decision.reason, decision.reason_code
    if decision.outcome is Outcome.APPROVED and clearance.token is not None:
        if clearance.token.consumed_at is not None:
            status, reason_code = "denied", "approval_used"
            reason = f"This approval was used at {rfc3339(clearance.token.consumed_at)}; ask again for another call."
        elif clearance.token.lapsed(now):
            status, reason_code = "denied", "approval_lapsed"
            reason = "This approval was not used in time; ask again."
        elif suspension is not None:
            status, reason_code, reason = "denied", SUSPENDED, suspension.why
    pending = decision.outcome is Outcome.PENDING
    return {
        "status": status,
        "decision_status": "approved_pending_review" if pending else status,
        "requires_manual_review": decision.needs_person,
        "token": token if status == "approved" else None,
        "reason": reason,
        "reason_code": reason_code,
        "request_id": clearance.request_id,
        "confidence_bucket": str(decision.confidence_bucket),
        "minimum_confidence_bucket": str(decision.minimum_confidence_bucket),
        "policy_version_id": _cacheable_version(clearance),
        "policy_content_hash": decision.policy_content_hash,
        "outcome": str(decision.outcome),
        "decided_policy_version_id": decision.policy_version_id,
        "effective_args": decision.effective_args,
        "citations": list(decision.citations),
        "expires_at": _expires_at(clearance),
        "limits": [finding.to_json() for finding in decision.limits],
    }


def _cacheable_version(clearance: Clearance) -> str | None:
    """Clients cache by this field: null where the approval can't be minted again."""
    if clearance.decision.outcome is Outcome.APPROVED and not clearance.mintable:
        return None
    return clearance.decision.policy_version_id


def _expires_at(clearance: Clearance) -> str | None:
    """The review's deadline while it is pending, else the token's end."""
    if clearance.decision.outcome is Outcome.PENDING:
        return rfc3339(clearance.review_expires_at) if clearance.review_expires_at is not None else None
    if clearance.token is not None and clearance.token.expires_at is not None:
        return rfc3339(clearance.token.expires_at * MICROSECONDS)
    return None
