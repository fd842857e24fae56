"""A small log that tests build from formats alone, and where the published vectors are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

from ledgix.formats import bundles, checkpoints, json, receipts, tree
from ledgix.formats.bundles import KeyRecord
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import Event, EventKind, SealedEvent, build_decision, build_intent, entry, seal
from ledgix.formats.json import JsonObject, from_python
from ledgix.formats.keys import PrivateKey
from ledgix.formats.receipts import Receipt

# The machine may be busy; a slow example is no failure.
settings.register_profile("ledgix", deadline=None, max_examples=50)
settings.load_profile("ledgix")

VECTORS = Path(__file__).parents[3] / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


def make_request(**members: object) -> JsonObject:
    """The request of an intent, defaults applied."""
    request = {
        "tool_name": "stripe_refund",
        "tool_args": {"amount": 45.5, "currency": "USD", "order_id": "ord_8812", "customer": {"name": "Jürgen"}},
        "agent_id": "refund-agent",
        "session_id": "",
        "context": {"facts": {"order_total": 120}},
        "human_principal": None,
        "parent_jti": None,
        "destination_uri": None,
        "destination_provider": None,
        "destination_account_ref": None,
        "data_categories": None,
        "purpose": None,
        "processing_register_ref": None,
        "dataset_ref": None,
        "accepts": [],
    }
    made = from_python(request | members)
    assert isinstance(made, dict)
    return made


def make_decision(**members: object) -> JsonObject:
    """The decision of an intent."""
    decision: dict[str, object] = {
        "status": "approved",
        "decision_status": "approved",
        "outcome": "approved",
        "reason_code": None,
        "confidence_bucket": "extra_high",
        "minimum_confidence_bucket": "high",
        "policy_id": "refunds",
        "policy_version_id": "6f1f0a0e-1111-4222-8333-444455556666",
        "policy_content_hash": "ab" * 32,
        "snapshot_hash": "cd" * 32,
        "matched_rule_ids": ["r2", "r1"],
        "assumptions": [],
        "effective_args": None,
    }
    return build_decision(**(decision | members))  # type: ignore[arg-type]


def make_event(
    number: int = 0,
    *,
    kind: EventKind = EventKind.CLEARANCE_DECIDED,
    request: JsonObject | None = None,
    decision: JsonObject | None = None,
    metadata: JsonObject | None = None,
    reason: str = "The amount is within the limit.",
    citations: list[JsonObject] | None = None,
) -> Event:
    """An event like the Vault's; without `request` an administrative one."""
    intent = build_intent(
        salt=f"{number:032x}",
        tenant="acme",
        kind=kind,
        request_id=f"9d3f0a0e-1111-4222-8333-{number:012d}",
        request=request,
        decision=decision,
        action_category=kind,
        action_metadata=metadata or {},
        decider_type="engine",
        decider_id="",
    )
    return Event(
        event_uuid=f"aaaaaaaa-1111-4222-8333-{number:012d}",
        accepted_at=f"2026-01-02T03:04:05.{number:06d}Z",
        reason=reason,
        intent=intent,
        citations=[{"policy_id": "refunds", "rule_id": "r1", "page": 3}] if citations is None else citations,
    )


@dataclass
class ExampleLog:
    """A log in memory: what a Vault keeps, without the Vault."""

    key: PrivateKey = field(default_factory=lambda: PrivateKey.from_seed(bytes(range(32))))
    tree: tree.Integrator = field(default_factory=tree.Integrator)
    leaves: list[bytes] = field(default_factory=list)
    events: list[tuple[SealedEvent, Receipt]] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def tile(self, level: int, index: int, width: int) -> bytes:
        assert level == 0, "this log is small"
        return b"".join(self.leaves[index * 256 : index * 256 + width])

    def add(self, event: Event) -> None:
        sealed = seal(event)
        receipt = receipts.sign(
            sealed.event_hash,
            sealed.leaf_hash,
            event.event_uuid,
            sealed.derived.request_id,
            event.accepted_at,
            self.key,
        )
        self.events.append((sealed, receipt))
        self.leaves.append(sealed.leaf_hash)
        self.tree.append(sealed.leaf_hash)

    def add_checkpoint(self, **options: str) -> Checkpoint:
        number = len(self.checkpoints) + 1
        previous = self.checkpoints[-1].checkpoint_hash if self.checkpoints else ""
        signed_at = f"2026-01-02T03:05:00.{number:06d}Z"
        made = checkpoints.sign(
            number, self.tree.size, self.tree.root_hex(), previous, signed_at, 30, self.key, **options
        )
        self.checkpoints.append(made)
        return made

    def entry(self, index: int) -> JsonObject:
        sealed, receipt = self.events[index]
        covering = next((c.checkpoint_id for c in self.checkpoints if c.tree_size > index), None)
        leaf_index = None if covering is None else index
        return entry(sealed, seq=index + 1, leaf_index=leaf_index, checkpoint_id=covering, receipt=receipt)

    def bundle(self, index: int, keys: list[KeyRecord] | None = None) -> JsonObject:
        """From the checkpoint that first covered the event to the newest one."""
        proofs = tree.ProofReader(self)
        covering = next(c for c in self.checkpoints if c.tree_size > index)
        newest = self.checkpoints[-1]
        event = self.entry(index)
        consistency = None
        if newest is not covering:
            path = proofs.consistency(covering.tree_size, newest.tree_size)
            consistency = bundles.consistency(covering, newest, path)
        records = keys or [KeyRecord(self.key.public, "2026-01-01T00:00:00.000000Z")]
        included = bundles.inclusion(event, proofs.inclusion(index, covering.tree_size), covering, index)
        return bundles.bundle(event, included, consistency, records)


def make_log() -> ExampleLog:
    """Seven events of every shape, checkpoints after five and seven."""
    made = ExampleLog()
    for number in range(4):
        made.add(make_event(number, request=make_request(), decision=make_decision()))
    made.add(make_event(4, kind=EventKind.POLICY_ACTIVATED, metadata={"policy_id": "refunds", "version": 2}))
    made.add_checkpoint()
    denied = make_decision(status="denied", decision_status="denied", confidence_bucket="none", policy_id=None)
    made.add(make_event(5, request=make_request(tool_args={}), decision=denied, reason="Keine Regel – abgelehnt 😀"))
    changed = make_decision(effective_args={"amount": 20})
    made.add(make_event(6, kind=EventKind.REVIEW_DECIDED, request=make_request(), decision=changed))
    made.add_checkpoint()
    return made


@pytest.fixture(scope="session")
def new_event() -> Callable[..., Event]:
    return make_event


@pytest.fixture(scope="session")
def new_request() -> Callable[..., JsonObject]:
    return make_request


@pytest.fixture(scope="session")
def new_decision() -> Callable[..., JsonObject]:
    return make_decision


@pytest.fixture(scope="session")
def bundle_text() -> bytes:
    """A bundle as it comes over the wire."""
    return json.dumps(make_log().bundle(0))


@pytest.fixture
def log() -> ExampleLog:
    return make_log()
