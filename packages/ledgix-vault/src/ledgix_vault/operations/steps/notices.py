"""Telling people, inside the transaction that causes it: what there is to tell becomes a row and a job, nothing else.

A tenant that doesn't want to hear of something writes nothing: that is looked up in memory.
"""

from __future__ import annotations

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.limits.findings import Finding
from ledgix_vault.notices.kinds import URGENT, Channel, NoticeKind
from ledgix_vault.notices.notice import Notice
from ledgix_vault.notices.settings import NotificationSettings
from ledgix_vault.store import schema
from ledgix_vault.store.jobs import JobKind, job_row
from ledgix_vault.store.notifications import add_delivery, add_notice, collecting_until, find_notice
from ledgix_vault.store.unit import Unit
from ledgix_vault.times import MICROSECONDS, rfc3339

_OF_EVENTS = {
    "review.decided": NoticeKind.REVIEW_DECIDED,
    "review.expired": NoticeKind.REVIEW_EXPIRED,
    "review.escalated": NoticeKind.REVIEW_ESCALATED,
}


def notify(unit: Unit, tenant_id: str, kind: NoticeKind, facts: JsonObject) -> None:
    """Stages a notice, if the tenant wants to hear of it. A tenant that this very unit founds has nobody to tell."""
    if tenant_id not in unit.new_logs and unit.tenant(tenant_id).notifications.wants(kind):
        add_notice(unit, tenant_id, kind, facts)


def notify_of_review(unit: Unit, clearance: Clearance) -> None:
    """A review was opened: people are asked, and reminded before its deadline."""
    notify(unit, clearance.tenant_id, NoticeKind.REVIEW_REQUESTED, _facts(clearance))
    settings = unit.tenant(clearance.tenant_id).notifications
    if settings.reminder_minutes and clearance.review_expires_at and settings.wants(NoticeKind.REVIEW_REMINDER):
        due_at = clearance.review_expires_at - settings.reminder_minutes * 60 * MICROSECONDS
        if due_at > unit.now:
            unit.insert(schema.job, job_row(clearance.tenant_id, JobKind.REMIND_REVIEW, clearance.request_id, due_at))


def remind_of_review(unit: Unit, clearance: Clearance) -> None:
    """Reminds of a review that still waits."""
    if clearance.decision.needs_person and unit.now < (clearance.review_expires_at or 0):
        notify(unit, clearance.tenant_id, NoticeKind.REVIEW_REMINDER, _facts(clearance))


def notify_of_event(unit: Unit, clearance: Clearance, event: EventKind) -> None:
    """Tells of an event of a request, if it is one of those that are told."""
    if (kind := _OF_EVENTS.get(str(event))) is not None:
        notify(unit, clearance.tenant_id, kind, _facts(clearance))


def budget_facts(clearance: Clearance, finding: Finding) -> JsonObject:
    """What is told of a budget that a call takes over the mark."""
    return {
        "request_id": clearance.request_id,
        "tool_name": clearance.request.tool_name,
        "policy_id": finding.policy_id,
        "limit_id": finding.limit_id,
        "window": finding.window,
        "maximum": finding.maximum,
        "unit": finding.unit,
        "used": finding.used_after,
        "per": dict(finding.per),
    }


def fan_out(unit: Unit, tenant_id: str, notification_id: str) -> None:
    """One delivery for everybody who wants to hear of it. Harmless when repeated: the job goes in the same
    transaction."""
    notice = find_notice(unit.connection, tenant_id, notification_id)
    if notice is None:
        return
    settings = unit.tenant(tenant_id).notifications
    for channel, target in settings.targets(notice.kind):
        add_delivery(unit, notice, channel, target, _due_at(unit, settings, notice, channel, target))


def _due_at(unit: Unit, settings: NotificationSettings, notice: Notice, channel: Channel, target: str) -> int:
    """Other systems, and what is urgent, wait for nothing."""
    if channel is Channel.WEBHOOK or notice.kind in URGENT:
        return unit.now
    due_at = unit.now
    if channel is Channel.EMAIL and settings.email.digest_minutes:
        due_at = collecting_until(unit, notice.tenant_id, channel, target) or (
            unit.now + settings.email.digest_minutes * 60 * MICROSECONDS
        )
    return settings.quiet_hours.until(due_at)


def _facts(clearance: Clearance) -> JsonObject:
    decision, request = clearance.decision, clearance.request
    expires_at = clearance.review_expires_at
    return {
        "request_id": clearance.request_id,
        "tool_name": request.tool_name,
        "agent_id": request.agent_id,
        "verdict": str(decision.outcome),
        "reason_code": decision.reason_code,
        "policy_id": decision.policy_id,
        "policy_version_id": decision.policy_version_id,
        "decided_by": decision.decider.id,
        "expires_at": None if expires_at is None else rfc3339(expires_at),
    }
