"""What can be measured inside one process: evaluating rules, proofs, and auditing a log."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from hashlib import sha256

from ledgix.formats import tree
from ledgix.formats.events import Event, EventKind, SealedEvent, build_decision, build_intent, seal
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PrivateKey
from ledgix.formats.proofs import ProofReader
from ledgix.formats.receipts import Receipt, sign
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.evaluate import Call, evaluate
from ledgix_vault.policy.model import Effect
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot

SEED = 20260101


def rate(work: Callable[[], object], seconds: float = 1.0) -> float:
    """Calls a second: the best of five rounds that together last about `seconds`."""
    times, started = 1, time.perf_counter()
    work()
    times = max(1, int(seconds / 5 / (time.perf_counter() - started)))
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            work()
        best = max(best, times / (time.perf_counter() - started))
    return best


def evaluations(rules: int) -> tuple[float, float]:
    """Decisions a second by so many rules that all apply to the tool: decided, and with the trace spelled out."""
    lines = [f"- {{id: r{n}, effect: deny, when: ['args.amount > {1000 + n}']}}" for n in range(rules)]
    document = draft_policy(
        policy_id="refunds",
        description="",
        sentences=[],
        tools=["stripe_refund"],
        definition="otherwise: approve\nrules:\n" + "\n".join(lines),
        schemas={},
    )
    snapshot = Snapshot(1, [ActivePolicy(document, "00000000-0000-7000-8000-000000000000", 1)], {}, Effect.REVIEW)
    call = _call("stripe_refund")
    assert evaluate(snapshot, call).effect is Effect.APPROVE
    return rate(lambda: evaluate(snapshot, call)), rate(lambda: evaluate(snapshot, call).trace)


def indexed_evaluation() -> float:
    """Microseconds (p50) for one decision by a policy of 200 rules over 40 tools: five of them apply to a tool."""
    lines = [
        f"- {{id: t{tool}r{n}, effect: {'deny' if n else 'approve'}, tools: [tool_{tool}],"
        f" when: ['args.amount {'>' if n else '<='} {1000 + n}', 'args.currency == \"USD\"']}}"
        for tool in range(40)
        for n in range(5)
    ]
    document = draft_policy(
        policy_id="everything",
        description="",
        sentences=[],
        tools=["tool_*"],
        definition="rules:\n" + "\n".join(lines),
        schemas={},
    )
    snapshot = Snapshot(1, [ActivePolicy(document, "00000000-0000-7000-8000-000000000000", 1)], {}, Effect.REVIEW)
    calls = [_call(f"tool_{tool}") for tool in range(40)]
    assert {evaluate(snapshot, call).effect for call in calls} == {Effect.APPROVE}
    taken = []
    for _ in range(500):
        for call in calls:
            started = time.perf_counter_ns()
            evaluate(snapshot, call)
            taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1000


def _call(tool_name: str) -> Call:
    return Call(
        tool_name=tool_name,
        args={"amount": 45, "currency": "USD"},
        agent_id="support-agent",
        session_id="",
        human_principal=None,
        facts={},
        destination={},
        purpose=None,
        data_categories=None,
        hint=None,
    )


class Tiles:
    """A log's tiles in memory."""

    def __init__(self, size: int) -> None:
        grown = tree.Integrator()
        for n in range(size):
            grown.append(tree.leaf_hash(sha256(n.to_bytes(8, "big")).digest()))
        self._full = {(full.level, full.index): full.data for full in grown.take_tiles()}
        self._edges = grown.edges()

    def tile(self, level: int, index: int, width: int) -> bytes:
        """See `ledgix.formats.proofs.TileReader`."""
        return self._full.get((level, index), self._edges[level] if level < len(self._edges) else b"")[: width * 32]


def proofs(size: int) -> dict[str, float]:
    """Inclusion proofs a second for random leaves of a log of `size` leaves: the first one of each tile, then warm."""
    reader = ProofReader(Tiles(size), cache_tiles=8192)
    draw = random.Random(SEED)
    started, count = time.perf_counter(), 500
    for _ in range(count):
        reader.inclusion(draw.randrange(size), size)
    cold = count / (time.perf_counter() - started)
    for leaf in range(0, size, 256):
        reader.inclusion(leaf, size)
    return {"cold": cold, "warm": rate(lambda: reader.inclusion(draw.randrange(size), size))}


def audit() -> float:
    """Events a second that are re-derived: content hash, leaf, tree and receipt signature."""
    key = PrivateKey.generate()
    made = [_sealed(n, key) for n in range(1000)]

    def check() -> None:
        grown = tree.Integrator()
        for sealed, receipt in made:
            again = seal(sealed.event)
            assert again.event_hash == sealed.event_hash
            grown.append(again.leaf_hash)
            key.public.verify(receipt.signature, receipt.payload)

    return rate(check, 2.0) * len(made)


def _sealed(n: int, key: PrivateKey) -> tuple[SealedEvent, Receipt]:
    request: JsonObject = {
        "tool_name": "stripe_refund",
        "tool_args": {"amount": n, "currency": "USD"},
        "agent_id": "support-agent",
        "session_id": "",
        "context": {},
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
    decision = build_decision(
        status="approved",
        decision_status="approved",
        outcome="approved",
        reason_code=None,
        confidence_bucket="high",
        minimum_confidence_bucket="high",
        policy_id="refunds",
        policy_version_id="00000000-0000-7000-8000-000000000000",
        policy_content_hash="0" * 64,
        snapshot_hash="0" * 64,
        matched_rule_ids=[],
        assumptions=[],
        effective_args=None,
    )
    request_id = f"00000000-0000-7000-8000-{n:012d}"
    intent = build_intent(
        salt="0" * 32,
        tenant="tenant",
        kind=EventKind.CLEARANCE_DECIDED,
        request_id=request_id,
        request=request,
        decision=decision,
        action_category="",
        action_metadata={},
        decider_type="engine",
        decider_id="",
    )
    sealed = seal(Event(request_id, "2026-01-01T00:00:00.000000Z", "Approved.", intent))
    receipt = sign(sealed.event_hash, sealed.leaf_hash, request_id, request_id, "2026-01-01T00:00:00.000000Z", key)
    return sealed, receipt
