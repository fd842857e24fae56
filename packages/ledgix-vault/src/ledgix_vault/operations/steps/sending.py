"""Sending to one target of a tenant, outside of any transaction; what became of it is a value, never an exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ledgix.formats.json import JsonObject
from ledgix_vault.keys.sealing import SealBroken
from ledgix_vault.notices.kinds import Channel
from ledgix_vault.notices.notice import Told
from ledgix_vault.notices.settings import BOT_TOKEN, SLACK_URL, TEAMS_URL, NotificationSettings
from ledgix_vault.notify.mail import MailServer, send_mail
from ledgix_vault.notify.reply import Reply
from ledgix_vault.notify.slack import post_as_app, post_to_webhook
from ledgix_vault.notify.teams import post_card
from ledgix_vault.notify.webhooks import post_event
from ledgix_vault.outbound.guard import Trust
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Message:
    """One notice as each channel needs it. `button_value` is what buttons send back; with `decides` there are some that
    approve and deny."""

    delivery_id: str
    told: Told
    event: JsonObject
    button_value: str
    decides: bool = False


class NotSet(Exception):
    """The channel isn't set, or its secret can't be opened; says so in words."""


def secret_place(tenant_id: str, place: str) -> str:
    """The place for which a secret of a tenant's notifications is sealed."""
    return f"{tenant_id}/notifications/{place}"


def opened(vault: Vault, tenant_id: str, settings: NotificationSettings, place: str) -> str:
    """A secret in clear; raises `NotSet`."""
    if place not in settings.sealed:
        raise NotSet("This channel isn't set.")
    try:
        return vault.keys.seal.open(settings.sealed[place], secret_place(tenant_id, place))
    except SealBroken:
        raise NotSet("The stored secret can't be opened with this Vault's keys; set it again.") from None


async def send(vault: Vault, tenant_id: str, channel: Channel, target: str, messages: Sequence[Message]) -> Reply:
    """Sends to one target by the settings as they are now; several messages only by mail."""
    settings = vault.store.tenant(tenant_id).notifications
    try:
        return await _send(vault, tenant_id, settings, channel, target, messages)
    except NotSet as error:
        return Reply(False, None, str(error), over=True)


async def _send(
    vault: Vault,
    tenant_id: str,
    settings: NotificationSettings,
    channel: Channel,
    target: str,
    messages: Sequence[Message],
) -> Reply:
    first, trust = messages[0], Trust(vault.settings.trusted_notify_hosts)
    match channel:
        case Channel.EMAIL:
            server = MailServer.of(vault.settings)
            return await send_mail(server, target, first.delivery_id, [each.told for each in messages])
        case Channel.SLACK:
            url = opened(vault, tenant_id, settings, SLACK_URL)
            return await post_to_webhook(url, settings.slack.channel, first.told, trust)
        case Channel.SLACK_APP:
            token = opened(vault, tenant_id, settings, BOT_TOKEN)
            api_url, room = vault.settings.slack_api_url, settings.slack_app.channel
            return await post_as_app(api_url, token, room, first.told, first.button_value, trust, decides=first.decides)
        case Channel.TEAMS:
            return await post_card(opened(vault, tenant_id, settings, TEAMS_URL), first.told, trust)
        case Channel.WEBHOOK:
            webhook = settings.webhook(target)
            if webhook is None:
                raise NotSet("This webhook was removed.")
            places = [webhook.secret_place]
            if webhook.previous_until > vault.clock() and webhook.previous_place in settings.sealed:
                places.append(webhook.previous_place)
            secrets = [opened(vault, tenant_id, settings, place) for place in places]
            return await post_event(webhook.url, first.delivery_id, first.event, secrets, vault.clock(), trust)
        case _:
            assert_never(channel)
