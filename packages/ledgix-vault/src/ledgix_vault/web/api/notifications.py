"""Notifications: by which channels, a test of one, what was sent; and the clicks that come back from Slack."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.operations.answer_slack_click import answer_slack_click
from ledgix_vault.operations.change_notification_settings import change_notification_settings, rotate_webhook_secret
from ledgix_vault.operations.decide_review import Verdict, decide_review
from ledgix_vault.operations.hear_slack_click import Click, hear_slack_click
from ledgix_vault.operations.read_deliveries import read_deliveries
from ledgix_vault.operations.send_test_notification import send_test_notification
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body
from ledgix_vault.web.doors import read_body

router = APIRouter(tags=["Notifications"])
OVERLAP_HOURS = 24
LARGEST_CLICK = 262_144


@router.get("/notification-settings", **answers("NotificationSettings"))
async def get_notification_settings(vault: TheVault, caller: Caller) -> Response:
    """By which channels people and systems are told, and of what. Secrets come back masked."""
    caller.require(Scope.SETTINGS)
    return exact_json(vault.store.tenant(caller.tenant_id).notifications.masked())


@router.put(
    "/notification-settings",
    **answers("NotificationSettings", 422),
    openapi_extra=body("NotificationSettings", idempotent=False),
)
async def put_notification_settings(vault: TheVault, asked: AKnock) -> Response:
    """Change the members that are given; the others stay as they are. The list of webhooks is replaced as a whole; the
    answer has the secret of each new one, this once."""
    return exact_json(await change_notification_settings(vault, asked.caller, asked.json()))


@router.post(
    "/notification-settings/test",
    **answers("TestResult", 404, 422),
    openapi_extra=body("TestRequest", idempotent=False),
)
async def post_test(vault: TheVault, asked: AKnock) -> Response:
    """Send a test by one channel, really, and see what the other side answers."""
    content = asked.json()
    channel, webhook_id = content.get("channel"), content.get("webhook_id", "")
    if not isinstance(channel, str) or not isinstance(webhook_id, str):
        raise Invalid("is required: the name of a channel", path="$.channel")
    return exact_json(await send_test_notification(vault, asked.caller, channel, webhook_id))


@router.post(
    "/notification-settings/webhooks/{webhook_id}/rotate-secret",
    **answers("NotificationSettings", 404, 422),
    openapi_extra=body("SecretRotation"),
)
async def post_rotate_secret(webhook_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Give a webhook another secret, shown this once. Until the overlap is over both sign."""
    hours = asked.json().get("overlap_hours", OVERLAP_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int):
        raise Invalid("must be a whole number of hours", path="$.overlap_hours")
    shown, replayed = await rotate_webhook_secret(vault, asked.caller, webhook_id, hours, asked.key)
    return exact_json(shown, replayed=replayed)


@router.get("/notification-deliveries", **answers("DeliveryPage", 422))
async def get_deliveries(vault: TheVault, caller: Caller, limit: int = 100, cursor: str = "") -> Response:
    """What was sent, or is to be, newest first: how often, and what the other side answered last."""
    return exact_json(await read_deliveries(vault, caller, limit=limit, cursor=cursor))


@router.post("/slack/interactions", include_in_schema=False)
async def post_slack_interaction(request: Request, vault: TheVault) -> Response:
    """What Slack sends when somebody presses a button; it wants an answer within three seconds."""
    raw = await read_body(request, LARGEST_CLICK)
    click = await hear_slack_click(vault, raw, request.headers)
    if click is None:
        return Response(status_code=200)
    said, replace = await _act(vault, click)
    return Response(
        status_code=200, background=BackgroundTask(answer_slack_click, vault, click.response_url, said, replace)
    )


async def _act(vault: Vault, click: Click) -> tuple[str, bool]:
    """What to say to who clicked, and whether it takes the place of the message."""
    if click.member is None:
        return f"Nobody here knows you yet. Say who you are, then press the button again: {click.link}", False
    settings = vault.store.tenant(click.member.tenant_id).settings
    if settings.require_second_factor:
        return "Here a second factor is asked for, and a click in Slack has none. Open the review to decide.", False
    if settings.asks_reason(approved=click.approves):
        return "Here a decision needs a reason. Open the review to give one.", False
    try:
        clearance, _ = await decide_review(vault, click.member, click.request_id, Verdict(click.approves, ""), None)
    except VaultError as error:
        return error.detail, False
    who, tool = click.member.name or click.member.email, clearance.request.tool_name
    if clearance.decision.needs_person:
        return f"{tool}: {who} approves; more people have to.", False
    return f"{tool}: {clearance.decision.outcome} by {who}.", True
