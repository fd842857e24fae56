"""From what happens to what arrives: at least once, in time, to those who want it, and to nobody else."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook
from vault_testing.house import DENIED, MADE_AT, REVIEWED, House
from vault_testing.receivers import Mailbox, Receiver
from vault_testing.telling import change, log, send_what_waits

from ledgix_vault.errors import Invalid, MissingScope, NotFound
from ledgix_vault.operations.change_notification_settings import rotate_webhook_secret
from ledgix_vault.operations.read_deliveries import read_deliveries
from ledgix_vault.operations.send_notifications import claim_notifications, deliver, forget_old_notifications
from ledgix_vault.operations.send_test_notification import send_test_notification
from ledgix_vault.store import schema
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio
HOUR, DAY = 3600, 86400


async def with_webhook(vault: House, other_side: Receiver, **more: Any) -> tuple[str, str]:
    """A webhook; its id and its secret."""
    shown: Any = await change(vault, webhooks=[{"url": other_side.url(), **more}])
    (made,) = shown["webhooks"]
    return made["webhook_id"], made["secret"]


async def with_mail(vault: House, **more: Any) -> None:
    await change(vault, email={"enabled": True, "recipients": ["a@example.com"], **more})


def rows(vault: House) -> int:
    count = select(func.count()).select_from(schema.notification)
    return int(vault.core.store.read_and_wait(lambda connection: connection.execute(count).scalar_one()))


async def test_nobody_who_wants_to_hear_nothing_is_written(vault: House) -> None:
    await vault.ask(REVIEWED)
    await vault.suspend("tool", "x")
    assert rows(vault) == 0
    assert await send_what_waits(vault) == 0
    assert await claim_notifications(vault.core, 10) == []


async def test_a_signed_webhook_with_ids_alone(vault: House, other_side: Receiver) -> None:
    _, secret = await with_webhook(vault, other_side)
    asked = await vault.ask(REVIEWED, human_principal="jo@example.com")
    assert await send_what_waits(vault) == 1
    (came,) = other_side.received
    digest = hmac.new(secret.encode(), came.body, hashlib.sha256).hexdigest()
    assert came.headers["x-ledgix-signature"] == f"sha256={digest}"
    assert verified(secret, came.body, came.headers)["type"] == "review.requested"
    told = came.json["data"]
    assert (told["request_id"], told["tool_name"], told["verdict"]) == (asked["request_id"], "stripe_refund", "pending")
    assert "tool_args" not in told
    assert "450" not in came.body.decode()
    (entry,) = await log(vault)
    assert (entry["state"], entry["status"], entry["answer"], entry["attempts"]) == ("delivered", 200, "ok", 1)
    assert entry["delivery_id"] == came.headers["webhook-id"]
    assert await send_what_waits(vault) == 0


async def test_arguments_where_the_receiver_opts_in_and_never_a_token(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side, include_arguments=True)
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked, by=await vault.key(Preset.REVIEWER))
    token = (await vault.poll(asked))["token"]
    await send_what_waits(vault)
    told = {each.json["type"]: each.json["data"] for each in other_side.received}
    assert told["review.decided"]["tool_args"] == {"amount": REVIEWED}
    assert told["review.decided"]["verdict"] == "approved"
    assert all(str(token) not in each.body.decode() for each in other_side.received)


async def test_every_kind_of_event(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    reviewer = await vault.key(Preset.REVIEWER)
    await vault.deny(await vault.ask(REVIEWED), by=reviewer)
    await vault.ask(REVIEWED)
    await vault.ask(DENIED)
    await vault.release(await vault.suspend("tool", "wire_money"))
    await send_what_waits(vault)
    vault.clock.advance(23 * HOUR + 1)
    await send_what_waits(vault)  # the job that reminds
    await send_what_waits(vault)
    vault.clock.advance(HOUR)
    await send_what_waits(vault)
    await send_what_waits(vault)
    kinds = sorted(each.json["type"] for each in other_side.received)
    assert kinds == sorted([
        "key.created", "review.requested", "review.requested", "review.decided", "review.reminder", "review.expired",
        "kill_switch", "kill_switch",
    ])  # fmt: skip


async def test_a_budget_at_four_fifths_is_told_once(vault: House, other_side: Receiver) -> None:
    limit = "{id: daily, sum: args.amount, window: day, timezone: UTC, max: 100}"
    definition = f"rules: [{{id: all, effect: approve, when: []}}]\nlimits: [{limit}]"
    await vault.register(definition=definition)
    await with_webhook(vault, other_side, events=["budget.low"])
    for amount in (45, 36, 10):
        await vault.ask(amount)
    await send_what_waits(vault)
    (came,) = other_side.received
    assert (came.json["data"]["used"], came.json["data"]["maximum"]) == ("81", "100")


async def test_what_fails_comes_again_with_the_same_id_for_a_day(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    other_side.status, other_side.answer = 503, "busy"
    await vault.ask(REVIEWED)
    assert await send_what_waits(vault) == 1
    (entry,) = await log(vault)
    assert (entry["state"], entry["status"], entry["answer"]) == ("waiting", 503, "busy")
    assert await send_what_waits(vault) == 0
    for _ in range(40):
        vault.clock.advance(HOUR * 1.3)
        await send_what_waits(vault)
    entries = [each for each in await log(vault) if each["event"] == "review.requested"]
    assert [each["state"] for each in entries] == ["given_up"]
    assert 15 <= entries[0]["attempts"] <= 30
    requested = [each for each in other_side.received if each.json["type"] == "review.requested"]
    assert {each.headers["webhook-id"] for each in requested} == {entry["delivery_id"]}
    assert len({each.body for each in requested}) == 1


async def test_it_arrives_when_the_other_side_is_back(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side, events=["review.requested"])
    other_side.status = 500
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    other_side.status = 200
    vault.clock.advance(20)
    assert await send_what_waits(vault) == 1
    assert [each["state"] for each in await log(vault)] == ["delivered"]


async def test_gone_is_gone(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    other_side.status = 410
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    assert [each["state"] for each in await log(vault)] == ["given_up"]


async def test_a_sender_that_dies_after_sending_sends_again(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    await vault.ask(REVIEWED)
    await vault.do_what_is_due()
    (batch,) = await claim_notifications(vault.core, 10)
    vault.core.store.close()  # what was sent can't be noted
    with pytest.raises(Exception):  # noqa: B017
        await deliver(vault.core, batch)
    vault.reopen()
    assert await claim_notifications(vault.core, 10) == []  # the lease still stands
    vault.clock.advance(61)
    assert await send_what_waits(vault) == 1
    assert len({each.headers["webhook-id"] for each in other_side.received}) == 1


async def test_two_workers_never_have_the_same_delivery(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    for _ in range(3):
        await vault.ask(REVIEWED)
    await vault.do_what_is_due()
    first = await claim_notifications(vault.core, 2)
    second = await claim_notifications(vault.core, 2)
    ids = [delivery.delivery_id for batch in (*first, *second) for delivery in batch]
    assert len(ids) == len(set(ids)) == 3


async def test_rotation_with_overlap(vault: House, other_side: Receiver) -> None:
    webhook_id, old = await with_webhook(vault, other_side, events=["review.requested"])
    shown: Any
    shown, _ = await rotate_webhook_secret(vault.core, vault.owner, webhook_id, 1, None)
    new = shown["webhooks"][0]["secret"]
    assert new != old
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    vault.clock.advance(HOUR)
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    during, after = other_side.received
    assert verified(old, during.body, during.headers) == verified(new, during.body, during.headers)
    assert verified(new, after.body, after.headers)
    with pytest.raises(Exception, match="No matching signature"):
        verified(old, after.body, after.headers)


async def test_secrets_come_back_masked(vault: House, other_side: Receiver) -> None:
    _, secret = await with_webhook(vault, other_side)
    shown = await change(vault, slack={"enabled": True, "webhook_url": other_side.url("/slack/T1/secret")})
    assert secret not in str(shown)
    assert "T1/secret" not in str(shown)
    state = vault.core.store.tenant(vault.owner.tenant_id).notifications
    assert "T1/secret" not in str(state)
    assert b"T1/secret" not in b"".join(state.sealed.values())


async def test_a_mail_says_what_a_person_needs(vault: House, box: Mailbox) -> None:
    await with_mail(vault)
    asked = await vault.ask(REVIEWED, agent_id="<b>bot</b>", human_principal="jo@example.com")
    await send_what_waits(vault)
    ((to, mail),) = box.received
    assert to == "a@example.com"
    assert mail["Subject"] == "<b>bot</b> asks to run stripe_refund"
    text, html = (part.get_content() for part in mail.iter_parts())  # type: ignore[attr-defined]
    for part in ("stripe_refund", "jo@example.com", "amount = 450", "100 USD", "Deadline"):
        assert part in text
        assert part in html
    assert f"https://vault.example/app/reviews/{asked['request_id']}" in text
    assert "<b>bot</b>" not in html
    (entry,) = await log(vault)
    assert (entry["state"], entry["status"], entry["target"]) == ("delivered", 250, "a@example.com")


async def test_a_mail_without_arguments_where_the_tenant_says_so(vault: House, box: Mailbox) -> None:
    await with_mail(vault, include_arguments=False)
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    assert "amount = 450" not in str(box.received[0][1])


async def test_a_refused_mail_is_told_with_the_servers_words(vault: House, box: Mailbox) -> None:
    await with_mail(vault)
    box.refuses = "550 5.1.1 No such user here"
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    (entry,) = await log(vault)
    assert (entry["state"], entry["status"]) == ("waiting", 550)
    assert "No such user here" in entry["answer"]


async def test_a_digest_collects(vault: House, box: Mailbox) -> None:
    await with_mail(vault, digest_minutes=60)
    await vault.ask(REVIEWED)
    assert await send_what_waits(vault) == 0
    vault.clock.advance(30 * 60)
    await vault.ask(REVIEWED)
    assert await send_what_waits(vault) == 0
    vault.clock.advance(31 * 60)
    assert await send_what_waits(vault) == 2
    ((_, mail),) = box.received
    assert mail["Subject"].startswith("2 notices")


async def test_quiet_hours_and_what_breaks_them(vault: House, box: Mailbox, other_side: Receiver) -> None:
    vault.clock.now = MADE_AT - MADE_AT % (DAY * 1_000_000) + (DAY + 23 * HOUR) * 1_000_000  # 23:00 UTC
    await with_mail(vault)
    await change(vault, quiet_hours={"enabled": True, "from": "22:00", "until": "07:00", "time_zone": "UTC"})
    await with_webhook(vault, other_side)
    await vault.ask(REVIEWED)
    await vault.suspend("tool", "x")
    await send_what_waits(vault)
    assert ["Kill switch" in mail["Subject"] for _, mail in box.received] == [True]
    assert len(other_side.received) == 2  # machines don't sleep
    vault.clock.advance(8 * HOUR - 1)
    assert await send_what_waits(vault) == 0
    vault.clock.advance(1)
    assert await send_what_waits(vault) == 1
    assert "asks to run" in box.received[1][1]["Subject"]


async def test_nobody_is_asked_about_a_review_that_is_over(vault: House, box: Mailbox) -> None:
    await with_mail(vault, digest_minutes=60)
    await change(vault, events=["review.requested"])
    await vault.deny(await vault.ask(REVIEWED), by=await vault.key(Preset.REVIEWER))
    await send_what_waits(vault)
    vault.clock.advance(HOUR)
    await send_what_waits(vault)
    assert box.received == []
    assert [each["state"] for each in await log(vault)] == ["dropped"]


async def test_a_test_has_the_real_answer(vault: House, other_side: Receiver, box: Mailbox) -> None:
    webhook_id, secret = await with_webhook(vault, other_side, enabled=False)
    other_side.status, other_side.answer = 404, "no such hook"
    result: Any = await send_test_notification(vault.core, vault.owner, "webhook", webhook_id)
    assert result["ok"] is False
    assert result["answers"][0] == {"target": webhook_id, "ok": False, "status": 404, "answer": "no such hook"}
    assert verified(secret, other_side.received[0].body, other_side.received[0].headers)["type"] == "test"
    await with_mail(vault)
    assert (await send_test_notification(vault.core, vault.owner, "email", ""))["ok"] is True
    assert box.received[0][1]["Subject"] == "This is a test from Ledgix"
    with pytest.raises(Invalid):
        await send_test_notification(vault.core, vault.owner, "pigeon", "")
    nothing: Any = await send_test_notification(vault.core, vault.owner, "teams", "")
    assert nothing["answers"][0]["answer"] == "This channel isn't set."


async def test_teams_gets_a_card_with_a_link(vault: House, other_side: Receiver) -> None:
    await change(vault, teams={"enabled": True, "webhook_url": other_side.url("/teams")})
    await vault.ask(REVIEWED, agent_id="[click](http://evil.example)")
    await send_what_waits(vault)
    (attachment,) = other_side.at("/teams")[0].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["actions"][0]["url"].startswith("https://vault.example/app/reviews/")
    assert "[click](" not in str(card).replace("\\\\", "\\")


async def test_another_tenant_hears_and_sees_nothing(vault: House, other_side: Receiver) -> None:
    webhook_id, _ = await with_webhook(vault, other_side)
    await vault.ask(REVIEWED, by=vault.stranger)
    await send_what_waits(vault)
    assert other_side.received == []
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    assert await log(vault, by=vault.stranger) == []
    with pytest.raises(NotFound):
        await rotate_webhook_secret(vault.core, vault.stranger, webhook_id, 1, None)
    with pytest.raises(NotFound):
        await send_test_notification(vault.core, vault.stranger, "webhook", webhook_id)


async def test_settings_need_the_scope(vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    with pytest.raises(MissingScope):
        await change(vault, by=reviewer, events=[])
    with pytest.raises(MissingScope):
        await log(vault, by=reviewer)
    with pytest.raises(MissingScope):
        await send_test_notification(vault.core, reviewer, "email", "")


async def test_the_log_has_pages(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side)
    for _ in range(3):
        await vault.ask(REVIEWED)
        vault.clock.advance(1)
    await send_what_waits(vault)
    seen, cursor = [], ""
    for _ in range(3):
        page: Any = await read_deliveries(vault.core, vault.owner, limit=1, cursor=cursor)
        seen += [each["request_id"] for each in page["deliveries"]]
        cursor = page["next_cursor"]
    assert cursor == ""
    assert len(set(seen)) == 3
    with pytest.raises(Invalid):
        await read_deliveries(vault.core, vault.owner, limit=1, cursor="x")


async def test_old_news_are_forgotten(vault: House, other_side: Receiver) -> None:
    await with_webhook(vault, other_side, events=["review.requested"])
    await vault.ask(REVIEWED)
    await send_what_waits(vault)
    assert await forget_old_notifications(vault.core) == 0
    vault.clock.advance(31 * DAY)
    assert await forget_old_notifications(vault.core) == 1
    assert rows(vault) == 0


async def test_plain_addresses_are_refused_when_they_are_set(vault: House) -> None:
    for changes, path in (
        ({"webhooks": [{"url": "http://example.com/x"}]}, "$.webhooks[0].url"),
        ({"slack": {"webhook_url": "http://example.com/x"}}, "$.slack.webhook_url"),
        ({"teams": {"webhook_url": "ftp://example.com/x"}}, "$.teams.webhook_url"),
    ):
        with pytest.raises(Invalid) as refused:
            await change(vault, **changes)
        assert refused.value.path == path


def verified(secret: str, body: bytes, headers: dict[str, str]) -> Any:
    """As a receiver verifies, but for the time: the Vault's clock is a test's."""
    mine = Webhook(secret)
    mine._Webhook__verify_timestamp = _any_time  # type: ignore[attr-defined]
    return mine.verify(body, headers)


def _any_time(header: str) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(header), tz=UTC)


async def test_an_escalation_is_told(vault: House, other_side: Receiver) -> None:
    await vault.change(escalation_seconds=600)
    await with_webhook(vault, other_side, events=["review.escalated"])
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(601)
    await vault.do_what_is_due()
    assert await send_what_waits(vault) == 1
    (came,) = other_side.received
    assert (came.json["type"], came.json["data"]["request_id"]) == ("review.escalated", asked["request_id"])
