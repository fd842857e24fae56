"""Delivering notices: claimed under a lease, sent outside of any transaction, noted afterwards.

At least once: a sender that dies between sending and noting leaves a lease that runs out, and the same delivery is sent
again under the same id. What fails is tried again at growing distances, for a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ledgix.formats import json
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.notices.kinds import ASKING, URGENT, Channel
from ledgix_vault.notices.notice import About, Notice, tell
from ledgix_vault.notices.retry import GIVE_UP_AFTER, next_attempt
from ledgix_vault.notices.settings import NotificationSettings
from ledgix_vault.notices.visible import visible
from ledgix_vault.notify.reply import Reply
from ledgix_vault.operations.steps.sending import Message, send
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.notifications import (
    Delivery,
    DeliveryState,
    claim_deliveries,
    find_notice,
    forget_notices,
    has_due_deliveries,
    note_attempt,
)
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.settings import ReasonRequired
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

REMEMBERED_DAYS = 30
MOST_SHOWN = 1500
"""Characters of arguments that a message with deciding buttons shows; longer calls are decided where all is seen."""
Batch = Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A delivery with what it is about."""

    delivery: Delivery
    notice: Notice
    clearance: Clearance | None

    @property
    def is_over(self) -> bool:
        """Whether it asks people for a decision that nobody has to make any more."""
        if self.delivery.channel is Channel.WEBHOOK or self.notice.kind not in ASKING:
            return False
        return self.clearance is None or not self.clearance.decision.needs_person


async def claim_notifications(vault: Vault, most: int) -> list[Batch]:
    """Takes up to `most` due deliveries, in batches that go out as one: mails to one address, else each for itself.
    Writes nothing while there are none."""
    now = vault.clock()
    if not await vault.store.read(partial(has_due_deliveries, now=now)):
        return []
    claimed: list[Delivery] = await vault.store.run(lambda unit: Stored(claim_deliveries(unit, most)))
    batches: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for delivery in claimed:
        is_mail = delivery.channel is Channel.EMAIL and delivery.kind not in URGENT
        batches[delivery.tenant_id, delivery.target if is_mail else delivery.delivery_id].append(delivery)
    return list(batches.values())


async def deliver(vault: Vault, batch: Batch) -> None:
    """Sends what was claimed, and notes what the other side answered. Durable on return."""
    parcels = await vault.store.read(partial(_load, batch=batch))
    going = [parcel for parcel in parcels if not parcel.is_over]
    reply = await _send(vault, going) if going else None
    # Whoever dies here has sent it and noted nothing: it is sent again when the lease is over.
    await vault.store.run(partial(_note, parcels, reply))


async def forget_old_notifications(vault: Vault) -> int:
    """Forgets what was told more than thirty days ago; how many deliveries."""
    age = REMEMBERED_DAYS * 24 * 3600 * MICROSECONDS
    forgotten: int = await vault.store.run(lambda unit: Stored(forget_notices(unit, unit.now - age)))
    return forgotten


def _load(connection: Connection, batch: Batch) -> list[_Parcel]:
    parcels = []
    for delivery in batch:
        notice = find_notice(connection, delivery.tenant_id, delivery.notification_id)
        assert notice is not None  # it is forgotten after its deliveries
        parcels.append(_Parcel(delivery, notice, find_clearance(connection, delivery.tenant_id, notice.request_id)))
    return parcels


async def _send(vault: Vault, parcels: Sequence[_Parcel]) -> Reply:
    first = parcels[0].delivery
    settings = vault.store.tenant(first.tenant_id).notifications
    messages = [_message(vault, settings, parcel) for parcel in parcels]
    return await send(vault, first.tenant_id, first.channel, first.target, messages)


def _message(vault: Vault, settings: NotificationSettings, parcel: _Parcel) -> Message:
    notice, clearance, delivery = parcel.notice, parcel.clearance, parcel.delivery
    arguments = None if clearance is None else clearance.effective_args
    about = About()
    decides = delivery.channel is Channel.SLACK_APP and notice.kind in ASKING and _may_decide(vault, notice.tenant_id)
    if clearance is not None:
        spelt = ", ".join(f"{visible(name)} = {_spelt(value)}" for name, value in (arguments or {}).items())
        decides = decides and len(spelt) <= MOST_SHOWN
        is_shown = decides or (delivery.channel is Channel.EMAIL and settings.email.include_arguments)
        about = About(
            clearance.decision.reason, spelt if is_shown else "", visible(clearance.request.human_principal or "")
        )
    webhook = settings.webhook(delivery.target)
    opted_in = webhook is not None and webhook.include_arguments
    return Message(
        delivery.delivery_id,
        tell(notice, vault.settings.public_url, about),
        notice.event(notice.notice_id, arguments if opted_in else None),
        f"{notice.tenant_id}/{notice.request_id}",
        decides=decides,
    )


def _may_decide(vault: Vault, tenant_id: str) -> bool:
    """Whether a click in a chat may decide: it shows neither a second factor nor a reason."""
    settings = vault.store.tenant(tenant_id).settings
    return not settings.require_second_factor and settings.reason_required is ReasonRequired.NEVER


def _spelt(value: json.Json) -> str:
    return visible(value) if isinstance(value, str) else visible(json.dumps(value).decode())


def _note(parcels: Sequence[_Parcel], reply: Reply | None, unit: Unit) -> Stored[None]:
    for parcel in parcels:
        delivery = parcel.delivery
        if parcel.is_over or reply is None:
            why = "The review was over before this was sent."
            note_attempt(unit, delivery, DeliveryState.DROPPED, delivery.due_at, None, why)
            continue
        state, due_at = _next(delivery, reply, unit.now)
        note_attempt(unit, delivery, state, due_at, reply.status, reply.answer)
    return Stored(None)


def _next(delivery: Delivery, reply: Reply, now: int) -> tuple[DeliveryState, int]:
    if reply.ok:
        return DeliveryState.DELIVERED, delivery.due_at
    first = delivery.first_tried_at or now
    again = None if reply.over else next_attempt(delivery.delivery_id, delivery.attempts, first, now)
    if again is None or now - first > GIVE_UP_AFTER * MICROSECONDS:
        return DeliveryState.GIVEN_UP, delivery.due_at
    return DeliveryState.WAITING, again
