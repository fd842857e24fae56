"""Clearances and reviews against the ledger.

- A clearance's row says what the newest entry that decided it says: request, decision, outcome, who asked, the token.
- It is consumed if and only if, and when, an entry says so. No row without an entry, no decision without a row.
- A review stands as long as no entry ended it; it ended as that entry says, and had its votes from those who voted, in
  their roles and for their reasons. One more approval was needed for each entry that asked for another reviewer.
  It was opened by the entry that left the request to a person: the first, or the one after its judge was asked.
- It was escalated if and only if, and when, an entry says so.
- Its quorum, roles and deadline, and the token's deadline after it, are those of the settings at that place of the
  ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, exists

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decider, DeciderType, Outcome
from ledgix_vault.clearance.facts import AFTER_OUTCOME, clearance_event, clearance_intent
from ledgix_vault.reviews.review import APPROVED_WITHOUT_REASON, Review, ReviewStatus, Vote
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import (
    REVIEWS,
    WITH_DEADLINE,
    clearance_of_row,
    load_votes,
    review_of_row,
    session_hash,
    tool_hash,
)
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries, entries_of_requests, readable
from ledgix_vault.store.crosscheck.settings import SettingsHistory
from ledgix_vault.store.found_by import found_by
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.times import MICROSECONDS, rfc3339

PAGE = 500
LONGEST_TOKEN = 86_400  # seconds; VAULT_JWT_TTL allows no more
_C, _E, _R = schema.clearance, schema.event, schema.review
_OPENING = (EventKind.CLEARANCE_DECIDED, EventKind.TOKEN_MINTED)
_ENDING = (EventKind.REVIEW_DECIDED, EventKind.REVIEW_EXPIRED, EventKind.REVIEW_CANCELLED_BY_AGENT)
_DECIDING = (*_OPENING, *_ENDING)


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that is stored about one request."""

    row: Any
    review_row: Any | None
    votes: tuple[Vote, ...]
    events: list[Entry]

    @property
    def deciding(self) -> list[Entry]:
        return [event for event in self.events if event.kind in _DECIDING]


def clearance_flaws(connection: Connection, tenant_id: str, lineages: Mapping[str, str]) -> Iterator[str]:
    """Every flaw; `lineages` gives the first key of the rotation chain for each API key."""
    history = SettingsHistory.load(connection, tenant_id)
    for case in _cases(connection, tenant_id):
        yield from readable(f"request {case.row.request_id}", partial(_case_flaws, case, history, lineages))
    yield from _without_row(connection, tenant_id)


def _cases(connection: Connection, tenant_id: str) -> Iterator[_Case]:
    after = ""
    while True:
        rows = connection.execute(
            WITH_DEADLINE.where(_C.c.tenant_id == tenant_id, _C.c.request_id > after)
            .order_by(_C.c.request_id)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        ids = [row.request_id for row in rows]
        after = ids[-1]
        events: dict[str, list[Entry]] = {}
        for event in entries_of_requests(connection, tenant_id, ids):
            events.setdefault(event.request_id, []).append(event)
        found = connection.execute(REVIEWS.where(_R.c.tenant_id == tenant_id, _R.c.request_id.in_(ids)))
        reviews = {review.request_id: review for review in found}
        votes = load_votes(connection, tenant_id, ids)
        for row in rows:
            of_it = row.request_id
            yield _Case(row, reviews.get(of_it), votes.get(of_it, ()), events.get(of_it, []))


def _case_flaws(case: _Case, history: SettingsHistory, lineages: Mapping[str, str]) -> Iterator[str]:
    deciding = case.deciding
    if not deciding or deciding[0].kind not in _OPENING:
        yield f"request {case.row.request_id}: the ledger has no decision of it"
        return
    clearance = clearance_of_row(case.row)
    place = f"request {clearance.request_id} (entry {deciding[-1].position})"
    if different := _differences(case, clearance, deciding[-1]):
        yield f"{place}: its row says otherwise than the ledger about {', '.join(different)}"
    if rfc3339(clearance.requested_at) != deciding[0].accepted_at:
        yield f"{place}: its row says another time of asking than the ledger"
    yield from (f"{place}: {flaw}" for flaw in _consumption_flaws(case, clearance))
    yield from (f"{place}: {flaw}" for flaw in _token_flaws(case, clearance, history))
    yield from (f"{place}: {flaw}" for flaw in _review_flaws(case, clearance, history, lineages))


def _differences(case: _Case, clearance: Clearance, newest: Entry) -> list[str]:
    """What the row would put into the ledger, and what of that isn't there."""
    recorded, grounds = dict(newest.intent), newest.grounds
    decider: Any = recorded["decider"]
    # Of which call it is the retry stands in that call's report; `limits` holds the two against each other.
    retry = {name: value for name, value in newest.metadata.items() if name == AFTER_OUTCOME}
    intent = clearance_intent(clearance, EventKind(newest.kind), salt=str(recorded["salt"]), beside=retry)
    again = clearance_event(clearance, intent, event_uuid=newest.event_uuid, accepted_at=newest.accepted_at)
    said = dict(again.intent)
    said["request"] = stored_object(case.row.request)
    told = Decider(
        DeciderType(decider["type"]),
        decider["id"],
        str(newest.metadata.get("assurance", "")),
        str(newest.metadata.get("acted_as", "")),
    )
    if clearance.decision.decider != told:
        said["decider"] = "another"
    different = differing(said, recorded)
    if case.row.outcome != str(clearance.decision.outcome):
        different.append("outcome")
    if case.row.session_hash != session_hash(clearance.request.session_id):
        different.append("session_hash")
    found = asdict(found_by(clearance))
    different += [name for name, value in found.items() if getattr(case.row, name) != value]
    stated = {"reason": again.reason, "citations": again.citations}
    return different + differing(stated, {name: grounds[name] for name in stated})


def _consumption_flaws(case: _Case, clearance: Clearance) -> Iterator[str]:
    burned = [event for event in case.events if event.kind == EventKind.TOKEN_CONSUMED]
    consumed_at = clearance.token.consumed_at if clearance.token is not None else None
    if not burned:
        if consumed_at is not None:
            yield "its row says that the token was consumed; the ledger doesn't"
        return
    if len(burned) > 1:
        yield f"its token was consumed more than once (entries {burned[0].position} and {burned[1].position})"
    if consumed_at is None:
        yield f"entry {burned[0].position} says that its token was consumed; its row doesn't"
    elif rfc3339(consumed_at) != burned[0].accepted_at:
        yield f"its row says another time of consumption than entry {burned[0].position}"
    recorded, token = burned[0].metadata["token"], clearance.token
    if token is not None and (recorded["iat"], recorded["exp"]) != (token.issued_at, token.expires_at):
        yield f"its row gives the token other times than entry {burned[0].position}"


def _token_flaws(case: _Case, clearance: Clearance, history: SettingsHistory) -> Iterator[str]:
    """The times that a hand-out after a review fixed: no entry has them before the consumption."""
    token = clearance.token
    if token is None:
        return
    approval = next((event for event in case.deciding if "token" in event.metadata), None)
    if approval is None:
        yield "its row has a token; no entry approved it"
        return
    if approval is not case.deciding[0]:
        seconds = history.at(approval.position).review_expiry_seconds
        if token.pick_up_until is None or _moved(token.pick_up_until, -seconds) != approval.accepted_at:
            yield "its row says another time until which the approval must be fetched"
    elif token.pick_up_until is not None:
        yield "its row says until when the approval must be fetched; it was handed out at once"
    if token.issued_at is None or token.expires_at is None:
        if (token.issued_at, token.expires_at) != (None, None):
            yield "its row has only one of the token's two times"
        return
    if not 0 < token.expires_at - token.issued_at <= LONGEST_TOKEN:
        yield "its row gives the token a longer life than any setting allows"
    if rfc3339((token.issued_at + 1) * MICROSECONDS) <= approval.accepted_at:
        yield "its row says that the token was issued before it was approved"
    if token.pick_up_until is None and rfc3339(token.issued_at * MICROSECONDS) > approval.accepted_at:
        yield "its row says that the token was issued after it was approved, though it was handed out at once"
    if token.pick_up_until is not None and token.issued_at * MICROSECONDS > token.pick_up_until:
        yield "its row says that the token was issued after the time to fetch it"


def _review_flaws(
    case: _Case, clearance: Clearance, history: SettingsHistory, lineages: Mapping[str, str]
) -> Iterator[str]:
    decisions = [event for event in case.deciding if event.kind in _OPENING]
    opening = decisions[-1]
    if len(decisions) > 1 and not _awaited_judge(decisions[-2]):
        yield f"it was decided anew by entry {opening.position}, though it didn't await its judge"
    if not _waits_for_person(opening):
        if case.review_row is not None or case.votes:
            yield "it has a review, but the ledger says that it needed none"
        return
    if case.review_row is None:
        yield "its review is missing"
        return
    review = review_of_row(case.review_row, case.votes)
    settings = history.at(opening.position)
    if rfc3339(review.opened_at) != opening.accepted_at:
        yield "its review says another time of opening"
    if review.expires_at != review.opened_at + settings.review_expiry_seconds * MICROSECONDS:
        yield "its review has another deadline than the settings gave it"
    yield from _quorum_flaws(case, review, settings, lineages)
    yield from _escalation_flaws(case, review, settings)
    if bytes(case.review_row.tool_hash) != tool_hash(clearance.request.tool_name):
        yield "its review is filed under another tool"
    yield from _end_flaws(review, case.deciding[case.deciding.index(opening) + 1 :])
    if sorted(_told(vote) for vote in review.votes) != sorted(_voted(case.events, lineages)):
        yield "its review's votes are not those that the ledger has"


def _quorum_flaws(case: _Case, review: Review, settings: ReviewSettings, lineages: Mapping[str, str]) -> Iterator[str]:
    wishes = [event for event in case.events if event.kind == EventKind.REVIEW_SECOND_REQUESTED]
    recorded = [
        (lineages.get(event.decider_id, event.decider_id), event.metadata["review_reason"], event.accepted_at)
        for event in wishes
    ]
    if [(each.asked_by, each.reason, rfc3339(each.asked_at)) for each in review.second_requests] != recorded:
        yield "its review says otherwise than the ledger about who asked for another reviewer"
    if review.quorum != (needed := settings.approvals_needed + len(wishes)):
        yield f"its review needs {review.quorum} approvals; the settings and the ledger said {needed}"
    if review.quorum_roles != settings.quorum_roles:
        yield "its review needs approvals in other roles than the settings said"
    if review.status is ReviewStatus.APPROVED and not review.has_quorum:
        yield "its review was approved without the approvals that it needs"


def _escalation_flaws(case: _Case, review: Review, settings: ReviewSettings) -> Iterator[str]:
    told = [event for event in case.events if event.kind == EventKind.REVIEW_ESCALATED]
    said = [] if review.escalated_at is None else [rfc3339(review.escalated_at)]
    if said != [event.accepted_at for event in told]:
        yield "its review says otherwise than the ledger about its escalation"
        return
    if review.escalated_at is not None and not (
        settings.escalation_seconds
        and review.opened_at + settings.escalation_seconds * MICROSECONDS <= review.escalated_at < review.expires_at
    ):
        yield f"its review was escalated by entry {told[0].position} at a time that the settings don't give"


def _awaited_judge(event: Entry) -> bool:
    decision: Any = event.intent["decision"]
    return bool(decision["status"] == "processing")


def _waits_for_person(event: Entry) -> bool:
    decision: Any = event.intent["decision"]
    return bool(decision["outcome"] == Outcome.PENDING and decision["status"] != "processing")


def _end_flaws(review: Review, later: list[Entry]) -> Iterator[str]:
    if not later:
        if (review.status, review.decided_at) != (ReviewStatus.PENDING, None):
            yield f"its review is {review.status}, but no entry ended it"
        return
    end = later[0]
    if review.status is not _status_by(end):
        yield f"its review is {review.status}, but entry {end.position} says {_status_by(end)}"
    elif review.decided_at is None or rfc3339(review.decided_at) != end.accepted_at:
        yield f"its review says another time of decision than entry {end.position}"
    elif review.decided_by != end.decider_id:
        yield f"its review says another decider than entry {end.position}"
    elif review.review_reason not in ("", end.grounds["reason"]):
        yield f"its review says another reason than entry {end.position}"


def _status_by(end: Entry) -> ReviewStatus:
    decision: Any = end.intent["decision"]
    return ReviewStatus(decision["outcome"])


def _told(vote: Vote) -> tuple[str, str, str, str]:
    return (vote.voter, vote.role, vote.reason or APPROVED_WITHOUT_REASON, rfc3339(vote.voted_at))


def _voted(events: list[Entry], lineages: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Who approved, in which role, why and when: every vote is an entry, and the last one is the decision itself."""
    for event in events:
        decision: Any = event.intent["decision"]
        is_approval = event.kind == EventKind.REVIEW_DECIDED and decision["outcome"] == Outcome.APPROVED
        if event.kind != EventKind.REVIEW_VOTED and not is_approval:
            continue
        reason = event.grounds["reason"] if is_approval else event.metadata["review_reason"]
        voter = lineages.get(event.decider_id, event.decider_id)
        yield (
            voter,
            str(event.metadata.get("acted_as", "")),
            str(reason) or APPROVED_WITHOUT_REASON,
            event.accepted_at,
        )


def _without_row(connection: Connection, tenant_id: str) -> Iterator[str]:
    has_row = exists().where(and_(_C.c.tenant_id == tenant_id, _C.c.request_id == _E.c.request_id))
    opening = _E.c.kind.in_([str(kind) for kind in _OPENING])
    for event in entries(connection, tenant_id, opening, ~has_row):
        yield f"request {event.request_id} (entry {event.position}): its row is missing"


def _moved(moment: int, seconds: int) -> str:
    return rfc3339(moment + seconds * MICROSECONDS)
