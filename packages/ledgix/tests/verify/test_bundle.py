"""The offline verifier: what it accepts, what it leaves open, and that nothing can be altered unnoticed."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import VerificationError
from ledgix.formats import checkpoints, json
from ledgix.formats.attestations import Attestation, attest
from ledgix.formats.bundles import KeyRecord
from ledgix.formats.events import redact
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PrivateKey, PublicKey
from ledgix.verify import BundleReport, Outcome, verify_bundle

STEPS = ["shape", "keys", "event", "receipt", "leaf", "checkpoint", "inclusion", "newest", "consistency", "log"]
ROTATED_AT = "2026-02-01T00:00:00.000000Z"


def copy(wire: Any) -> Any:
    return json.parse(json.dumps(wire), max_depth=44)


def left_open(report: BundleReport) -> list[str]:
    return [step.name for step in report.steps if step.outcome is Outcome.SKIPPED]


def test_a_bundle_that_holds(log: Any) -> None:
    report = verify_bundle(json.dumps(log.bundle(1)), pinned_keys={log.key.kid})
    assert [step.name for step in report.steps] == STEPS
    assert [step.number for step in report.steps] == list(range(1, 11))
    assert left_open(report) == []
    assert report.intact
    assert report.pinned
    assert (report.kind, report.tool_name, report.decision_status) == ("clearance.decided", "stripe_refund", "approved")
    assert (report.leaf_index, report.tree_size, report.log_key) == (1, 7, log.key.kid)
    assert report.to_json()["intact"] is True
    assert json.dumps(report.to_json())


def test_every_event_of_the_log_holds(log: Any) -> None:
    for index in range(len(log.events)):
        report = verify_bundle(log.bundle(index))
        assert left_open(report) == (["log"] if index < 5 else ["newest", "consistency", "log"])


def test_the_deepest_legal_request_still_proves(log: Any, new_event: Any, new_request: Any, new_decision: Any) -> None:
    args = json.parse_object(b'{"a":' * 31 + b"1" + b"}" * 31)
    decision = new_decision(effective_args=args)
    log.add(new_event(8, request={**new_request(), "tool_args": args}, decision=decision))
    log.add_checkpoint()
    assert verify_bundle(json.dumps(log.bundle(7))).leaf_index == 7


def test_without_a_pinned_key_it_says_so(log: Any) -> None:
    step = verify_bundle(log.bundle(0)).steps[-1]
    assert step.outcome is Outcome.SKIPPED
    assert log.key.kid in step.detail
    assert "no key pinned" in step.detail


def test_a_redacted_view_says_what_is_unproven(log: Any) -> None:
    wire = log.bundle(0)
    wire["event"] = redact(wire["event"])
    report = verify_bundle(wire)
    assert left_open(report) == ["event", "log"]
    for name in ("tool_name", "decision_status", "approved", "agent_id", "policy_id", "kind"):
        assert name in report.steps[2].detail
    assert (report.redacted, report.kind, report.tool_name, report.decision_status) == (True, "", "", "")


@pytest.mark.parametrize(
    ("member", "value"),
    [("tool_args", {"amount": 5}), ("reason", "because"), ("intent_hash", "00" * 32), ("citations", [{}])],
)
def test_a_half_redacted_view_is_refused(log: Any, member: str, value: Any) -> None:
    wire = log.bundle(0)
    wire["event"] = redact(wire["event"]) | {member: value}
    with pytest.raises(VerificationError, match=f"hides the intent, but shows {member}") as caught:
        verify_bundle(wire)
    assert caught.value.step == "step 1, shape"


# What no hash covers, as the module's docstring lists it.
LABELS = {
    "event.seq",
    "event.checkpoint_id",
    "event.leaf_index",
    "inclusion.checkpoint.checkpoint_id",
    "keys.0.active_from",
}
# Read as "" when they are left out.
OPTIONAL = {"export_target", "attestation_payload", "attestation_signature", "attestation_key_id"}
LABEL_NAMES = {"microblock_id", "checkpoint_id", "export_uri", "export_status", "exported_at", "retired_at"}


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        found += spots(item, (*path, step))
    return found


def put(wire: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy(wire)
    spot = changed
    for step in path[:-1]:
        spot = spot[step]
    if value is DROP:
        del spot[path[-1]]
    else:
        spot[path[-1]] = value
    return changed


def at(wire: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        wire = wire[step]
    return wire


def holds(wire: Any) -> bool:
    """Any other error than VerificationError fails the test."""
    try:
        return verify_bundle(wire).intact
    except VerificationError:
        return False


DROP = object()


def nudged(value: Any) -> Any:
    """Something of the same type, but different."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return ("1" if value[0] == "0" else "0") + value[1:] if value else "x"
        case list():
            return [*value, *value[:1]] if value else ["00" * 32]
        case dict():
            return {**value, "extra": 1}
        case _:
            return 0


# Objects that are read by name: further members are ignored, as every client ignores them.
OPEN_OBJECTS = {"event", "inclusion", "inclusion.checkpoint", "consistency.from_checkpoint", "keys.0"} | {
    "consistency",
    "consistency.to_checkpoint",
}


@pytest.mark.parametrize("index", [0, 4, 6])
@pytest.mark.parametrize("view", ["full", "redacted"])
def test_nothing_can_be_altered_but_labels(log: Any, index: int, view: str) -> None:
    wire = log.bundle(index)
    if view == "redacted":
        wire["event"] = redact(wire["event"])
    wire = copy(wire)
    unnoticed = set()
    for path in spots(wire):
        name, old = ".".join(map(str, path)), at(wire, path)
        values = [None, 5, "", "forged", [], {}, True, DROP]
        if name not in OPEN_OBJECTS:
            values.append(nudged(old))
        for value in values:
            same = repr(value) == repr(old) or (value is DROP and path[-1] in OPTIONAL)
            if not same and holds(put(wire, path, value)):
                unnoticed.add(name)
    unnoticed -= LABELS
    # Taken away, it leaves steps 8 and 9 open; see the next test.
    unnoticed.discard("consistency")
    if view == "redacted":
        unproven = verify_bundle(wire).steps[2].detail.split(": ")[-1].split(", ")
        unnoticed -= {f"event.{name}" for name in unproven}
    assert {name for name in unnoticed if name.rpartition(".")[2] not in LABEL_NAMES} == set()


def test_the_report_names_what_no_hash_covers(log: Any) -> None:
    wire = log.bundle(0)
    wire["event"]["approved_by"] = "somebody important"
    assert verify_bundle(wire).steps[2].detail.endswith("no hash covers: approved_by, checkpoint_id, seq")


def test_dropping_the_consistency_leaves_it_open(log: Any) -> None:
    wire = log.bundle(0)
    del wire["consistency"]
    assert left_open(verify_bundle(wire)) == ["newest", "consistency", "log"]


Spoil = Callable[[Any, Any], Any]
SPOILED: list[tuple[Spoil, str, str]] = [
    (lambda w, log: w["keys"].clear(), "step 4, receipt", "doesn't hold the key"),
    (lambda w, log: w["keys"].append(w["keys"][0]), "step 1, shape", "names a key twice"),
    (lambda w, log: w["event"].update(reason="other"), "step 3, event", "don't give its event_hash"),
    (lambda w, log: w["event"].update(tool_args={}), "step 3, event", "tool_args says something else"),
    (lambda w, log: w["event"].update(leaf_hash="00" * 32), "step 4, receipt", "says something else"),
    (lambda w, log: w["event"].update(receipt_signature=""), "step 4, receipt", "signature"),
    (lambda w, log: w["event"].update(leaf_index=3), "step 5, leaf", "another leaf_index"),
    (lambda w, log: w["inclusion"].update(event_uuid="x"), "step 5, leaf", "another event_uuid"),
    (lambda w, log: w["inclusion"].update(tree_size=4), "step 6, checkpoint", "another tree size"),
    (lambda w, log: w["inclusion"]["checkpoint"].update(root_hash="00" * 32), "step 6, checkpoint", "payload"),
    (lambda w, log: w["inclusion"].update(leaf_index=2), "step 5, leaf", "leaf_index"),
    (lambda w, log: w["inclusion"]["path"].reverse(), "step 7, inclusion", "another root"),
    (lambda w, log: w["inclusion"]["path"].pop(), "step 7, inclusion", "too short"),
    (lambda w, log: w["consistency"]["from_checkpoint"].update(mmd_seconds=1), "step 8, newest", "another checkpoint"),
    (lambda w, log: w["consistency"]["to_checkpoint"].update(tree_size=8), "step 8, newest", "payload"),
    (lambda w, log: w["consistency"]["to_checkpoint"].update(checkpoint_id=1), "step 8, newest", "newer checkpoint"),
    (lambda w, log: w["consistency"]["path"].pop(), "step 9, consistency", "path"),
    (lambda w, log: w["consistency"]["path"].clear(), "step 9, consistency", "too short"),
]


@pytest.mark.parametrize(("spoil", "step", "message"), SPOILED)
def test_a_refusal_names_its_step(log: Any, spoil: Spoil, step: str, message: str) -> None:
    wire = copy(log.bundle(0))
    spoil(wire, log)
    with pytest.raises(VerificationError, match=message) as caught:
        verify_bundle(wire)
    assert caught.value.step == step
    assert str(caught.value).startswith(f"{step}: ")


def test_two_histories_are_told_apart(log: Any, new_event: Any) -> None:
    """A Vault that shows one log to one reader and another log to the next can't join them by a proof."""
    other = type(log)()
    for number in range(7):
        other.add(new_event(number + 100))
        if other.tree.size in (5, 7):
            other.add_checkpoint()
    wire = log.bundle(0)
    forked = checkpoints.sign(
        2, 7, other.tree.root_hex(), log.checkpoints[0].checkpoint_hash, "2026-01-02T03:05:01Z", 30, log.key
    )
    wire["consistency"]["to_checkpoint"] = forked.to_json()
    with pytest.raises(VerificationError, match="new root") as caught:
        verify_bundle(wire)
    assert caught.value.step == "step 9, consistency"


def test_checkpoints_in_a_row_must_be_chained(log: Any) -> None:
    wire = log.bundle(0)
    unchained = checkpoints.sign(2, 7, log.tree.root_hex(), "00" * 32, "2026-01-02T03:05:01Z", 30, log.key)
    wire["consistency"]["to_checkpoint"] = unchained.to_json()
    with pytest.raises(VerificationError, match="prev_checkpoint_hash"):
        verify_bundle(wire)


# Keys


def rotated(log: Any, later: PrivateKey, attestation: Attestation | None) -> JsonObject:
    """The same log, whose newest checkpoint is signed by a later key."""
    old = log.checkpoints[-1]
    log.checkpoints[-1] = checkpoints.sign(2, 7, old.root_hash, old.prev_checkpoint_hash, old.signed_at, 30, later)
    first = KeyRecord(log.key.public, "2026-01-01T00:00:00.000000Z", retired_at=ROTATED_AT)
    wire = log.bundle(0, [first, KeyRecord(later.public, ROTATED_AT, attestation=attestation)])
    assert isinstance(wire, dict)
    return wire


def test_trust_follows_attestations_from_the_pinned_key(log: Any) -> None:
    later = PrivateKey.generate()
    wire = rotated(log, later, attest(later.public, ROTATED_AT, log.key))
    report = verify_bundle(wire, pinned_keys=[log.key.kid])
    assert report.log_key == later.kid
    assert "attested, step by step" in report.steps[-1].detail
    assert "1 attested by an earlier one, 1 initial" in report.steps[1].detail
    assert "is pinned" in verify_bundle(wire, pinned_keys=[later.kid]).steps[-1].detail


def test_a_key_that_nobody_attested_is_not_the_pinned_log(log: Any) -> None:
    wire = rotated(log, PrivateKey.generate(), None)
    assert left_open(verify_bundle(wire)) == ["log"]
    with pytest.raises(VerificationError, match="neither pinned nor attested"):
        verify_bundle(wire, pinned_keys=[log.key.kid])


def test_trust_does_not_flow_backwards(log: Any) -> None:
    """Whoever attests the pinned key gains nothing by it."""
    later = PrivateKey.generate()
    wire = log.bundle(
        0,
        [
            KeyRecord(log.key.public, "2026-01-01T00:00:00.000000Z"),
            KeyRecord(later.public, ROTATED_AT, attestation=attest(later.public, ROTATED_AT, log.key)),
        ],
    )
    with pytest.raises(VerificationError, match="neither pinned nor attested"):
        verify_bundle(wire, pinned_keys=[later.kid])


def test_a_false_attestation_is_refused(log: Any) -> None:
    later = PrivateKey.generate()
    good = attest(later.public, ROTATED_AT, log.key)
    for bad in [
        Attestation(good.payload, bytes(64), log.key.kid),
        attest(later.public, "2026-01-31T00:00:00.000000Z", log.key),
        attest(later.public, ROTATED_AT, later),
        attest(log.key.public, ROTATED_AT, log.key),
        Attestation(good.payload, later.sign(good.payload), log.key.kid),
    ]:
        with pytest.raises(VerificationError) as caught:
            verify_bundle(rotated(log, later, bad))
        assert caught.value.step == "step 2, keys"


def test_an_attestation_by_an_absent_key_is_left_open(log: Any) -> None:
    absent = PrivateKey.generate()
    record = KeyRecord(log.key.public, ROTATED_AT, attestation=attest(log.key.public, ROTATED_AT, absent))
    report = verify_bundle(log.bundle(0, [record]))
    assert f"not checked, because the attesting key isn't here: {log.key.kid}" in report.steps[1].detail
    with pytest.raises(VerificationError, match="neither pinned nor attested"):
        verify_bundle(log.bundle(0, [record]), pinned_keys=[absent.kid])


def test_a_log_of_somebody_else_is_refused(log: Any) -> None:
    stranger = PublicKey(PrivateKey.generate().public.raw)
    with pytest.raises(VerificationError, match="neither pinned") as caught:
        verify_bundle(log.bundle(0), pinned_keys=[stranger.kid])
    assert caught.value.step == "step 10, log"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"not json", b"\xff\xfe", b"[" * 200_000, b'{"event":{}}'])
def test_what_is_no_bundle_fails_at_step_one(raw: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_bundle(raw)
    assert caught.value.step == "step 1, shape"


@given(raw=st.binary(max_size=200), start=st.integers(0), length=st.integers(0, 60))
def test_random_damage_never_escapes_as_another_error(bundle_text: bytes, raw: bytes, start: int, length: int) -> None:
    start %= len(bundle_text)
    damaged = bundle_text[:start] + raw + bundle_text[start + length :]
    holds(damaged)
