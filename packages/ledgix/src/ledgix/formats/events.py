"""Events: what a log holds, and the hash that commits to all of it (contract section 6).

Invariants:

- The event hash covers the event payload; the payload holds the intent's hash; the intent holds everything else.
- A member that stands in the entry and in the intent is derived from the intent: the two can't disagree.
- The redacted view hides reason, arguments, metadata, citations, evidence and intent; every hash and the receipt stay.
- Times are strings that the caller gives, RFC 3339 in UTC with `Z`; nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, cast

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import cbor, hashes, jcs, members
from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.intents import Derived, build_decision, build_intent, check_intent, derive
from ledgix.formats.json import Json, JsonObject
from ledgix.formats.keys import b64url
from ledgix.formats.receipts import ALGORITHM, Receipt

__all__ = [
    "ConfidenceBucket",
    "Event",
    "EventKind",
    "SealedEvent",
    "SealedIntent",
    "build_decision",
    "build_intent",
    "entry",
    "event_hash_of_entry",
    "redact",
    "seal",
    "seal_intent",
]

CANONICAL_VERSION = 1
STORED_DEPTH = 40
"""Levels of JSON in an intent or an entry: 32 for a request body, and what stands around it."""
_DOMAIN = b"ledgix.audit.event.v1\0"


class EventKind(StrEnum):
    """What happened; a closed set."""

    CLEARANCE_DECIDED = "clearance.decided"
    REVIEW_DECIDED = "review.decided"
    REVIEW_EXPIRED = "review.expired"
    REVIEW_CANCELLED_BY_AGENT = "review.cancelled_by_agent"
    REVIEW_VOTED = "review.voted"
    REVIEW_SECOND_REQUESTED = "review.second_requested"
    REVIEW_ESCALATED = "review.escalated"
    TOKEN_MINTED = "token.minted"  # noqa: S105
    TOKEN_CONSUMED = "token.consumed"  # noqa: S105
    OUTCOME_REPORTED = "outcome.reported"
    POLICY_DRAFTED = "policy.drafted"
    POLICY_CONFIRMED = "policy.confirmed"
    POLICY_ACTIVATED = "policy.activated"
    POLICY_SHADOWED = "policy.shadowed"
    POLICY_RETIRED = "policy.retired"
    POLICY_ROLLED_BACK = "policy.rolled_back"
    SCHEMA_REGISTERED = "schema.registered"
    DOCUMENT_ADDED = "document.added"
    DOCUMENT_REMOVED = "document.removed"
    CONFLUENCE_CONNECTED = "confluence.connected"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    KEY_ROTATED = "key.rotated"
    SETTINGS_CHANGED = "settings.changed"
    MEMBER_INVITED = "member.invited"
    MEMBER_INVITATION_WITHDRAWN = "member.invitation_withdrawn"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_NAME_CHANGED = "person.name_changed"
    PERSON_PASSWORD_CHANGED = "person.password_changed"  # noqa: S105
    PERSON_FACTOR_ADDED = "person.factor_added"
    PERSON_FACTOR_REMOVED = "person.factor_removed"
    PERSON_RECOVERY_CODES_MADE = "person.recovery_codes_made"
    PERSON_RECOVERY_CODE_USED = "person.recovery_code_used"
    PERSON_IDENTITY_LINKED = "person.identity_linked"
    PERSON_SLACK_LINKED = "person.slack_linked"
    PERSON_SLACK_UNLINKED = "person.slack_unlinked"
    TENANT_CREATED = "tenant.created"
    AGENT_SUSPENDED = "agent.suspended"
    AGENT_RELEASED = "agent.released"
    TOOL_SUSPENDED = "tool.suspended"
    TOOL_RELEASED = "tool.released"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_RELEASED = "tenant.released"
    LEDGER_RECOVERED = "ledger.recovered"


@dataclass(frozen=True, slots=True)
class Event:
    """One event before it is sealed; `intent` is made by `build_intent`."""

    event_uuid: str
    accepted_at: str
    reason: str
    intent: JsonObject
    citations: list[JsonObject] = field(default_factory=list)
    evidence_chunks: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An event with the bytes that its hashes are taken over. `intent_hash` is hex, `event_hash` raw."""

    event: Event
    derived: Derived
    intent_json: bytes
    intent_hash: str
    payload: bytes
    event_hash: bytes

    @property
    def leaf_hash(self) -> bytes:
        """The event's leaf in the log, raw."""
        return hashes.leaf_hash(self.event_hash)


class SealedIntent(NamedTuple):
    """An intent's bytes, their hash in hex, and what follows from it."""

    json: bytes
    hash: str
    derived: Derived


def seal_intent(intent: JsonObject) -> SealedIntent:
    """Computes the intent's hash; from here on nothing in it may change."""
    intent_json = jcs.canonicalize(intent)
    return SealedIntent(intent_json, sha256(intent_json).hexdigest(), derive(intent))


def seal(event: Event, intent: SealedIntent | None = None) -> SealedEvent:
    """Computes both hashes of an event; from here on nothing in it may change. `intent`: its own, if sealed before."""
    intent_json, intent_hash, derived = intent or seal_intent(event.intent)
    # In CBOR key order: by length, then by code point.
    payload = cbor.dumps_ordered(
        {
            "reason": event.reason,
            "agent_id": derived.agent_id,
            "approved": derived.approved,
            "citations": cbor.doubles(cast(Json, event.citations)),
            "policy_id": derived.policy_id,
            "tool_args": cbor.doubles(derived.tool_args),
            "tool_name": derived.tool_name,
            "confidence": derived.confidence,
            "event_uuid": event.event_uuid,
            "request_id": derived.request_id,
            "accepted_at": event.accepted_at,
            "intent_hash": intent_hash,
            "evidence_chunks": cbor.doubles(cast(Json, event.evidence_chunks)),
            "canonical_version": CANONICAL_VERSION,
        }
    )
    return SealedEvent(event, derived, intent_json, intent_hash, payload, sha256(_DOMAIN + payload).digest())


def entry(
    sealed: SealedEvent, *, seq: int, leaf_index: int | None, checkpoint_id: int | None, receipt: Receipt
) -> JsonObject:
    """The full view of an event as the wire has it; index and checkpoint are None until a checkpoint covers it."""
    event, derived = sealed.event, sealed.derived
    return {
        "seq": seq,
        "event_uuid": event.event_uuid,
        **derived.members(),
        "reason": event.reason,
        "citations": cast(Json, event.citations),
        "evidence_chunks": cast(Json, event.evidence_chunks),
        "accepted_at": event.accepted_at,
        "canonical_version": CANONICAL_VERSION,
        "intent_hash": sealed.intent_hash,
        "event_hash": sealed.event_hash.hex(),
        "leaf_hash": sealed.leaf_hash.hex(),
        "leaf_index": leaf_index,
        "checkpoint_id": checkpoint_id,
        "receipt_algorithm": ALGORITHM,
        "receipt_key_id": receipt.key_id,
        "receipt_signature": b64url(receipt.signature),
        "receipt_payload": b64url(receipt.payload),
        "intent": event.intent,
    }


def redact(entry: JsonObject) -> JsonObject:
    """The view without protected members; hashes and receipt stay, so all but the event hash can be checked."""
    return entry | {
        "intent_hash": "",
        "reason": "",
        "tool_args": {},
        "action_metadata": {},
        "intent": {},
        "citations": [],
        "evidence_chunks": [],
    }


def event_hash_of_entry(entry: JsonObject) -> str:
    """The hex event hash that a full view must have; raises VerificationError when it contradicts its intent."""
    try:
        intent = members.obj(entry, "intent")
        check_intent(intent)
        members.require(entry, PAYLOAD_MEMBERS)
        _check_agreement(entry, intent)
        if members.whole(entry, "canonical_version") != CANONICAL_VERSION:
            raise FormatError(f"canonical_version must be {CANONICAL_VERSION}")
        payload = {name: cbor.doubles(entry[name]) for name in PAYLOAD_MEMBERS}
        payload["canonical_version"] = CANONICAL_VERSION
        return sha256(_DOMAIN + cbor.encode(payload)).hexdigest()
    except FormatError as error:
        raise VerificationError(str(error)) from None


def _check_agreement(entry: JsonObject, intent: JsonObject) -> None:
    if entry.get("intent_hash") != jcs.sha256_hex(intent):
        raise VerificationError("intent_hash is not the hash of the intent")
    derived = derive(intent).members()
    stated = {name: entry[name] for name in DERIVED_MEMBERS if name in entry}
    # Compared as bytes: to Python, true and 1 would be equal.
    if jcs.canonicalize(stated) == jcs.canonicalize(derived):
        return
    for name in DERIVED_MEMBERS:
        if (name in stated) != (name in derived) or _differ(stated.get(name), derived.get(name)):
            raise VerificationError(f"{name} says something else than the intent")


def _differ(one: Json, other: Json) -> bool:
    return jcs.canonicalize(one) != jcs.canonicalize(other)


PAYLOAD_MEMBERS = (
    "accepted_at",
    "agent_id",
    "approved",
    "citations",
    "confidence",
    "event_uuid",
    "evidence_chunks",
    "intent_hash",
    "policy_id",
    "reason",
    "request_id",
    "tool_args",
    "tool_name",
)
DERIVED_MEMBERS = (
    "kind",
    "request_id",
    "agent_id",
    "policy_id",
    "policy_version_id",
    "policy_content_hash",
    "tool_name",
    "tool_args",
    "action_category",
    "action_metadata",
    "confidence",
    "confidence_bucket",
    "decision_status",
    "approved",
)
