"""The intent: everything that an event is about, in one object (contract section 6).

Invariants:

- Every member is always present, null when absent: so the hash over it commits to what is not there, too.
- A random salt keeps events of few possible contents from being guessed from the redacted view.
- Members of an entry that also stand in the intent are derived from it, by the functions of this module alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from ledgix.errors import FormatError
from ledgix.formats import members
from ledgix.formats.confidence import MIDPOINTS
from ledgix.formats.json import Json, JsonObject
from ledgix.formats.json_numbers import exact_float

INTENT_MEMBERS = frozenset(
    [
        "v",
        "salt",
        "tenant",
        "kind",
        "request_id",
        "original_request_id",
        "request",
        "decision",
        "action_category",
        "action_metadata",
        "decider",
    ]
)
REQUEST_MEMBERS = frozenset(
    [
        "tool_name",
        "tool_args",
        "agent_id",
        "session_id",
        "context",
        "human_principal",
        "parent_jti",
        "destination_uri",
        "destination_provider",
        "destination_account_ref",
        "data_categories",
        "purpose",
        "processing_register_ref",
        "dataset_ref",
        "accepts",
    ]
)
DECISION_MEMBERS = frozenset(
    [
        "status",
        "decision_status",
        "outcome",
        "reason_code",
        "confidence_bucket",
        "minimum_confidence_bucket",
        "policy_id",
        "policy_version_id",
        "policy_content_hash",
        "snapshot_hash",
        "matched_rule_ids",
        "assumptions",
        "effective_args",
    ]
)
DECIDER_MEMBERS = frozenset(("type", "id"))
VERSION = 1
_SALT_LENGTH = 32


def build_intent(
    *,
    salt: str,
    tenant: str,
    kind: str,
    request_id: str,
    original_request_id: str | None = None,
    request: JsonObject | None = None,
    decision: JsonObject | None = None,
    action_category: str,
    action_metadata: JsonObject,
    decider_type: str,
    decider_id: str,
) -> JsonObject:
    """The intent of one event. `salt` is 32 random hex characters; `request` is null for administrative events."""
    return {
        "action_category": action_category,
        "action_metadata": action_metadata,
        "decider": {"id": decider_id, "type": decider_type},
        "decision": decision,
        "kind": str(kind),
        "original_request_id": original_request_id,
        "request": request,
        "request_id": request_id,
        "salt": salt,
        "tenant": tenant,
        "v": VERSION,
    }


def build_decision(
    *,
    status: str,
    decision_status: str,
    outcome: str,
    reason_code: str | None,
    confidence_bucket: str,
    minimum_confidence_bucket: str,
    policy_id: str | None,
    policy_version_id: str | None,
    policy_content_hash: str | None,
    snapshot_hash: str,
    matched_rule_ids: Sequence[str],
    assumptions: Sequence[str],
    effective_args: JsonObject | None,
) -> JsonObject:
    """The intent's `decision`; rule identifiers are sorted here."""
    return {
        "assumptions": list(assumptions),
        "confidence_bucket": str(confidence_bucket),
        "decision_status": decision_status,
        "effective_args": effective_args,
        "matched_rule_ids": cast(Json, sorted(matched_rule_ids)),
        "minimum_confidence_bucket": str(minimum_confidence_bucket),
        "outcome": outcome,
        "policy_content_hash": policy_content_hash,
        "policy_id": policy_id,
        "policy_version_id": policy_version_id,
        "reason_code": reason_code,
        "snapshot_hash": snapshot_hash,
        "status": status,
    }


class Derived(NamedTuple):
    """What an entry says that follows from its intent. `None` means: left out of the entry."""

    kind: str
    request_id: str
    agent_id: str
    tool_name: str
    tool_args: JsonObject
    policy_id: str
    policy_version_id: str
    policy_content_hash: str
    action_category: str
    action_metadata: JsonObject
    approved: bool
    confidence: float
    confidence_bucket: str | None
    decision_status: str | None

    def members(self) -> JsonObject:
        """The members as the entry has them."""
        found: JsonObject = {
            "kind": self.kind,
            "request_id": self.request_id,
            "agent_id": self.agent_id,
            "policy_id": self.policy_id,
            "policy_version_id": self.policy_version_id,
            "policy_content_hash": self.policy_content_hash,
            "tool_name": self.tool_name,
            "tool_args": self.tool_args,
            "action_category": self.action_category,
            "action_metadata": self.action_metadata,
            "confidence": exact_float(self.confidence),
            "approved": self.approved,
        }
        if self.confidence_bucket is not None:
            found["confidence_bucket"] = self.confidence_bucket
        if self.decision_status is not None:
            found["decision_status"] = self.decision_status
        return found


def derive(intent: JsonObject) -> Derived:
    """The entry's members that follow from an intent with the shape that `check_intent` demands."""
    # Untyped in here: the shape is either checked or made by `build_intent`, and every sealed event comes through.
    found: dict[str, Any] = cast("dict[str, Any]", intent)
    request, decision, kind, metadata = found["request"], found["decision"], found["kind"], found["action_metadata"]
    status = bucket = None
    if request is None:
        policy = metadata if decision is None else decision
        agent_id, tool_name, tool_args = "", kind, {}
    else:
        policy = {} if decision is None else decision
        agent_id, tool_name = request["agent_id"], request["tool_name"]
        effective = policy.get("effective_args")
        tool_args = request["tool_args"] if effective is None else effective
        status, bucket = policy.get("decision_status"), policy.get("confidence_bucket")
    return Derived(
        kind=kind,
        request_id=found["request_id"],
        agent_id=agent_id,
        tool_name=tool_name,
        tool_args=tool_args,
        policy_id=_text(policy.get("policy_id")),
        policy_version_id=_text(policy.get("policy_version_id")),
        policy_content_hash=_text(policy.get("policy_content_hash")),
        action_category=found["action_category"],
        action_metadata=metadata,
        approved=status == "approved",
        confidence=0.0 if bucket is None else MIDPOINTS[bucket],
        confidence_bucket=bucket,
        decision_status=status,
    )


def check_intent(intent: JsonObject) -> None:
    """Returns if `intent` has exactly the contract's members, typed as `derive` needs them; raises FormatError."""
    _check_names(intent, INTENT_MEMBERS, "intent")
    if members.whole(intent, "v") != VERSION:
        raise FormatError(f"v must be {VERSION}")
    salt = members.text(intent, "salt")
    if len(salt) != _SALT_LENGTH or not set(salt) <= members.HEX:
        raise FormatError("salt must be 32 lower-case hex characters")
    for name in ("tenant", "kind", "request_id", "action_category"):
        members.text(intent, name)
    if intent["original_request_id"] is not None:
        members.text(intent, "original_request_id")
    members.obj(intent, "action_metadata")
    _check_decider(members.obj(intent, "decider"))
    if intent["request"] is not None:
        _check_request(members.obj(intent, "request"))
    if intent["decision"] is not None:
        _check_decision(members.obj(intent, "decision"))


def _check_decider(decider: JsonObject) -> None:
    _check_names(decider, DECIDER_MEMBERS, "intent.decider")
    members.text(decider, "type")
    members.text(decider, "id")


def _check_request(request: JsonObject) -> None:
    _check_names(request, REQUEST_MEMBERS, "intent.request")
    members.obj(request, "tool_args")
    members.text(request, "tool_name")
    members.text(request, "agent_id")


def _check_decision(decision: JsonObject) -> None:
    _check_names(decision, DECISION_MEMBERS, "intent.decision")
    members.text(decision, "decision_status")
    if members.text(decision, "confidence_bucket") not in MIDPOINTS:
        raise FormatError("confidence_bucket must be one of the five buckets")
    if decision["effective_args"] is not None:
        members.obj(decision, "effective_args")
    rules = decision["matched_rule_ids"]
    if not isinstance(rules, list) or rules != sorted(map(str, rules)):
        raise FormatError("matched_rule_ids must be a sorted list of strings")


def _check_names(found: JsonObject, expected: frozenset[str], where: str) -> None:
    if missing := sorted(expected - found.keys()):
        raise FormatError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(found.keys() - expected):
        raise FormatError(f"{where} has unknown members: {', '.join(unknown)}")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
