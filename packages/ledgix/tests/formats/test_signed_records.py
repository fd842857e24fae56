"""Receipts, checkpoints, key records and bundles: exact bytes, strict reading, round trips."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import bundles, checkpoints, json, receipts
from ledgix.formats.attestations import attest
from ledgix.formats.bundles import Bundle, KeyRecord
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import redact
from ledgix.formats.keys import PrivateKey, b64url

KEY = PrivateKey.from_seed(bytes(range(32)))
LATER = PrivateKey.from_seed(bytes(range(1, 33)))


def test_receipt_bytes() -> None:
    receipt = receipts.sign(b"\1" * 32, b"\2" * 32, "event", "request", "2026-01-02T03:04:05.000006Z", KEY)
    assert cbor2.loads(receipt.payload) == {
        "type": "event_receipt",
        "version": 1,
        "leaf_hash": "02" * 32,
        "event_hash": "01" * 32,
        "event_uuid": "event",
        "request_id": "request",
        "accepted_at": "2026-01-02T03:04:05.000006Z",
        "receipt_key_id": KEY.kid,
    }
    keys = list(cbor2.loads(receipt.payload))
    assert keys == sorted(keys, key=lambda key: (len(key), key))
    assert receipt.key_id == KEY.kid
    KEY.public.verify(receipt.signature, receipt.payload)


def test_a_receipt_holds_for_full_and_redacted_view(log: Any) -> None:
    for index in range(len(log.events)):
        receipts.verify(log.entry(index), KEY.public)
        receipts.verify(redact(log.entry(index)), KEY.public)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("receipt_algorithm", "RS256"),
        ("receipt_algorithm", ""),
        ("receipt_key_id", LATER.kid),
        ("receipt_payload", ""),
        ("receipt_payload", "AA"),
        ("receipt_payload", "A"),
        ("receipt_payload", None),
        ("receipt_signature", ""),
        ("receipt_signature", b64url(bytes(64))),
        ("receipt_signature", b64url(bytes(63))),
        ("receipt_signature", "a="),
        ("leaf_hash", "00" * 32),
        ("event_hash", "00" * 32),
        ("event_hash", "\ud800"),
        ("event_uuid", "other"),
        ("request_id", "other"),
        ("request_id", 5),
        ("accepted_at", "2026-01-02T03:04:05.000007Z"),
    ],
)
def test_a_receipt_for_something_else_is_refused(log: Any, member: str, value: Any) -> None:
    entry = log.entry(0)
    with pytest.raises(VerificationError):
        receipts.verify(entry | {member: value}, KEY.public)
    del entry[member]
    with pytest.raises(VerificationError):
        receipts.verify(entry, KEY.public)


def test_checkpoint_bytes() -> None:
    made = checkpoints.sign(2, 5, "ab" * 32, "cd" * 32, "2026-01-02T03:04:05.000006Z", 30, KEY)
    assert cbor2.loads(made.payload) == {
        "type": "checkpoint",
        "key_id": KEY.kid,
        "version": 1,
        "root_hash": "ab" * 32,
        "signed_at": "2026-01-02T03:04:05.000006Z",
        "tree_size": 5,
        "mmd_seconds": 30,
        "export_targets": [],
        "prev_checkpoint_hash": "cd" * 32,
    }
    keys = list(cbor2.loads(made.payload))
    assert keys == sorted(keys, key=lambda key: (len(key), key))
    assert made.checkpoint_hash == sha256(b"ledgix.audit.checkpoint.v1\0" + made.payload).hexdigest()
    checkpoints.verify(made, KEY.public)
    exported = checkpoints.sign(2, 5, "ab" * 32, "", "t", 30, KEY, export_target="s3://bucket")
    assert cbor2.loads(exported.payload)["export_targets"] == ["s3://bucket"]
    checkpoints.verify(exported, KEY.public)


@pytest.mark.parametrize(
    "change",
    [
        {"tree_size": 6},
        {"root_hash": "00" * 32},
        {"prev_checkpoint_hash": ""},
        {"signed_at": "2026-01-02T03:04:05.000007Z"},
        {"mmd_seconds": 31},
        {"export_target": "s3://elsewhere"},
        {"signer_key_id": LATER.kid},
        {"checkpoint_hash": "00" * 32},
        {"payload": b""},
        {"signature": bytes(64)},
    ],
)
def test_an_altered_checkpoint_is_refused(change: dict[str, Any]) -> None:
    made = checkpoints.sign(2, 5, "ab" * 32, "cd" * 32, "2026-01-02T03:04:05.000006Z", 30, KEY)
    with pytest.raises(VerificationError):
        checkpoints.verify(replace(made, **change), KEY.public)
    with pytest.raises(VerificationError):
        checkpoints.verify(made, LATER.public)


def test_a_checkpoint_on_the_wire() -> None:
    made = checkpoints.sign(2, 5, "ab" * 32, "cd" * 32, "2026-01-02T03:04:05.000006Z", 30, KEY)
    expected = (
        "checkpoint_id microblock_id tree_size root_hash checkpoint_hash prev_checkpoint_hash signature_algorithm "
        "signer_key_id checkpoint_signature checkpoint_payload signed_at mmd_seconds export_target export_uri "
        "export_status"
    )
    assert set(made.to_json()) == set(expected.split(" "))
    exported = replace(made, exported_at="2026-01-02T03:05:00.000000Z", export_uri="u", export_status="done")
    for checkpoint in (made, exported):
        assert Checkpoint.from_json(json.parse_object(json.dumps(checkpoint.to_json()))) == checkpoint


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("signature_algorithm", "RS256", "signature_algorithm must be Ed25519"),
        ("checkpoint_id", 0, "checkpoint_id must be a whole number from 1"),
        ("checkpoint_id", True, "checkpoint_id must be a whole number"),
        ("tree_size", "5", "tree_size must be a whole number"),
        ("tree_size", 0, "tree_size must be a whole number from 1"),
        ("root_hash", "ab" * 31, "root_hash must be a hash"),
        ("root_hash", "AB" * 32, "root_hash must be a hash"),
        ("root_hash", "", "root_hash must be a hash"),
        ("prev_checkpoint_hash", "ab", "prev_checkpoint_hash must be a hash"),
        ("prev_checkpoint_hash", None, "prev_checkpoint_hash must be a string, but is null"),
        ("checkpoint_signature", "ab=", "base64url"),
        ("checkpoint_payload", 5, "checkpoint_payload must be a string, but is a number"),
        ("signed_at", [], "signed_at must be a string, but is an array"),
        ("exported_at", None, "exported_at must be a string, but is null"),
    ],
)
def test_a_checkpoint_of_another_shape_is_refused(member: str, value: Any, message: str) -> None:
    made = checkpoints.sign(2, 5, "ab" * 32, "cd" * 32, "t", 30, KEY).to_json()
    with pytest.raises(FormatError, match=message):
        Checkpoint.from_json(made | {member: value})


@pytest.mark.parametrize("member", ["checkpoint_id", "tree_size", "root_hash", "checkpoint_payload", "signed_at"])
def test_a_checkpoint_with_a_missing_member_is_refused(member: str) -> None:
    made = checkpoints.sign(2, 5, "ab" * 32, "cd" * 32, "t", 30, KEY).to_json()
    del made[member]
    with pytest.raises(FormatError, match=member):
        Checkpoint.from_json(made)


def test_key_records() -> None:
    first = KeyRecord(KEY.public, "2026-01-01T00:00:00.000000Z", retired_at="2026-02-01T00:00:00.000000Z")
    since = "2026-02-01T00:00:00.000000Z"
    second = KeyRecord(LATER.public, since, attestation=attest(LATER.public, since, KEY))
    wire = second.to_json()
    assert (wire["key_id"], wire["attestation_key_id"]) == (LATER.kid, KEY.kid)
    assert (wire["algorithm"], wire["attestation_status"]) == ("Ed25519", "attested")
    assert "retired_at" not in wire
    assert None not in wire.values()
    assert first.to_json()["attestation_status"] == "initial"
    for record in (first, second):
        assert KeyRecord.from_json(json.parse_object(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": KEY.kid},
        {"key_id": ""},
        {"algorithm": "RS256"},
        {"public_jwk": ""},
        {"public_jwk": b64url(b"{}")},
        {"public_jwk": b64url(b"not json")},
        {"active_from": None},
        {"attestation_payload": ""},
        {"attestation_signature": ""},
        {"attestation_key_id": ""},
        {"attestation_status": "initial"},
        {"attestation_status": "root"},
        {"attestation_payload": "", "attestation_signature": "", "attestation_key_id": ""},
    ],
)
def test_a_key_record_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    record = KeyRecord(LATER.public, "t", attestation=attest(LATER.public, "t", KEY)).to_json()
    with pytest.raises(FormatError):
        KeyRecord.from_json(record | change)


def test_bundles_go_both_ways(log: Any) -> None:
    for index in range(len(log.events)):
        wire = log.bundle(index)
        assert ("consistency" in wire) == (index < 5)
        parsed = Bundle.parse(json.dumps(wire))
        assert parsed.to_json() == wire
        assert None not in parsed.event.values()


SHAPES: list[tuple[Callable[[Any], Any], str]] = [
    (lambda wire: wire.pop("event"), "event must be an object, but is missing"),
    (lambda wire: wire.pop("inclusion"), "inclusion must be an object"),
    (lambda wire: wire.pop("keys"), "keys must be a list"),
    (lambda wire: wire.update(keys=[5]), "keys must be a list of objects"),
    (lambda wire: wire.update(consistency=[]), "consistency must be an object"),
    (lambda wire: wire["inclusion"].update(path=["00"]), r"path\[0\] must be a hash"),
    (lambda wire: wire["inclusion"].update(path="00"), "path must be a list"),
    (lambda wire: wire["inclusion"].update(leaf_index=-1), "leaf_index must be a whole number from 0"),
    (lambda wire: wire["consistency"].update(path=[None]), r"path\[0\] must be a hash"),
]


@pytest.mark.parametrize(("spoil", "message"), SHAPES)
def test_a_bundle_of_another_shape_is_refused(log: Any, spoil: Callable[[Any], Any], message: str) -> None:
    wire: Any = json.parse(json.dumps(log.bundle(0)))
    spoil(wire)
    with pytest.raises(FormatError, match=message):
        Bundle.from_json(wire)


def test_a_bundle_without_its_consistency_may_say_null(log: Any) -> None:
    assert Bundle.from_json(log.bundle(6) | {"consistency": None}).consistency is None
    assert bundles.ALGORITHM == "Ed25519"
