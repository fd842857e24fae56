"""Answering a click in Slack, after Slack has its 200."""

from __future__ import annotations

from ledgix_vault.notify.slack import answer_click
from ledgix_vault.outbound.guard import Trust
from ledgix_vault.vault import Vault


async def answer_slack_click(vault: Vault, response_url: str, said: str, replace: bool) -> None:
    """Says something to who clicked; what doesn't arrive is not said again: Ledgix shows how things stand."""
    if response_url:
        await answer_click(response_url, said, Trust(vault.settings.trusted_notify_hosts), replace=replace)
