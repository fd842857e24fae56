"""Slack: what it is sent, and whose click counts for what."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import select
from vault_testing.house import REVIEWED, House, told
from vault_testing.receivers import Received, Receiver
from vault_testing.telling import change, log, send_what_waits
from vault_testing.visitor import Visitor, signed_in, text_of, visiting

from ledgix_vault.operations.manage_members import remove_member
from ledgix_vault.store import schema
from ledgix_vault.tenancy.people import Role

pytestmark = pytest.mark.anyio
SIGNING, TOKEN, USER = "shhh-sign", "xoxb-token", "U024BE7LH"
POST = "/api/chat.postMessage"


@pytest.fixture
async def asked(vault: House, other_side: Receiver) -> Any:
    """A request that waits, told of in Slack by the app."""
    app = {"enabled": True, "bot_token": TOKEN, "signing_secret": SIGNING, "channel": "C1"}
    await change(vault, slack_app=app, events=["review.requested", "kill_switch"])
    other_side.answers[POST] = (200, '{"ok": true, "ts": "1"}')
    found = await vault.ask(REVIEWED)
    await send_what_waits(vault)
    return found


def buttons(message: Received) -> dict[str, dict[str, Any]]:
    return {element["text"]["text"]: element for element in message.json["blocks"][-1]["elements"]}


def click(other_side: Receiver, label: str, user: str = USER) -> bytes:
    """What Slack sends for a press of a button."""
    payload = {
        "type": "block_actions",
        "user": {"id": user, "team_id": "T1"},
        "response_url": other_side.url("/response"),
        "actions": [buttons(other_side.at(POST)[-1])[label]],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


async def press(vault: House, visitor: Visitor, body: bytes, secret: str = SIGNING, age: float = 0) -> httpx.Response:
    moment = str(int(vault.clock() / 1_000_000 - age))
    signature = str(SignatureVerifier(secret).generate_signature(timestamp=moment, body=body))
    headers = {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": signature}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return await visitor.client.post("/slack/interactions", content=body, headers=headers)


async def linked(visitor: Visitor, other_side: Receiver) -> httpx.Response:
    """Presses the button of the page to which the last answer in Slack leads."""
    code = code_in(other_side)
    return await visitor.post("/app/account/slack", code=code)


def code_in(other_side: Receiver) -> str:
    text: str = other_side.at("/response")[-1].json["text"]
    return text.rpartition("code=")[2]


async def test_a_message_with_buttons(vault: House, other_side: Receiver, asked: Any) -> None:
    (message,) = other_side.at(POST)
    assert message.headers["authorization"] == f"Bearer {TOKEN}"
    assert message.json["channel"] == "C1"
    found = buttons(message)
    assert list(found) == ["Approve", "Deny", "Open the review"]
    assert found["Approve"]["value"] == f"{vault.owner.tenant_id}/{asked['request_id']}"
    assert found["Open the review"]["url"] == f"https://vault.example/app/reviews/{asked['request_id']}"
    await vault.suspend("tool", "x")
    await send_what_waits(vault)
    assert list(buttons(other_side.at(POST)[-1])) == ["Open the kill switch"]


async def test_slacks_no_is_a_no(vault: House, other_side: Receiver, asked: Any) -> None:
    other_side.answers[POST] = (200, '{"ok": false, "error": "channel_not_found"}')
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    newest = (await log(vault))[0]
    assert (newest["state"], newest["status"]) == ("waiting", 200)
    assert "channel_not_found" in newest["answer"]


async def test_an_incoming_webhook_has_a_link_and_escapes(vault: House, other_side: Receiver) -> None:
    await change(vault, slack={"enabled": True, "webhook_url": other_side.url("/slack"), "channel": "#r"})
    await vault.ask(REVIEWED, agent_id="<!channel> & <https://evil.example|ok>")
    await send_what_waits(vault)
    (message,) = other_side.at("/slack")
    assert message.json["channel"] == "#r"
    assert list(buttons(message)) == ["Open the review"]
    section = message.json["blocks"][1]["text"]["text"]
    assert "&lt;!channel&gt; &amp; &lt;https" in section
    assert "<!channel>" not in section + message.json["text"]


@pytest.mark.parametrize("label", ["Approve", "Deny"])
async def test_a_linked_reviewer_decides(vault: House, other_side: Receiver, asked: Any, label: str) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, member):
        assert (await press(vault, visitor, click(other_side, label))).status_code == 200
        assert (await vault.poll(asked))["status"] == "pending_review"  # nobody knows who that was
        assert other_side.at("/response")[-1].json["response_type"] == "ephemeral"
        page = await visitor.get(f"/app/account/slack?code={code_in(other_side)}")
        assert USER in text_of(page)
        assert (await vault.poll(asked))["status"] == "pending_review"
        assert (await linked(visitor, other_side)).status_code == 303
        assert (await vault.poll(asked))["status"] == "pending_review"  # linking decides nothing
        assert (await press(vault, visitor, click(other_side, label))).status_code == 200
    outcome = "approved" if label == "Approve" else "denied"
    assert (await vault.poll(asked))["outcome"] == outcome
    answer = other_side.at("/response")[-1].json
    assert answer["replace_original"] is True
    assert f"{outcome} by {member.email}" in answer["text"]
    assert "review.decided" in told(vault, asked)
    (intent,) = vault.core.store.read_and_wait(
        lambda connection: (
            connection.execute(select(schema.event.c.intent).where(schema.event.c.kind == "review.decided"))
            .scalars()
            .all()
        )
    )
    event = json.loads(intent)
    assert (event["decider"]["type"], event["decider"]["id"]) == ("person", member.person_id)
    assert '"assurance":"link"' in intent


async def test_a_code_holds_once_and_for_an_hour_and_in_its_tenant(
    vault: House, other_side: Receiver, asked: Any
) -> None:
    async with signed_in(vault, Role.REVIEWER, tenant=1, email="foreign@example.com") as (foreign, _):
        await press(vault, foreign, click(other_side, "Approve"))
        assert "was used, or is older" in text_of(await foreign.get(f"/app/account/slack?code={code_in(other_side)}"))
        assert (await linked(foreign, other_side)).status_code == 404
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        assert (await linked(visitor, other_side)).status_code == 303
        assert (await linked(visitor, other_side)).status_code == 404
        await press(vault, visitor, click(other_side, "Approve", "U2"))
        vault.clock.advance(3601)
        assert (await linked(visitor, other_side)).status_code == 404


async def test_who_may_not_decide_may_not_in_slack(vault: House, other_side: Receiver, asked: Any) -> None:
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        await press(vault, visitor, click(other_side, "Approve"))
        await linked(visitor, other_side)
        await press(vault, visitor, click(other_side, "Approve"))
    assert "lacks the scope" in other_side.at("/response")[-1].json["text"]
    assert (await vault.poll(asked))["status"] == "pending_review"


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"require_second_factor": True}, "second factor"), ({"reason_required": "always"}, "needs a reason")],
)
async def test_a_click_is_no_way_around_what_the_tenant_asks_for(
    vault: House, other_side: Receiver, asked: Any, setting: dict[str, Any], said: str
) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        await press(vault, visitor, click(other_side, "Approve"))
        await linked(visitor, other_side)
        await vault.change(**setting)
        await press(vault, visitor, click(other_side, "Approve"))
    assert said in other_side.at("/response")[-1].json["text"]
    assert (await vault.poll(asked))["status"] == "pending_review"


async def test_who_left_is_nobody_again(vault: House, other_side: Receiver, asked: Any) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, member):
        await press(vault, visitor, click(other_side, "Approve"))
        await linked(visitor, other_side)
        await remove_member(vault.core, vault.owner, member.person_id)
        await press(vault, visitor, click(other_side, "Approve"))
    assert "Nobody here knows you" in other_side.at("/response")[-1].json["text"]
    assert (await vault.poll(asked))["status"] == "pending_review"


async def test_unlinking(vault: House, other_side: Receiver, asked: Any) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        await press(vault, visitor, click(other_side, "Approve"))
        await linked(visitor, other_side)
        assert USER in text_of(await visitor.get("/app/account/slack"))
        assert (await visitor.post("/app/account/slack/unlink", slack_user_id="U9")).status_code == 404
        assert (await visitor.post("/app/account/slack/unlink", slack_user_id=USER)).status_code == 303
        await press(vault, visitor, click(other_side, "Approve"))
    assert (await vault.poll(asked))["status"] == "pending_review"


async def test_only_what_slack_signed_just_now_counts(vault: House, other_side: Receiver, asked: Any) -> None:
    body = click(other_side, "Approve")
    async with visiting(vault) as visitor:
        for answer in (
            await press(vault, visitor, body, secret="another"),
            await press(vault, visitor, body, age=301),
            await press(vault, visitor, body, age=-301),
            await visitor.client.post("/slack/interactions", content=body),
            await press(vault, visitor, b"payload=%7B%7D"),
            await press(vault, visitor, b"payload=nonsense"),
            await visitor.client.post("/slack/interactions", content=b"\xff\xfe"),
            await press(vault, visitor, b""),
        ):
            assert answer.status_code == 401
        unsigned = {"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=x"}
        assert (await visitor.client.post("/slack/interactions", content=body, headers=unsigned)).status_code == 401
        assert (await visitor.client.get("/slack/interactions")).status_code == 405
    assert other_side.at("/response") == []


async def test_the_secret_of_one_tenant_opens_no_other(vault: House, other_side: Receiver, asked: Any) -> None:
    app = {"enabled": True, "bot_token": "t", "signing_secret": "theirs", "channel": "C2"}
    await change(vault, by=vault.stranger, slack_app=app)
    async with visiting(vault) as visitor:
        assert (await press(vault, visitor, click(other_side, "Approve"), secret="theirs")).status_code == 401
        theirs = click(other_side, "Approve").replace(vault.owner.tenant_id.encode(), vault.stranger.tenant_id.encode())
        assert (await press(vault, visitor, theirs, secret="theirs")).status_code == 200
    assert (await vault.poll(asked))["status"] == "pending_review"


async def test_a_link_button_says_nothing(vault: House, other_side: Receiver, asked: Any) -> None:
    async with visiting(vault) as visitor:
        assert (await press(vault, visitor, click(other_side, "Open the review"))).status_code == 200
    assert other_side.at("/response") == []
