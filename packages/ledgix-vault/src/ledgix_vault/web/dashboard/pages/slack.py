"""Saying who one is in Slack: a link from there opens a page, a button on it decides."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.operations.link_slack_user import (
    link_slack_user,
    read_slack_code,
    read_slack_users,
    unlink_slack_user,
)
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, redirect, render

router = APIRouter()
HERE = "/app/account/slack"


@router.get("/account/slack")
async def get_slack(request: Request, vault: TheVault, member: SignedIn, code: str = "") -> Response:
    """Whom the person is in Slack, and, with a code, whom they may become. Looking changes nothing."""
    return render(
        request,
        "slack.html",
        member=member,
        title="You in Slack",
        code=code,
        asking=await read_slack_code(vault, member, code) if code else None,
        linked=await read_slack_users(vault, member),
    )


@router.post("/account/slack")
async def post_slack(vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Links the Slack user that the code is for."""
    linked = await link_slack_user(vault, member, form.text("code"))
    return redirect(HERE, said=f"Clicks by the Slack user {linked} now count as yours.")


@router.post("/account/slack/unlink")
async def post_unlink(vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Ends a link."""
    slack_user_id = form.text("slack_user_id")
    await unlink_slack_user(vault, member, slack_user_id)
    return redirect(HERE, said=f"Clicks by the Slack user {slack_user_id} no longer count.")
