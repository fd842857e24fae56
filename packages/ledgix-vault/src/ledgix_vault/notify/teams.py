"""Microsoft Teams: an Adaptive Card with a link, by the address of a workflow or of an incoming webhook."""

from __future__ import annotations

from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.notices.notice import Told
from ledgix_vault.notify.http import post_json
from ledgix_vault.notify.reply import Reply
from ledgix_vault.outbound.guard import Trust


async def post_card(url: str, told: Told, trust: Trust) -> Reply:
    """Sends one card."""
    facts: list[Json] = [{"title": name, "value": _plain(value)} for name, value in told.lines]
    body: list[Json] = [
        {"type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": _plain(told.headline), "wrap": True},
        {"type": "FactSet", "facts": facts},
    ]
    card: JsonObject = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": told.link_text, "url": told.link}],
    }
    attachment: JsonObject = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return await post_json(url, json.dumps({"type": "message", "attachments": [attachment]}), trust)


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is: no name pretends to be a link."""
    return "".join(f"\\{sign}" if sign in "\\[]*_`<>" else sign for sign in text)
