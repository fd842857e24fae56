"""Slack: messages in Block Kit, by an incoming webhook or by the tenant's own app. What people wrote stays text: `&`,
`<` and `>` are escaped, so that no name can mention a channel or pretend to be a link."""

from __future__ import annotations

from collections.abc import Sequence

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.notices.notice import Told
from ledgix_vault.notify.http import post_json
from ledgix_vault.notify.reply import Reply, refusal
from ledgix_vault.outbound.guard import Trust

APPROVE, DENY, OPEN = "ledgix_approve", "ledgix_deny", "ledgix_open"
LONGEST_TEXT = 2900


async def post_to_webhook(url: str, channel: str, told: Told, trust: Trust) -> Reply:
    """Sends by an incoming webhook: with a link, without buttons."""
    message = _message(told, [_link_button(told)])
    return await post_json(url, json.dumps({**message, **({"channel": channel} if channel else {})}), trust)


async def post_as_app(
    api_url: str, token: str, channel: str, told: Told, value: str, trust: Trust, *, decides: bool
) -> Reply:
    """Sends by `chat.postMessage`, with buttons that decide where there is something to. `value` comes back with a
    click."""
    buttons = [_button("Approve", APPROVE, value, "primary"), _button("Deny", DENY, value, "danger")] if decides else []
    body = {**_message(told, [*buttons, {**_link_button(told), "value": value}]), "channel": channel}
    reply = await post_json(
        f"{api_url}/chat.postMessage", json.dumps(body), trust, {"Authorization": f"Bearer {token}"}
    )
    if not reply.ok:
        return reply
    # Slack answers 200 whatever happened; `ok` tells. A long answer is cut, and only a good one is long.
    return refusal(reply.answer, reply.status) if _failed(reply.answer) else reply


async def answer_click(response_url: str, text: str, trust: Trust, *, replace: bool) -> Reply:
    """Answers a click: in place of the message, or as a word that only who clicked sees."""
    body: JsonObject = {"text": _escaped(text), "replace_original": replace}
    if not replace:
        body["response_type"] = "ephemeral"
    return await post_json(response_url, json.dumps(body), trust)


def _failed(answer: str) -> bool:
    try:
        return json.parse_object(answer.encode()).get("ok") is not True
    except JsonError:
        return not answer.replace(" ", "").startswith('{"ok":true')


def _message(told: Told, buttons: Sequence[JsonObject]) -> JsonObject:
    lines = "\n".join(f"*{_escaped(name)}:* {_escaped(value)}" for name, value in told.lines)
    elements: list[Json] = list(buttons)
    blocks: list[Json] = [
        {"type": "header", "text": {"type": "plain_text", "text": told.headline[:150]}},
        {"type": "section", "text": {"type": "mrkdwn", "text": lines[:LONGEST_TEXT] or " "}},
        {"type": "actions", "elements": elements},
    ]
    return {"text": _escaped(told.headline), "blocks": blocks, "unfurl_links": False}


def _button(label: str, action: str, value: str, style: str) -> JsonObject:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": label},
        "action_id": action,
        "value": value,
        "style": style,
    }


def _link_button(told: Told) -> JsonObject:
    text: JsonObject = {"type": "plain_text", "text": told.link_text}
    return {"type": "button", "text": text, "action_id": OPEN, "url": told.link}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
