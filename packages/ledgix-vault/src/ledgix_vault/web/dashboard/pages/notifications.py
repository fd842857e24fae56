"""Notifications: channels, what is told, quiet hours, a test of each channel, and the log of what was sent.

A webhook's secret is in one answer alone, that of the form's POST.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import CallerError, Invalid
from ledgix_vault.notices.kinds import NAMES, Channel, NoticeKind
from ledgix_vault.notices.quiet import DAYS
from ledgix_vault.operations.change_notification_settings import change_notification_settings, rotate_webhook_secret
from ledgix_vault.operations.read_deliveries import read_deliveries
from ledgix_vault.operations.send_test_notification import send_test_notification
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.write_only import MASK

router = APIRouter()
HERE = "/app/settings/notifications"
SHOWN = 25
DIGESTS = (("0", "at once"), ("15", "at most every 15 minutes"), ("60", "at most every hour"), ("1440", "once a day"))
CHANNEL_NAMES = {
    Channel.EMAIL: "E-mail",
    Channel.SLACK: "Slack",
    Channel.SLACK_APP: "Slack app",
    Channel.TEAMS: "Teams",
    Channel.WEBHOOK: "Webhook",
}
DAY_NAMES = dict(zip(DAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True))


@router.get("/settings/notifications")
async def get_notifications(request: Request, vault: TheVault, member: SignedIn, cursor: str = "") -> Response:
    """Who is told of what, and what was told."""
    return await _page(request, vault, member, cursor=cursor)


@router.post("/settings/notifications")
async def post_notifications(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Changes one part of the settings: the one whose form was sent."""
    part = form.text("part")
    try:
        shown = await change_notification_settings(vault, member, _changes(vault, member, part, form))
    except Invalid as error:
        return await _page(request, vault, member, flaws=flaws_of(error), part=part)
    fresh = [each for each in _listed(shown["webhooks"]) if each["secret"] != MASK]
    if fresh:
        return await _page(request, vault, member, fresh=fresh[0])
    return redirect(HERE, said="The notification settings were changed.")


@router.post("/settings/notifications/test")
async def post_test(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Sends a test, and shows what the other side answered."""
    channel = form.text("channel")
    try:
        result: Any = await send_test_notification(vault, member, channel, form.text("webhook_id"))
    except Invalid as error:
        result = {"ok": False, "answers": [{"target": "", "ok": False, "status": None, "answer": error.detail}]}
    return await _page(request, vault, member, tested={**result, "channel": channel})


@router.post("/settings/notifications/rotate")
async def post_rotate(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Gives a webhook another secret; for a day the old one signs, too."""
    webhook_id = form.text("webhook_id")
    shown, _ = await rotate_webhook_secret(vault, member, webhook_id, 24, None)
    (fresh,) = [each for each in _listed(shown["webhooks"]) if each["webhook_id"] == webhook_id]
    return await _page(request, vault, member, fresh=fresh)


async def _page(
    request: Request,
    vault: Vault,
    member: Member,
    *,
    flaws: dict[str, str] | None = None,
    part: str = "",
    fresh: JsonObject | None = None,
    tested: JsonObject | None = None,
    cursor: str = "",
) -> Response:
    member.require(Scope.SETTINGS)
    try:
        log = await read_deliveries(vault, member, limit=SHOWN, cursor=cursor)
    except CallerError:
        log = await read_deliveries(vault, member, limit=SHOWN, cursor="")
    settings: Any = vault.store.tenant(member.tenant_id).notifications.masked()
    following = log["next_cursor"]
    return render(
        request,
        "notifications.html",
        member=member,
        title="Notifications",
        status=422 if flaws else 200,
        settings=settings,
        urls={each["webhook_id"]: each["url"] for each in settings["webhooks"]},
        log=log["deliveries"],
        next_href=f"{HERE}?cursor={following}#log" if following else "",
        first_href=f"{HERE}#log" if cursor else "",
        flaws=flaws or {},
        part=part,
        fresh=fresh,
        tested=tested,
        names={str(kind): name for kind, name in NAMES.items()},
        channels={str(channel): name for channel, name in CHANNEL_NAMES.items()},
        days=DAY_NAMES,
        digests=DIGESTS,
        mails=bool(vault.settings.smtp_host),
    )


def _changes(vault: Vault, member: Member, part: str, form: Form) -> JsonObject:
    """What a form says, as the API would be told it."""
    match part:
        case "email":
            recipients: list[Json] = [*form.raw("recipients").replace(",", "\n").split()]
            return {
                "email": {
                    "enabled": form.flag("enabled"),
                    "recipients": recipients,
                    "digest_minutes": _number(form.text("digest_minutes"), "$.email.digest_minutes"),
                    "include_arguments": form.flag("include_arguments"),
                }
            }
        case "slack" | "teams" | "slack_app":
            secrets: JsonObject = {
                name: form.text(name) or MASK for name in ("webhook_url", "bot_token", "signing_secret")
            }
            channel: JsonObject = {} if part == "teams" else {"channel": form.text("channel")}
            return {part: {"enabled": form.flag("enabled"), **secrets, **channel}}
        case "told":
            events: list[Json] = [*form.texts("events")]
            minutes = _number(form.text("reminder_minutes"), "$.reminder_minutes")
            return {"events": events, "reminder_minutes": minutes}
        case "quiet_hours":
            days: list[Json] = [*form.texts("days")]
            times: JsonObject = {name: form.text(name) for name in ("from", "until", "time_zone")}
            return {"quiet_hours": {"enabled": form.flag("enabled"), "days": days, **times}}
        case "webhook":
            return {"webhooks": _webhooks(vault, member, form)}
        case _:
            raise Invalid("is no part of the settings", path="$.part")


def _webhooks(vault: Vault, member: Member, form: Form) -> list[Json]:
    """All webhooks, with the one that the form is about: changed, removed or added."""
    listed = _listed(vault.store.tenant(member.tenant_id).notifications.masked()["webhooks"])
    webhook_id = form.text("webhook_id")
    events: list[Json] = [*form.texts("events")]
    told: JsonObject = {
        "url": form.text("url"),
        "events": events,
        "enabled": form.flag("enabled"),
        "include_arguments": form.flag("include_arguments"),
    }
    if not webhook_id:
        return [*listed, told]
    if form.text("do") == "remove":
        return [each for each in listed if each["webhook_id"] != webhook_id]
    return [{**told, "webhook_id": webhook_id} if each["webhook_id"] == webhook_id else each for each in listed]


def _listed(webhooks: Json) -> list[JsonObject]:
    assert isinstance(webhooks, list)
    return [each for each in webhooks if isinstance(each, dict)]


def _number(text: str, path: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("must be a whole number", path=path)
    return int(text)


assert set(CHANNEL_NAMES) == set(Channel)
assert set(NAMES) == set(NoticeKind)
