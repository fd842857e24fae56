"""Verifies one proof bundle (contract section 6), offline.

The steps, in this order; each one relies on those before it:

 1. shape        strict JSON with the members, types and lengths of the contract
 2. keys         every key is named by its thumbprint, and each attestation holds
 3. event        the intent gives `intent_hash`, entry and intent agree, and the entry gives `event_hash`
 4. receipt      the receipt says what the entry says, and a key of the log signed it
 5. leaf         the leaf is the hash of this event
 6. checkpoint   size and root are what the checkpoint's payload says; its hash and signature hold
 7. inclusion    the path leads from the leaf, at its index, to the checkpoint's root
 8. newest       the newest checkpoint's payload, hash and signature hold
 9. consistency  the newest tree extends the tree of step 6; nothing was removed or changed in between
10. log          the key that signed the newest checkpoint is a pinned one, or reached from it by attestations

Step 3 is skipped on a redacted view, 8 and 9 when the event's checkpoint is the newest, 10 without a pinned key. What a
skipped step leaves open stands in its detail. Nothing here trusts the machine that the bundle came from; everything
here trusts the pinned key, SHA-256 and Ed25519.

Labels that no hash covers: `seq`, `checkpoint_id`, `microblock_id`, `export_uri`, `export_status`, `exported_at`, a
key's `retired_at`, and `active_from` of an initial key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import attestations, checkpoints, events, hashes, members, proofs, receipts
from ledgix.formats.bundles import Bundle
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey
from ledgix.verify.report import BundleReport, Outcome, Step

_Finding: TypeAlias = tuple[Outcome, str]

_HIDDEN = {
    "intent_hash": "",
    "reason": "",
    "tool_args": {},
    "action_metadata": {},
    "intent": {},
    "citations": [],
    "evidence_chunks": [],
}
# By the event hash, by the receipt, or by the inclusion proof.
_COVERED = {*events.PAYLOAD_MEMBERS, *events.DERIVED_MEMBERS, "canonical_version", "intent", "event_hash"} | {
    "leaf_hash",
    "leaf_index",
    "receipt_algorithm",
    "receipt_key_id",
    "receipt_payload",
    "receipt_signature",
}
_UNPROVEN_WHEN_REDACTED = (
    "agent_id, policy_id, policy_version_id, policy_content_hash, tool_name, action_category, kind, decision_status, "
    "confidence, confidence_bucket, approved, canonical_version"
)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A bundle of the right shape, its keys by name, and what the auditor brought along."""

    bundle: Bundle
    keys: dict[str, PublicKey]
    pinned: frozenset[str]
    redacted: bool

    @property
    def newest(self) -> Checkpoint:
        proof = self.bundle.consistency
        return proof.to_checkpoint if proof else self.bundle.inclusion.checkpoint

    def key(self, kid: str) -> PublicKey:
        if kid not in self.keys:
            raise VerificationError(f"the bundle doesn't hold the key {kid}")
        return self.keys[kid]


def verify_bundle(bundle: bytes | JsonObject, *, pinned_keys: Collection[str] = ()) -> BundleReport:
    """The report on a bundle that holds; raises VerificationError, which names the step, for any other.

    `pinned_keys` are identifiers of ledger keys that the auditor got from elsewhere; without one the report can say
    that the evidence is whole, but not whose it is.
    """
    try:
        evidence = _read(bundle, frozenset(pinned_keys))
    except FormatError as error:
        raise VerificationError(str(error), "step 1, shape") from None
    steps = [Step(1, "shape", Outcome.CHECKED, "strict JSON in the contract's shape")]
    for number, (name, check) in enumerate(_CHECKS, start=2):
        try:
            outcome, detail = check(evidence)
        except (VerificationError, FormatError) as error:
            raise VerificationError(str(error), f"step {number}, {name}") from None
        steps.append(Step(number, name, outcome, detail))
    return _report(evidence, tuple(steps))


def _read(raw: bytes | JsonObject, pinned: frozenset[str]) -> _Evidence:
    bundle = Bundle.parse(raw) if isinstance(raw, bytes) else Bundle.from_json(raw)
    keys = {record.key.kid: record.key for record in bundle.keys}
    if len(keys) != len(bundle.keys):
        raise FormatError("keys names a key twice")
    hidden = [name for name, empty in _HIDDEN.items() if bundle.event.get(name) == empty]
    redacted = "intent" in hidden
    if redacted and len(hidden) != len(_HIDDEN):
        shown = ", ".join(sorted(_HIDDEN.keys() - hidden))
        raise FormatError(f"event is neither the full nor the redacted view: it hides the intent, but shows {shown}")
    return _Evidence(bundle, keys, pinned, redacted)


def _check_keys(evidence: _Evidence) -> _Finding:
    attested, alone, open_ends = 0, 0, []
    for record in evidence.bundle.keys:
        if record.attestation is None:
            alone += 1
        elif record.attestation.key_id not in evidence.keys:
            open_ends.append(record.key.kid)
        else:
            by = evidence.keys[record.attestation.key_id]
            attestations.verify(record.attestation, record.key, record.active_from, by)
            attested += 1
    detail = f"{len(evidence.keys)} named by thumbprint; {attested} attested by an earlier one, {alone} initial"
    if open_ends:
        detail += f"; not checked, because the attesting key isn't here: {', '.join(open_ends)}"
    return Outcome.CHECKED, detail


def _check_event(evidence: _Evidence) -> _Finding:
    event = evidence.bundle.event
    stated = members.hash_hex(event, "event_hash")
    if evidence.redacted:
        return Outcome.SKIPPED, (
            f"redacted view: {', '.join(_HIDDEN)} are hidden, so the event hash can't be recomputed. "
            f"These visible members are therefore unproven: {_UNPROVEN_WHEN_REDACTED}"
        )
    if events.event_hash_of_entry(event) != stated:
        raise VerificationError("the entry's members don't give its event_hash")
    labels = ", ".join(sorted(event.keys() - _COVERED))
    return Outcome.CHECKED, (
        "the intent gives intent_hash, the entry agrees with it and gives event_hash; "
        f"members of the entry that no hash covers: {labels or 'none'}"
    )


def _check_receipt(evidence: _Evidence) -> _Finding:
    kid = members.text(evidence.bundle.event, "receipt_key_id")
    receipts.verify(evidence.bundle.event, evidence.key(kid))
    return Outcome.CHECKED, f"signed by {kid} over event_uuid, request_id, accepted_at and both hashes"


def _check_leaf(evidence: _Evidence) -> _Finding:
    event, inclusion = evidence.bundle.event, evidence.bundle.inclusion
    leaf = hashes.leaf_hash(bytes.fromhex(members.hash_hex(event, "event_hash")))
    if members.hash_hex(event, "leaf_hash") != leaf.hex():
        raise VerificationError("leaf_hash is not the hash of event_hash")
    for name in ("event_uuid", "request_id", "event_hash", "leaf_hash"):
        if event.get(name) != getattr(inclusion, name):
            raise VerificationError(f"the inclusion proof is about another {name}")
    if event.get("leaf_index") is not None and members.whole(event, "leaf_index") != inclusion.leaf_index:
        raise VerificationError("the entry names another leaf_index than the inclusion proof")
    return Outcome.CHECKED, "leaf_hash is the hash of event_hash, and the proof is about this event"


def _check_checkpoint(evidence: _Evidence) -> _Finding:
    inclusion = evidence.bundle.inclusion
    if inclusion.tree_size != inclusion.checkpoint.tree_size:
        raise VerificationError("the inclusion proof is for another tree size than its checkpoint")
    return Outcome.CHECKED, _verified(evidence, inclusion.checkpoint)


def _check_inclusion(evidence: _Evidence) -> _Finding:
    proof = evidence.bundle.inclusion
    proofs.verify_inclusion(
        bytes.fromhex(proof.leaf_hash),
        proof.leaf_index,
        proof.tree_size,
        [bytes.fromhex(node) for node in proof.path],
        bytes.fromhex(proof.checkpoint.root_hash),
    )
    return Outcome.CHECKED, f"leaf {proof.leaf_index} of {proof.tree_size}, by {len(proof.path)} hashes"


def _check_newest(evidence: _Evidence) -> _Finding:
    proof = evidence.bundle.consistency
    if proof is None:
        return Outcome.SKIPPED, "no newer checkpoint in the bundle: what the log did later is not shown"
    old, new = proof.from_checkpoint, proof.to_checkpoint
    if old != evidence.bundle.inclusion.checkpoint:
        raise VerificationError("the consistency proof starts at another checkpoint than the inclusion proof's")
    if new.checkpoint_id <= old.checkpoint_id:
        raise VerificationError("the consistency proof doesn't lead to a newer checkpoint")
    if new.checkpoint_id == old.checkpoint_id + 1 and new.prev_checkpoint_hash != old.checkpoint_hash:
        raise VerificationError("the newer checkpoint follows at once, but its prev_checkpoint_hash names another one")
    return Outcome.CHECKED, _verified(evidence, new)


def _check_consistency(evidence: _Evidence) -> _Finding:
    proof = evidence.bundle.consistency
    if proof is None:
        return Outcome.SKIPPED, "nothing to compare: the event's checkpoint is the only one here"
    old, new = proof.from_checkpoint, proof.to_checkpoint
    proofs.verify_consistency(
        old.tree_size,
        new.tree_size,
        bytes.fromhex(old.root_hash),
        bytes.fromhex(new.root_hash),
        [bytes.fromhex(node) for node in proof.path],
    )
    return Outcome.CHECKED, f"the tree of {new.tree_size} leaves extends the tree of {old.tree_size}"


def _check_log(evidence: _Evidence) -> _Finding:
    signer = evidence.newest.signer_key_id
    if not evidence.pinned:
        return Outcome.SKIPPED, (
            f"no key pinned. The key {signer} identifies this log; compare it with one that its owner gave you "
            "some other way, else anybody could have made this log"
        )
    trusted = _reached_from(evidence)
    if signer not in trusted:
        raise VerificationError(f"the log's key {signer} is neither pinned nor attested from a pinned key")
    # The event stands in the tree that a trusted key signed, so an older, unvouched receipt key takes nothing away.
    how = "is pinned" if signer in evidence.pinned else "is attested, step by step, from a pinned key"
    return Outcome.CHECKED, f"the key {signer} of the newest checkpoint {how}"


_CHECKS: tuple[tuple[str, Callable[[_Evidence], _Finding]], ...] = (
    ("keys", _check_keys),
    ("event", _check_event),
    ("receipt", _check_receipt),
    ("leaf", _check_leaf),
    ("checkpoint", _check_checkpoint),
    ("inclusion", _check_inclusion),
    ("newest", _check_newest),
    ("consistency", _check_consistency),
    ("log", _check_log),
)


def _verified(evidence: _Evidence, checkpoint: Checkpoint) -> str:
    checkpoints.verify(checkpoint, evidence.key(checkpoint.signer_key_id))
    return (
        f"checkpoint {checkpoint.checkpoint_id}, {checkpoint.tree_size} leaves, "
        f"signed at {checkpoint.signed_at} by {checkpoint.signer_key_id}"
    )


def _reached_from(evidence: _Evidence) -> set[str]:
    """The pinned keys and all that follow from them by attestations that step 2 could verify."""
    trusted = set(evidence.pinned)
    waiting = [(r.key.kid, r.attestation.key_id) for r in evidence.bundle.keys if r.attestation is not None]
    waiting = [(kid, by) for kid, by in waiting if by in evidence.keys]
    while reached := [(kid, by) for kid, by in waiting if by in trusted and kid not in trusted]:
        trusted.update(kid for kid, _ in reached)
    return trusted


def _report(evidence: _Evidence, steps: tuple[Step, ...]) -> BundleReport:
    event, inclusion = evidence.bundle.event, evidence.bundle.inclusion
    return BundleReport(
        steps=steps,
        event_uuid=inclusion.event_uuid,
        request_id=inclusion.request_id,
        accepted_at=members.text(event, "accepted_at"),
        kind="" if evidence.redacted else members.text(event, "kind"),
        tool_name="" if evidence.redacted else members.text(event, "tool_name"),
        decision_status="" if evidence.redacted else members.optional_text(event, "decision_status"),
        event_hash=inclusion.event_hash,
        leaf_index=inclusion.leaf_index,
        tree_size=evidence.newest.tree_size,
        root_hash=evidence.newest.root_hash,
        log_key=evidence.newest.signer_key_id,
        pinned=bool(evidence.pinned),
        redacted=evidence.redacted,
    )
