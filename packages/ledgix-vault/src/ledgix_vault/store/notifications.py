"""Notifications as rows: settings, what there is to tell, and each delivery with what became of it.

A delivery is claimed as a job is: whoever raises `leased_until` has it until then, and one whose sender died is sent
again, under the same id.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, tuple_, update

from ledgix.formats import jcs
from ledgix.formats import json as exact_json
from ledgix.formats.json import JsonObject
from ledgix_vault.ids import new_id
from ledgix_vault.jsontext import encode_text
from ledgix_vault.notices.kinds import Channel, NoticeKind
from ledgix_vault.notices.notice import Notice
from ledgix_vault.notices.settings import NotificationSettings
from ledgix_vault.store import schema
from ledgix_vault.store.jobs import JobKind, job_row
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.unit import Unit
from ledgix_vault.times import MICROSECONDS

LEASE_SECONDS = 60
_S, _N, _D = schema.notification_setting, schema.notification, schema.delivery


class DeliveryState(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"  # nobody has to hear of it any more


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice for one target. Moments are µs."""

    tenant_id: str
    delivery_id: str
    notification_id: str
    kind: NoticeKind
    request_id: str
    channel: Channel
    target: str
    state: DeliveryState
    attempts: int
    due_at: int
    created_at: int
    first_tried_at: int | None
    last_tried_at: int | None
    status: int | None
    answer: str


def change_notification_settings(unit: Unit, tenant_id: str, settings: NotificationSettings) -> None:
    """Replaces the tenant's notification settings."""
    sealed: JsonObject = {place: b64encode(secret).decode() for place, secret in settings.sealed.items()}
    unit.write(delete(_S).where(_S.c.tenant_id == tenant_id))
    stored = jcs.canonicalize(settings.to_json()).decode(), jcs.canonicalize(sealed).decode()
    unit.insert(_S, (tenant_id, *stored))
    unit.tenant_changed(tenant_id)


def add_notice(unit: Unit, tenant_id: str, kind: NoticeKind, facts: JsonObject) -> None:
    """Stages what there is to tell, with the job that fans it out."""
    notification_id = new_id()
    unit.insert(_N, (tenant_id, notification_id, str(kind), unit.now, encode_text(facts)))
    unit.insert(schema.job, job_row(tenant_id, JobKind.NOTIFY, notification_id, unit.now))


def find_notice(connection: Connection, tenant_id: str, notification_id: str) -> Notice | None:
    """What there is to tell, or None."""
    row = connection.execute(
        select(_N).where(_N.c.tenant_id == tenant_id, _N.c.notification_id == notification_id)
    ).one_or_none()
    if row is None:
        return None
    return Notice(tenant_id, notification_id, NoticeKind(row.kind), row.happened_at, stored_object(row.facts))


def add_delivery(unit: Unit, notice: Notice, channel: Channel, target: str, due_at: int) -> None:
    """Stages a delivery, to be tried at `due_at`."""
    unit.insert(
        _D,
        (
            notice.tenant_id,
            new_id(),
            notice.notice_id,
            str(channel),
            target,
            str(DeliveryState.WAITING),
            0,
            due_at,
            0,
            unit.now,
            None,
            None,
            None,
            encode_text(""),
        ),
    )


def collecting_until(unit: Unit, tenant_id: str, channel: Channel, target: str) -> int | None:
    """When the next collected mail to this target goes out; None when none is being collected."""
    found: int | None = unit.read(
        select(func.min(_D.c.due_at)).where(
            _D.c.tenant_id == tenant_id,
            _D.c.channel == str(channel),
            _D.c.target == target,
            _D.c.state == str(DeliveryState.WAITING),
            _D.c.attempts == 0,
            _D.c.due_at > unit.now,
        )
    ).scalar_one()
    return found


def has_due_deliveries(connection: Connection, now: int) -> bool:
    """Whether there is anything to claim."""
    return connection.execute(select(_D.c.delivery_id).where(*_due(now)).limit(1)).first() is not None


def claim_deliveries(unit: Unit, most: int) -> list[Delivery]:
    """Takes due deliveries of all tenants under a lease of a minute, the oldest first."""
    due = (
        select(_D.c.tenant_id, _D.c.delivery_id)
        .where(*_due(unit.now))
        .order_by(_D.c.due_at, _D.c.delivery_id)
        .limit(most)
        .with_for_update(skip_locked=True)  # SQLite has one writer and leaves this out
    )
    claimed = unit.write_returning(
        update(_D)
        .where(tuple_(_D.c.tenant_id, _D.c.delivery_id).in_(due))
        .values(
            leased_until=unit.now + LEASE_SECONDS * MICROSECONDS,
            attempts=_D.c.attempts + 1,
            first_tried_at=func.coalesce(_D.c.first_tried_at, unit.now),
            last_tried_at=unit.now,
        )
        .returning(_D.c.tenant_id, _D.c.delivery_id)
    )
    ids = [(row.tenant_id, row.delivery_id) for row in claimed]
    rows = unit.read(_deliveries().where(tuple_(_D.c.tenant_id, _D.c.delivery_id).in_(ids)).order_by(_D.c.delivery_id))
    return [_delivery(row) for row in rows]


def note_attempt(
    unit: Unit, delivery: Delivery, state: DeliveryState, due_at: int, status: int | None, answer: str
) -> None:
    """Writes how an attempt ended and lets go of the lease; nothing for a delivery that somebody else has by now."""
    unit.write(
        update(_D)
        .where(
            _D.c.tenant_id == delivery.tenant_id,
            _D.c.delivery_id == delivery.delivery_id,
            _D.c.state == str(DeliveryState.WAITING),
            _D.c.attempts == delivery.attempts,
        )
        .values(state=str(state), due_at=due_at, leased_until=0, status=status, answer=encode_text(answer))
    )


def list_deliveries(
    connection: Connection, tenant_id: str, before: tuple[int, str] | None, limit: int
) -> list[Delivery]:
    """The tenant's deliveries, newest first, from before a place in that order."""
    query = _deliveries().where(_D.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(tuple_(_D.c.created_at, _D.c.delivery_id) < before)
    rows = connection.execute(query.order_by(_D.c.created_at.desc(), _D.c.delivery_id.desc()).limit(limit))
    return [_delivery(row) for row in rows]


def forget_notices(unit: Unit, before: int) -> int:
    """Forgets what was told before a moment, with its deliveries, unless one still waits; how many deliveries."""
    waiting = select(_D.c.delivery_id).where(
        _D.c.tenant_id == _N.c.tenant_id,
        _D.c.notification_id == _N.c.notification_id,
        _D.c.state == str(DeliveryState.WAITING),
    )
    unit.write(delete(_N).where(_N.c.happened_at < before, ~waiting.exists()))
    told = select(_N.c.notification_id).where(
        _N.c.tenant_id == _D.c.tenant_id, _N.c.notification_id == _D.c.notification_id
    )
    return unit.write(delete(_D).where(_D.c.created_at < before, ~told.exists()))


def _due(now: int) -> Sequence[ColumnElement[bool]]:
    return [_D.c.state == str(DeliveryState.WAITING), _D.c.due_at <= now, _D.c.leased_until <= now]


def _deliveries() -> Any:
    return select(_D, _N.c.kind, _N.c.facts).join(
        _N, (_N.c.tenant_id == _D.c.tenant_id) & (_N.c.notification_id == _D.c.notification_id)
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        tenant_id=row.tenant_id,
        delivery_id=row.delivery_id,
        notification_id=row.notification_id,
        kind=NoticeKind(row.kind),
        request_id=str(stored_object(row.facts).get("request_id", "")),
        channel=Channel(row.channel),
        target=row.target,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        first_tried_at=row.first_tried_at,
        last_tried_at=row.last_tried_at,
        status=row.status,
        answer=str(exact_json.parse(row.answer.encode())),
    )
