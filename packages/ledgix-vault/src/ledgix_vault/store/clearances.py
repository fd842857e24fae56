"""Clearances and reviews as rows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Executable, and_, bindparam, exists, or_, select, tuple_, update

from ledgix.formats import json
from ledgix.formats.events import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import Decider, DeciderType, Decision, Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.ids import is_id
from ledgix_vault.jsontext import encode_text
from ledgix_vault.limits.findings import Finding
from ledgix_vault.policy.call import EarlierCall
from ledgix_vault.reviews.review import Review, ReviewStatus, SecondRequest, Vote
from ledgix_vault.store import schema
from ledgix_vault.store.found_by import found_by
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.totals import recount
from ledgix_vault.store.unit import Row, Unit

_C, _R, _V = schema.clearance, schema.review, schema.review_vote
CLEARANCES = (_C, _R)
"""Where `find_clearance` and `find_clearance_by_jti` look."""


def clearance_row(clearance: Clearance) -> Row:
    """The row of a clearance, in the order of the table's columns."""
    token, found = clearance.token or TokenFacts("", ""), found_by(clearance)
    return (
        clearance.tenant_id,
        clearance.request_id,
        clearance.key_lineage,
        clearance.requested_at,
        encode_text(clearance.request.to_json()),
        encode_text(clearance.decision),
        str(clearance.decision.outcome),
        clearance.original_request_id,
        clearance.depth,
        token.jti or None,
        token.kid or None,
        token.issued_at,
        token.expires_at,
        token.pick_up_until,
        token.consumed_at,
        session_hash(clearance.request.session_id),
        found.tool_name,
        found.agent_id,
        found.parent_jti,
        found.policy_id,
        found.reason_code,
        found.decided_by,
    )


def session_hash(session_id: str) -> bytes | None:
    """How a session is found: by SHA-256 of its id, which may be any text; None for a call without one."""
    return sha256(session_id.encode()).digest() if session_id else None


def review_row(review: Review) -> Row:
    """The row of a newly opened review."""
    return (
        review.tenant_id,
        review.request_id,
        str(review.status),
        review.opened_at,
        review.expires_at,
        review.quorum,
        review.decided_at,
        review.decided_by,
        "",
        tool_hash(review.tool_name),
        " ".join(review.quorum_roles),
        _wishes(review),
        review.escalated_at,
    )


def tool_hash(tool_name: str) -> bytes:
    """How reviews of a tool are found: by SHA-256 of its name, which may be any text."""
    return sha256(tool_name.encode()).digest()


def _wishes(review: Review) -> str:
    return encode_text([each.to_json() for each in review.second_requests])


def find_clearance(connection: Connection, tenant_id: str, request_id: str) -> Clearance | None:
    """The tenant's clearance with this id, or None (another tenant's looks the same)."""
    if not is_id(request_id):
        return None
    return _one_clearance(connection, _BY_ID, tenant_id, request_id)


def find_clearance_by_jti(connection: Connection, tenant_id: str, jti: str) -> Clearance | None:
    """The tenant's clearance whose token has this `jti`, or None."""
    if not is_id(jti):
        return None
    return _one_clearance(connection, _BY_JTI, tenant_id, jti)


MOST_SESSION_CALLS = 1000


def session_calls(connection: Connection, tenant_id: str, session_id: str) -> tuple[EarlierCall, ...] | None:
    """The calls of this session that were approved so far, newest first; None for more than 1000."""
    rows = connection.execute(
        select(_C.c.request, _C.c.decision, _C.c.requested_at)
        .where(
            _C.c.tenant_id == tenant_id,
            _C.c.session_hash == session_hash(session_id),
            _C.c.outcome == str(Outcome.APPROVED),
        )
        .order_by(_C.c.requested_at.desc())
        .limit(MOST_SESSION_CALLS + 1)
    ).all()
    if len(rows) > MOST_SESSION_CALLS:
        return None
    return tuple(_earlier_call(row) for row in rows)


def _earlier_call(row: Any) -> EarlierCall:
    request = ClearanceRequest.from_json(stored_object(row.request))
    changed = _decision(stored_object(row.decision)).effective_args
    return EarlierCall(request.tool_name, request.tool_args if changed is None else changed, row.requested_at)


def find_review(connection: Connection, tenant_id: str, request_id: str) -> Review | None:
    """The tenant's review of this request with its votes, or None."""
    if not is_id(request_id):
        return None
    row = connection.execute(REVIEWS.where(_R.c.tenant_id == tenant_id, _R.c.request_id == request_id)).one_or_none()
    return (
        None if row is None else review_of_row(row, load_votes(connection, tenant_id, [request_id]).get(request_id, ()))
    )


def vote_row(review: Review, vote: Vote) -> Row:
    """The row of one approval towards a quorum."""
    return (review.tenant_id, review.request_id, vote.voter, encode_text(vote.reason), vote.voted_at, vote.role)


def list_reviews(
    connection: Connection,
    tenant_id: str,
    *,
    status: ReviewStatus | None,
    now: int,
    after: tuple[int, str] | None,
    oldest_first: bool = False,
    limit: int,
) -> list[tuple[Clearance, Review]]:
    """Reviews in order of opening, newest first unless told otherwise, from `after` (opened_at, request_id) on; a
    review past its time counts as expired."""
    conditions = [_R.c.tenant_id == tenant_id]
    if status is not None:
        conditions.append(_status_is(status, now))
    place = tuple_(_R.c.opened_at, _R.c.request_id)
    if after is not None:
        conditions.append(place > after if oldest_first else place < after)
    order = (_R.c.opened_at, _R.c.request_id)
    rows = connection.execute(
        REVIEWS.where(*conditions)
        .order_by(*(order if oldest_first else [column.desc() for column in order]))
        .limit(limit)
    ).all()
    return _with_clearances(connection, tenant_id, rows)


def _with_clearances(connection: Connection, tenant_id: str, rows: Sequence[Any]) -> list[tuple[Clearance, Review]]:
    ids = [row.request_id for row in rows]
    votes = load_votes(connection, tenant_id, ids)
    clearances = load_clearances(connection, tenant_id, ids)
    return [(clearances[row.request_id], review_of_row(row, votes.get(row.request_id, ()))) for row in rows]


def decided_reviews_of_tool(
    connection: Connection, tenant_id: str, tool_name: str, *, limit: int
) -> list[tuple[Clearance, Review]]:
    """Reviews of this tool that somebody approved or denied: the newest of each, at most `limit`."""
    rows: list[Any] = []
    for status in (ReviewStatus.APPROVED, ReviewStatus.DENIED):
        rows += connection.execute(
            REVIEWS.where(
                _R.c.tenant_id == tenant_id, _R.c.tool_hash == tool_hash(tool_name), _R.c.status == str(status)
            )
            .order_by(_R.c.decided_at.desc())
            .limit(limit)
        )
    return _with_clearances(connection, tenant_id, rows)


def count_waiting(connection: Connection, tenant_id: str, now: int, most: int, *, escalated: bool = False) -> int:
    """How many reviews wait for a person, or only how many escalated ones; counted up to `most`."""
    waiting = select(_R.c.request_id).where(_R.c.tenant_id == tenant_id, _status_is(ReviewStatus.PENDING, now))
    if escalated:
        waiting = waiting.where(_R.c.escalated_at.is_not(None))
    return len(connection.execute(waiting.limit(most)).all())


def burn(unit: Unit, clearance: Clearance) -> bool:
    """Writes that the approval's token is consumed now, as the unit's last act, if nobody changed its outcome, hand-out
    or consumption meanwhile. Nothing else changes: writing the columns that indexes hold would take twice as long."""
    assert clearance.token is not None
    changed = unit.write_last(
        _BURN,
        {
            "tenant": clearance.tenant_id,
            "named": clearance.request_id,
            "old_outcome": str(clearance.decision.outcome),
            "old_issued_at": clearance.token.issued_at,
            "old_consumed_at": None,
            "new_consumed_at": unit.now,
        },
    )
    return changed == 1


def settle(unit: Unit, before: Clearance, after: Clearance) -> bool:
    """Writes a clearance's next state if nobody changed its outcome, hand-out or consumption meanwhile, nor opened the
    review of one that awaited its judge."""
    old, new = before.token or TokenFacts("", ""), after.token or TokenFacts("", "")
    found = found_by(after)
    changed = unit.write(
        _SETTLE_JUDGED if before.decision.awaits_judge else _SETTLE,
        {
            "tenant": before.tenant_id,
            "named": before.request_id,
            "old_outcome": str(before.decision.outcome),
            "old_issued_at": old.issued_at,
            "old_consumed_at": old.consumed_at,
            "new_decision": encode_text(after.decision),
            "new_outcome": str(after.decision.outcome),
            "new_jti": new.jti or None,
            "new_kid": new.kid or None,
            "new_issued_at": new.issued_at,
            "new_expires_at": new.expires_at,
            "new_pick_up_until": new.pick_up_until,
            "new_consumed_at": new.consumed_at,
            "new_policy_id": found.policy_id,
            "new_reason_code": found.reason_code,
            "new_decided_by": found.decided_by,
        },
    )
    if changed == 1:
        recount(unit, before, after)
    return changed == 1


def end_review(unit: Unit, review: Review) -> bool:
    """Writes how a review ended, if it was still pending."""
    changed = unit.write(
        update(_R)
        .where(*_waiting(review))
        .values(
            status=str(review.status),
            decided_at=review.decided_at,
            decided_by=review.decided_by,
            # As JSON: a NUL typed by a person has no place in PostgreSQL's text.
            review_reason=encode_text(review.review_reason),
        )
    )
    return changed == 1


def second_review(unit: Unit, before: Review, after: Review) -> bool:
    """Writes the higher quorum and who wanted it, if the review still waits and nobody raised it meanwhile."""
    changed = unit.write(
        update(_R)
        .where(*_waiting(before), _R.c.quorum == before.quorum)
        .values(quorum=after.quorum, second_requests=_wishes(after))
    )
    return changed == 1


def escalate_review(unit: Unit, review: Review) -> bool:
    """Writes that the review was escalated now, if it still waits and wasn't escalated."""
    changed = unit.write(update(_R).where(*_waiting(review), _R.c.escalated_at.is_(None)).values(escalated_at=unit.now))
    return changed == 1


def _waiting(review: Review) -> tuple[Any, ...]:
    return (
        _R.c.tenant_id == review.tenant_id,
        _R.c.request_id == review.request_id,
        _R.c.status == str(ReviewStatus.PENDING),
    )


def _status_is(status: ReviewStatus, now: int) -> Any:
    match status:
        case ReviewStatus.PENDING:
            return and_(_R.c.status == str(status), _R.c.expires_at > now)
        case ReviewStatus.EXPIRED:
            late = and_(_R.c.status == str(ReviewStatus.PENDING), _R.c.expires_at <= now)
            return or_(_R.c.status == str(status), late)
        case _:
            return _R.c.status == str(status)


def _one_clearance(connection: Connection, statement: Executable, tenant_id: str, named: str) -> Clearance | None:
    row = connection.execute(statement, {"tenant": tenant_id, "named": named}).one_or_none()
    return None if row is None else clearance_of_row(row)


def load_clearances(connection: Connection, tenant_id: str, request_ids: list[str]) -> dict[str, Clearance]:
    """The tenant's clearances with these ids, by id."""
    rows = connection.execute(WITH_DEADLINE.where(_C.c.tenant_id == tenant_id, _C.c.request_id.in_(request_ids)))
    return {row.request_id: clearance_of_row(row) for row in rows}


def load_votes(connection: Connection, tenant_id: str, request_ids: list[str]) -> dict[str, tuple[Vote, ...]]:
    """The approvals of each of these requests so far, in the order of their votes."""
    rows = connection.execute(
        select(_V)
        .where(_V.c.tenant_id == tenant_id, _V.c.request_id.in_(request_ids))
        .order_by(_V.c.voted_at, _V.c.voter)
    )
    votes: dict[str, tuple[Vote, ...]] = {}
    for row in rows:
        vote = Vote(row.voter, row.role, _said(row.review_reason), row.voted_at)
        votes[row.request_id] = (*votes.get(row.request_id, ()), vote)
    return votes


def _said(stored: str) -> str:
    return str(json.parse(stored.encode())) if stored else ""


REVIEWS = select(_R, _C.c.request).join(_C, and_(_C.c.tenant_id == _R.c.tenant_id, _C.c.request_id == _R.c.request_id))
"""Reviews with what was asked: the tool's name is in there."""

WITH_DEADLINE = select(_C, _R.c.expires_at.label("review_expires_at")).outerjoin(
    _R, and_(_R.c.tenant_id == _C.c.tenant_id, _R.c.request_id == _C.c.request_id)
)


# Every guarded call passes these: made once, since building a statement takes five times as long as running it.
_TENANT = _C.c.tenant_id == bindparam("tenant")
_BY_ID = WITH_DEADLINE.where(_TENANT, _C.c.request_id == bindparam("named"))
_BY_JTI = WITH_DEADLINE.where(_TENANT, _C.c.jti == bindparam("named"))
_UNMOVED = update(_C).where(
    _TENANT,
    _C.c.request_id == bindparam("named"),
    _C.c.outcome == bindparam("old_outcome"),
    _C.c.issued_at.is_not_distinct_from(bindparam("old_issued_at")),
    _C.c.consumed_at.is_not_distinct_from(bindparam("old_consumed_at")),
)
_BURN = _UNMOVED.values(consumed_at=bindparam("new_consumed_at"))
_SETTLE = _UNMOVED.values(
    {
        _C.c[name]: bindparam(f"new_{name}")
        for name in (
            *("decision", "outcome", "jti", "kid", "issued_at", "expires_at", "pick_up_until", "consumed_at"),
            *("policy_id", "reason_code", "decided_by"),
        )
    }
)
_SETTLE_JUDGED = _SETTLE.where(
    ~exists().where(_R.c.tenant_id == bindparam("tenant"), _R.c.request_id == bindparam("named"))
)


def clearance_of_row(row: Any) -> Clearance:
    """The clearance that a row of `WITH_DEADLINE` is."""
    token = None
    if row.jti is not None:
        token = TokenFacts(row.jti, row.kid, row.issued_at, row.expires_at, row.pick_up_until, row.consumed_at)
    return Clearance(
        tenant_id=row.tenant_id,
        request_id=row.request_id,
        key_lineage=row.key_lineage,
        requested_at=row.requested_at,
        request=ClearanceRequest.from_json(stored_object(row.request)),
        decision=_decision(stored_object(row.decision)),
        token=token,
        original_request_id=row.original_request_id,
        depth=row.depth,
        review_expires_at=row.review_expires_at,
    )


def review_of_row(row: Any, votes: tuple[Vote, ...]) -> Review:
    """The review that a row of `REVIEWS` is, with who approved so far."""
    wishes: Any = json.parse(row.second_requests.encode())
    return Review(
        tenant_id=row.tenant_id,
        request_id=row.request_id,
        tool_name=str(stored_object(row.request)["tool_name"]),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        quorum=row.quorum,
        quorum_roles=tuple(row.quorum_roles.split()),
        status=ReviewStatus(row.status),
        votes=votes,
        second_requests=tuple(SecondRequest.from_json(each) for each in wishes),
        escalated_at=row.escalated_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        review_reason=_said(row.review_reason),
    )


def _decision(stored: JsonObject) -> Decision:
    decider: Any = stored["decider"]
    members: Any = {
        **stored,
        "outcome": Outcome(str(stored["outcome"])),
        "confidence_bucket": ConfidenceBucket(str(stored["confidence_bucket"])),
        "minimum_confidence_bucket": ConfidenceBucket(str(stored["minimum_confidence_bucket"])),
        "decider": Decider(
            DeciderType(decider["type"]), *(decider.get(name, "") for name in ("id", "assurance", "role"))
        ),
    }
    for name in ("matched_rule_ids", "assumptions", "citations", "trace"):
        members[name] = tuple(members[name])
    members["limits"] = tuple(Finding.from_json(each) for each in members.get("limits", ()))
    members["shadow"] = tuple(members.get("shadow", ()))  # younger than the oldest rows
    return Decision(**members)
