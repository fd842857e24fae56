"""One checker of everything that must hold of a Vault at any moment, whatever failed before.

(a) every acknowledged answer is stored, and in the ledger exactly once
(b) no token without an approval that is stored and in the ledger
(c) every log is intact, every row that says what happened agrees with the events that say it
(d) no two checkpoints of a log have the same size, and each signs the root that the entries give
(f) nothing is published above the high-water cell
(What needs a second request, (e) "a retry gets the same outcome", the tests do themselves.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from ledgix.formats import tokens
from ledgix.formats.events import EventKind
from ledgix.formats.json import parse_object
from ledgix_vault.operations.check_vault import check_vault
from ledgix_vault.store import schema
from ledgix_vault.store.audit import audit_log
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.high_water import Cell
from ledgix_vault.store.logs import load_checkpoints
from vault_testing.house import House

NOTHING, CONSUMED, PROCESSING = "", "consumed", "processing"
MOVES: dict[tuple[str, str], tuple[str, ...]] = {
    (NOTHING, EventKind.CLEARANCE_DECIDED): ("approved", "pending", "denied", PROCESSING),
    (PROCESSING, EventKind.CLEARANCE_DECIDED): ("approved", "pending", "denied"),
    (PROCESSING, EventKind.REVIEW_CANCELLED_BY_AGENT): ("cancelled",),
    (NOTHING, EventKind.TOKEN_MINTED): ("approved",),
    ("pending", EventKind.REVIEW_VOTED): ("pending",),
    ("pending", EventKind.REVIEW_SECOND_REQUESTED): ("pending",),
    ("pending", EventKind.REVIEW_ESCALATED): ("pending",),
    ("pending", EventKind.REVIEW_DECIDED): ("approved", "denied"),
    ("pending", EventKind.REVIEW_EXPIRED): ("expired",),
    ("pending", EventKind.REVIEW_CANCELLED_BY_AGENT): ("cancelled",),
    ("approved", EventKind.REVIEW_CANCELLED_BY_AGENT): ("cancelled",),
    ("approved", EventKind.TOKEN_CONSUMED): (CONSUMED,),
    ("approved", EventKind.OUTCOME_REPORTED): ("approved",),
    (CONSUMED, EventKind.OUTCOME_REPORTED): (CONSUMED,),
}
"""The life of a request as its events may tell it: (state, event) → states that may follow."""


def check_invariants(house: House, *, by_own_check: bool = False) -> None:
    """Fails, saying what, unless everything holds; on request also by what `ledgix-vault check` finds, which takes a
    while."""
    if by_own_check:
        house.core.store.read_and_wait(lambda connection: _check_as_an_operator_would(connection, house))
    house.core.store.read_and_wait(lambda connection: _check(connection, house))


def _check_as_an_operator_would(connection: Connection, house: House) -> None:
    keys = house.core.keys
    report = check_vault(connection, house.cells.real.all(), lambda kids: [keys.private(kid) for kid in kids])
    assert report.intact, report
    assert {tenant.tenant_id for tenant in report.tenants} == set(house.core.store.tenant_ids())


def _check(connection: Connection, house: House) -> None:
    for tenant_id in house.core.store.tenant_ids():
        audit = audit_log(connection, tenant_id)
        assert audit.flaw is None, audit.flaw
        events = rows_of(connection, schema.event, tenant_id)
        assert len({row.event_uuid for row in events}) == len(events) == audit.entries
        assert all(parse_object(row.intent.encode(), max_depth=64)["tenant"] == tenant_id for row in events)
        _check_checkpoints(connection, house, tenant_id)
        _check_requests(connection, tenant_id, events)
        _check_retries(connection, tenant_id, events)
    _check_acknowledged(connection, house)


def _check_checkpoints(connection: Connection, house: House, tenant_id: str) -> None:
    checkpoints = load_checkpoints(connection, tenant_id)
    assert [checkpoint.checkpoint_id for checkpoint in checkpoints] == list(range(1, len(checkpoints) + 1))
    sizes = [checkpoint.tree_size for checkpoint in checkpoints]
    assert sizes == sorted(set(sizes))
    cell = house.cells.read(house.core.store.log(tenant_id).key_id)
    published = house.core.store.published(tenant_id)
    if cell is not None:
        assert cell in [Cell.of(checkpoint) for checkpoint in checkpoints]
    if published is not None:
        assert published.checkpoint in checkpoints
        assert cell is not None
        assert published.checkpoint.checkpoint_id <= cell.checkpoint_id


def _check_requests(connection: Connection, tenant_id: str, events: Sequence[Any]) -> None:
    by_request: dict[str, list[Any]] = defaultdict(list)
    for row in events:
        if parse_object(row.intent.encode(), max_depth=64)["request"] is not None:
            by_request[row.request_id].append(row)
    clearances = {row.request_id: row for row in rows_of(connection, schema.clearance, tenant_id)}
    reviews = {row.request_id: row for row in rows_of(connection, schema.review, tenant_id)}
    votes = [row.request_id for row in rows_of(connection, schema.review_vote, tenant_id)]
    assert by_request.keys() == clearances.keys()
    for request_id, told in by_request.items():
        states = _states(told)
        stored, review = clearances[request_id], reviews.get(request_id)
        state = "pending" if states[-1] == PROCESSING else states[-1]
        assert state == (CONSUMED if stored.consumed_at is not None else stored.outcome)
        assert ("approved" in states) == (stored.jti is not None)  # no token without an approving event
        assert ("pending" in states) == (review is not None)
        if review is not None:
            ends = [state for state in states if state not in ("pending", PROCESSING)]
            assert review.status == (ends[0] if ends else "pending")
            voted = [row.kind for row in told].count(EventKind.REVIEW_VOTED)
            assert votes.count(request_id) == voted + (review.status == "approved")


def _check_retries(connection: Connection, tenant_id: str, events: Sequence[Any]) -> None:
    """(g) a call whose outcome is unknown was retried once at most, after that was reported, and no other ever was"""
    reported: dict[str, str] = {}
    retried: dict[str, str] = {}
    for row in events:  # in the order of the log
        intent: Any = parse_object(row.intent.encode(), max_depth=64)
        beside = intent["action_metadata"]
        if row.kind == EventKind.OUTCOME_REPORTED:
            assert reported.setdefault(row.request_id, beside["outcome"]) == beside["outcome"]
        elif row.kind == EventKind.TOKEN_MINTED:
            original = intent["original_request_id"]
            assert original not in retried.values()
            assert beside.get("after_outcome", "") == ("unknown" if reported.get(original) == "unknown" else "")
            if "after_outcome" in beside:
                assert original not in retried
                retried[original] = row.request_id
    rows = rows_of(connection, schema.outcome_report, tenant_id)
    assert {row.request_id: row.outcome for row in rows} == reported
    assert {row.request_id: row.retried_as for row in rows if row.retried_as is not None} == retried


def _states(told: Sequence[Any]) -> list[str]:
    """The states that the events of one request lead through."""
    states = []
    state = NOTHING
    for row in told:
        decision: Any = parse_object(row.intent.encode(), max_depth=64)["decision"]
        follows = CONSUMED if row.kind == EventKind.TOKEN_CONSUMED else decision["outcome"]
        if (row.kind, state) == (EventKind.OUTCOME_REPORTED, CONSUMED):
            follows = CONSUMED
        follows = PROCESSING if decision["status"] == "processing" else follows
        assert follows in MOVES.get((state, row.kind), ()), f"{row.kind} → {follows} after {states}"
        state = follows
        states.append(state)
    return states


def _check_acknowledged(connection: Connection, house: House) -> None:
    issued: dict[tuple[str, str], set[str]] = defaultdict(set)
    for acknowledged in house.acknowledged:
        answer, tenant_id = acknowledged.answer, acknowledged.tenant_id
        request_id = str(answer["request_id"])
        stored = find_clearance(connection, tenant_id, request_id)
        assert stored is not None
        if acknowledged.what == CONSUMED:
            assert stored.token is not None
            assert stored.token.jti == answer["jti"]
            assert stored.token.consumed_at is not None
        elif answer["token"] is not None:
            token = str(answer["token"])
            settings = house.settings
            claims = tokens.verify(
                token, house.core.token_keys(), issuer=settings.jwt_issuer, audience=settings.jwt_audience, now=0
            )
            assert claims == stored.claims(settings.jwt_issuer, settings.jwt_audience)
            issued[tenant_id, request_id].add(token)
    assert all(len(different) == 1 for different in issued.values())  # one approval, one token
    spent = [(ack.tenant_id, ack.answer["jti"]) for ack in house.acknowledged if ack.what == CONSUMED]
    replays = [ack for ack in house.acknowledged if ack.what == CONSUMED and getattr(ack.answer, "replayed", False)]
    assert len(set(spent)) >= len(spent) - len(replays)


def rows_of(connection: Connection, table: Table, tenant_id: str) -> Sequence[Any]:
    """All rows of one tenant, in the order of the table's key."""
    return connection.execute(
        select(table).where(table.c.tenant_id == tenant_id).order_by(*table.primary_key.columns)
    ).all()
