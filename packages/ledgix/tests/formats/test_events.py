"""Events: what the hash covers, what the entry says, and that the two can't disagree."""

import json as stdlib
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import json
from ledgix.formats.events import (
    ConfidenceBucket,
    Event,
    EventKind,
    build_decision,
    entry,
    event_hash_of_entry,
    redact,
    seal,
)
from ledgix.formats.intents import check_intent
from ledgix.formats.json import JsonObject
from ledgix.formats.receipts import Receipt

Make = Callable[..., Any]
RECEIPT = Receipt(b"payload", b"signature", "kid")


@pytest.fixture
def approved(new_event: Make, new_request: Make, new_decision: Make) -> Event:
    event = new_event(1, request=new_request(), decision=new_decision())
    assert isinstance(event, Event)
    return event


def full_view(event: Event) -> JsonObject:
    return entry(seal(event), seq=8, leaf_index=7, checkpoint_id=3, receipt=RECEIPT)


def read_back(view: JsonObject) -> JsonObject:
    """What another party gets from the wire."""
    return json.parse_object(json.dumps(view), max_depth=40)


def test_the_hash_is_pinned(approved: Event) -> None:
    sealed = seal(approved)
    assert sealed.intent_hash == sha256(sealed.intent_json).hexdigest()
    assert sealed.event_hash == sha256(b"ledgix.audit.event.v1\0" + sealed.payload).digest()
    assert sealed.leaf_hash == sha256(b"\0" + sealed.event_hash).digest()
    assert sealed.event_hash.hex() == "5da337cb7d6ed9e318518c038378d7577590d59617051ea5a87754be8f842fda"


def test_the_payload_holds_the_contracts_members_in_order(approved: Event) -> None:
    payload = cbor2.loads(seal(approved).payload)
    assert list(payload) == sorted(payload, key=lambda key: (len(key), key))
    assert payload == {
        "accepted_at": "2026-01-02T03:04:05.000001Z",
        "agent_id": "refund-agent",
        "approved": True,
        "canonical_version": 1,
        "citations": [{"page": 3.0, "rule_id": "r1", "policy_id": "refunds"}],
        "confidence": 0.95,
        "event_uuid": "aaaaaaaa-1111-4222-8333-000000000001",
        "evidence_chunks": [],
        "intent_hash": seal(approved).intent_hash,
        "policy_id": "refunds",
        "reason": "The amount is within the limit.",
        "request_id": "9d3f0a0e-1111-4222-8333-000000000001",
        "tool_args": {"amount": 45.5, "currency": "USD", "customer": {"name": "Jürgen"}, "order_id": "ord_8812"},
        "tool_name": "stripe_refund",
    }
    assert type(payload["citations"][0]["page"]) is float
    assert type(payload["canonical_version"]) is int


def test_the_intent_has_every_member_and_sorted_rules(approved: Event) -> None:
    check_intent(approved.intent)
    intent = stdlib.loads(seal(approved).intent_json)
    assert list(intent) == sorted(intent)
    assert intent["decision"]["matched_rule_ids"] == ["r1", "r2"]
    assert intent["original_request_id"] is None
    assert intent["request"]["human_principal"] is None
    assert intent["decider"] == {"type": "engine", "id": ""}


def test_the_full_view(approved: Event) -> None:
    view = full_view(approved)
    expected = (
        "seq event_uuid request_id agent_id policy_id policy_version_id policy_content_hash intent_hash tool_name "
        "tool_args action_category action_metadata reason citations evidence_chunks confidence confidence_bucket "
        "decision_status approved accepted_at canonical_version event_hash leaf_hash leaf_index checkpoint_id "
        "receipt_algorithm receipt_key_id receipt_signature receipt_payload kind intent"
    )
    assert set(view) == set(expected.split(" "))
    assert view["confidence"] == Decimal("0.95")
    assert view["receipt_algorithm"] == "Ed25519"
    assert (view["leaf_index"], view["checkpoint_id"]) == (7, 3)
    assert event_hash_of_entry(view) == view["event_hash"]
    assert event_hash_of_entry(read_back(view)) == view["event_hash"]


def test_index_and_checkpoint_are_null_until_covered(approved: Event) -> None:
    view = entry(seal(approved), seq=8, leaf_index=None, checkpoint_id=None, receipt=RECEIPT)
    nulls = {name for name, value in view.items() if value is None}
    assert nulls == {"leaf_index", "checkpoint_id"}


def test_the_redacted_view_hides_the_protected_members_only(approved: Event) -> None:
    view = full_view(approved)
    redacted = redact(view)
    assert set(redacted) == set(view)
    hidden = {name: value for name, value in redacted.items() if value != view[name]}
    assert hidden == {
        "intent_hash": "",
        "reason": "",
        "tool_args": {},
        "intent": {},
        "citations": [],
    }
    assert (redacted["action_metadata"], redacted["evidence_chunks"]) == ({}, [])
    with pytest.raises(VerificationError):
        event_hash_of_entry(redacted)


def test_administrative_events(new_event: Make) -> None:
    metadata = {"policy_id": "refunds", "policy_version_id": "v2", "policy_content_hash": "ef" * 32}
    view = full_view(new_event(kind=EventKind.POLICY_ACTIVATED, metadata=metadata))
    assert (view["tool_name"], view["tool_args"], view["agent_id"]) == ("policy.activated", {}, "")
    assert (view["policy_id"], view["policy_version_id"]) == ("refunds", "v2")
    assert (view["approved"], view["confidence"]) == (False, 0)
    assert "decision_status" not in view
    assert "confidence_bucket" not in view
    assert view["action_metadata"] == metadata
    assert event_hash_of_entry(read_back(view)) == view["event_hash"]
    settings = full_view(new_event(kind=EventKind.SETTINGS_CHANGED, metadata={"policy_id": 5}))
    assert settings["policy_id"] == ""


def test_a_request_event_without_a_decision(new_event: Make, new_request: Make) -> None:
    view = full_view(new_event(kind=EventKind.TOKEN_CONSUMED, request=new_request()))
    assert (view["tool_name"], view["policy_id"], view["approved"]) == ("stripe_refund", "", False)
    assert "decision_status" not in view
    assert event_hash_of_entry(view) == view["event_hash"]


@pytest.mark.parametrize("effective", [{"amount": 20}, {}])
def test_changed_arguments_are_the_ones_that_count(
    new_event: Make, new_request: Make, new_decision: Make, effective: JsonObject
) -> None:
    view = full_view(new_event(request=new_request(), decision=new_decision(effective_args=effective)))
    assert view["tool_args"] == effective
    assert event_hash_of_entry(view) == view["event_hash"]


@pytest.mark.parametrize(
    ("bucket", "midpoint"), [("extra_high", 0.95), ("high", 0.85), ("medium", 0.60), ("low", 0.20), ("none", 0.0)]
)
def test_confidence(new_event: Make, new_request: Make, new_decision: Make, bucket: str, midpoint: float) -> None:
    decision = new_decision(confidence_bucket=ConfidenceBucket(bucket), decision_status="denied", status="denied")
    sealed = seal(new_event(request=new_request(), decision=decision))
    assert ConfidenceBucket(bucket).midpoint == midpoint
    assert cbor2.loads(sealed.payload)["confidence"] == midpoint
    view = read_back(entry(sealed, seq=1, leaf_index=0, checkpoint_id=1, receipt=RECEIPT))
    assert float(view["confidence"]) == midpoint  # type: ignore[arg-type]
    assert (view["confidence_bucket"], view["approved"]) == (bucket, False)
    assert event_hash_of_entry(view) == view["event_hash"]


LABELS = {"seq", "event_hash", "leaf_hash", "leaf_index", "checkpoint_id"}


def _leaves(value: json.Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += _leaves(item, (*path, name))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += _leaves(item, (*path, index))
    return found


def _hash_or_refusal(view: JsonObject) -> str:
    try:
        return event_hash_of_entry(view)
    except VerificationError as error:
        return str(error)


@pytest.mark.parametrize("replacement", [None, "forged", 7, True, {}, [], {"amount": 46}])
def test_no_member_can_be_altered(approved: Event, replacement: json.Json) -> None:
    view = full_view(approved)
    for path in _leaves(view):
        if path[0] in LABELS or str(path[0]).startswith("receipt"):
            continue
        forged: Any = read_back(view)
        spot = forged
        for step in path[:-1]:
            spot = spot[step]
        if repr(spot[path[-1]]) == repr(replacement):
            continue
        spot[path[-1]] = replacement
        assert _hash_or_refusal(forged) != view["event_hash"], path
        if isinstance(spot, dict):
            del spot[path[-1]]
            assert _hash_or_refusal(forged) != view["event_hash"], path


def test_true_is_not_one(approved: Event, new_event: Make) -> None:
    """Python calls them equal; other readers don't."""
    event = new_event(kind=EventKind.SETTINGS_CHANGED, metadata={"quorum": 1, "on": True})
    forged = full_view(event)
    for metadata in ({"quorum": True, "on": True}, {"quorum": 1, "on": 1}):
        with pytest.raises(VerificationError, match="action_metadata says something else"):
            event_hash_of_entry(forged | {"action_metadata": metadata})
    with pytest.raises(VerificationError, match="approved says something else"):
        event_hash_of_entry(full_view(approved) | {"approved": 1})


def test_a_member_that_the_intent_does_not_give_may_not_appear(new_event: Make) -> None:
    view = full_view(new_event(kind=EventKind.KEY_CREATED))
    with pytest.raises(VerificationError, match="decision_status says something else"):
        event_hash_of_entry(view | {"decision_status": "approved"})


INTENT_FLAWS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda intent: intent.pop("tenant"), "lacks tenant"),
    (lambda intent: intent.update(extra=1), "unknown members: extra"),
    (lambda intent: intent.update(v=2), "v must be 1"),
    (lambda intent: intent.update(v=True), "v must be a whole number"),
    (lambda intent: intent.update(salt="ab"), "salt must be"),
    (lambda intent: intent.update(salt="AB" * 16), "salt must be"),
    (lambda intent: intent.update(kind=None), "kind must be a string"),
    (lambda intent: intent.update(original_request_id=5), "original_request_id must be a string"),
    (lambda intent: intent.update(action_metadata=[]), "action_metadata must be an object"),
    (lambda intent: intent.update(decider={"type": "engine"}), "lacks id"),
    (lambda intent: intent.update(decider={"type": "engine", "id": None}), "id must be a string"),
    (lambda intent: intent.update(request=[]), "request must be an object"),
    (lambda intent: intent["request"].pop("accepts"), "intent.request lacks accepts"),
    (lambda intent: intent["request"].update(note=1), "intent.request has unknown members: note"),
    (lambda intent: intent["request"].update(tool_args=[]), "tool_args must be an object"),
    (lambda intent: intent["decision"].pop("outcome"), "intent.decision lacks outcome"),
    (lambda intent: intent["decision"].update(confidence_bucket="great"), "five buckets"),
    (lambda intent: intent["decision"].update(confidence_bucket=[]), "confidence_bucket must be a string"),
    (lambda intent: intent["decision"].update(matched_rule_ids=["b", "a"]), "sorted list"),
    (lambda intent: intent["decision"].update(matched_rule_ids=[1]), "sorted list"),
    (lambda intent: intent["decision"].update(effective_args=[]), "effective_args must be an object"),
]


@pytest.mark.parametrize(("spoil", "message"), INTENT_FLAWS)
def test_an_intent_of_another_shape_is_refused(approved: Event, spoil: Callable[[Any], Any], message: str) -> None:
    view: Any = read_back(full_view(approved))
    spoil(view["intent"])
    with pytest.raises(FormatError, match=message):
        check_intent(view["intent"])
    with pytest.raises(VerificationError, match=message):
        event_hash_of_entry(view)


def test_another_canonical_version_is_refused(approved: Event) -> None:
    for version in (0, 2, "1", None, True):
        with pytest.raises(VerificationError, match="canonical_version"):
            event_hash_of_entry(full_view(approved) | {"canonical_version": version})


json_objects = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(args=json_objects, metadata=json_objects, citations=st.lists(json_objects, max_size=2), reason=st.text())
def test_any_event_proves_itself_after_the_wire(
    new_event: Make, new_request: Make, args: Any, metadata: Any, citations: Any, reason: str
) -> None:
    exact: Any = json.from_python([metadata, citations])
    event = new_event(request=new_request(tool_args=args), metadata=exact[0], citations=exact[1], reason=reason)
    sealed = seal(event)
    view = entry(sealed, seq=1, leaf_index=0, checkpoint_id=1, receipt=RECEIPT)
    assert event_hash_of_entry(read_back(view)) == sealed.event_hash.hex()


def test_salt_hides_equal_events(new_event: Make) -> None:
    assert seal(new_event(1)).intent_hash != seal(new_event(2)).intent_hash


def test_a_decision_takes_tuples_and_enums() -> None:
    decision = build_decision(
        status="denied",
        decision_status="denied",
        outcome="denied",
        reason_code=None,
        confidence_bucket=ConfidenceBucket.NONE,
        minimum_confidence_bucket=ConfidenceBucket.HIGH,
        policy_id=None,
        policy_version_id=None,
        policy_content_hash=None,
        snapshot_hash="",
        matched_rule_ids=("b", "a"),
        assumptions=("x",),
        effective_args=None,
    )
    assert (decision["matched_rule_ids"], decision["assumptions"]) == (["a", "b"], ["x"])
    assert type(decision["confidence_bucket"]) is str
