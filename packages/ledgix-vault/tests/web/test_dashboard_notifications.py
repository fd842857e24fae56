"""The page of notifications: each form changes its own part, a test shows the real answer, secrets are shown once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from vault_testing.house import REVIEWED, House
from vault_testing.receivers import Receiver, receiver
from vault_testing.telling import send_what_waits
from vault_testing.visitor import Visitor, signed_in, text_of

from ledgix_vault.notices.kinds import NoticeKind
from ledgix_vault.notices.settings import NotificationSettings
from ledgix_vault.tenancy.people import Role

pytestmark = pytest.mark.anyio
PAGE = "/app/settings/notifications"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def other_side() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def vault(new_vault: Callable[..., House], other_side: Receiver) -> House:
    return new_vault(notify_hosts=other_side.host)


def now_set(vault: House) -> NotificationSettings:
    return vault.core.store.tenant(vault.owner.tenant_id).notifications


async def add_webhook(visitor: Visitor, other_side: Receiver) -> str:
    answer = await visitor.post(
        PAGE, part="webhook", url=other_side.url(), enabled="on", events=["review.requested", "key.created"]
    )
    (secret,) = set(SECRET.findall(answer.text))
    return secret


async def test_each_form_changes_its_own_part(vault: House, other_side: Receiver) -> None:
    sundays = {"days": "sun"}
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for fields in (
            {
                "part": "email",
                "enabled": "on",
                "recipients": "a@example.com\nB@example.com",
                "digest_minutes": "60",
            },
            {"part": "slack", "enabled": "on", "webhook_url": other_side.url("/s/secret"), "channel": "#r"},
            {"part": "slack", "enabled": "on", "webhook_url": "", "channel": "#reviews"},
            {"part": "teams", "webhook_url": other_side.url("/t")},
            {"part": "told", "events": ["kill_switch"], "reminder_minutes": "15"},
            {"part": "quiet_hours", "enabled": "on", "from": "21:00", "until": "06:30", "time_zone": "UTC"} | sundays,
        ):
            answer = await visitor.post(PAGE, **fields)
            assert answer.status_code == 303, text_of(answer)
        page = await visitor.get(PAGE)
        assert "s/secret" not in page.text
    found = now_set(vault)
    assert (found.email.recipients, found.email.digest_minutes) == (("a@example.com", "b@example.com"), 60)
    assert (found.slack.channel, found.slack.enabled, found.teams.enabled) == ("#reviews", True, False)
    assert (found.events, found.reminder_minutes) == ((NoticeKind.KILL_SWITCH,), 15)
    assert (found.quiet_hours.begins, found.quiet_hours.days) == ("21:00", ("sun",))


async def test_a_webhook_from_its_secret_to_its_end(vault: House, other_side: Receiver) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        secret = await add_webhook(visitor, other_side)
        (webhook,) = now_set(vault).webhooks
        assert secret not in (await visitor.get(PAGE)).text
        rotated = await visitor.post(f"{PAGE}/rotate", webhook_id=webhook.webhook_id)
        assert SECRET.findall(rotated.text)
        assert secret not in rotated.text
        await vault.ask(REVIEWED)
        await send_what_waits(vault)
        listed = text_of(await visitor.get(PAGE))
        assert "A review is requested" in listed
        assert "delivered" in listed
        gone = await visitor.post(PAGE, part="webhook", webhook_id=webhook.webhook_id, url=webhook.url, do="remove")
        assert gone.status_code == 303
    assert now_set(vault).webhooks == ()


async def test_a_test_shows_the_real_answer(vault: House, other_side: Receiver) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        await add_webhook(visitor, other_side)
        (webhook,) = now_set(vault).webhooks
        other_side.status, other_side.answer = 418, "<i>short and stout</i>"
        answer = await visitor.post(f"{PAGE}/test", channel="webhook", webhook_id=webhook.webhook_id)
        assert "did not arrive. Answer 418: <i>short and stout</i>" in text_of(answer)
        assert "<i>short" not in answer.text
        nobody = await visitor.post(f"{PAGE}/test", channel="email")
        assert "set recipients first" in text_of(nobody)
        unset = await visitor.post(f"{PAGE}/test", channel="teams")
        assert "This channel isn't set." in text_of(unset)


async def test_what_is_wrong_is_said_beside_the_field(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for fields, words in (
            ({"part": "email", "recipients": "nobody", "digest_minutes": "0"}, "must be e-mail addresses"),
            ({"part": "slack", "enabled": "on"}, "is required for a channel that is enabled"),
            ({"part": "webhook", "url": "http://example.com/x"}, "must be https://"),
            ({"part": "told", "reminder_minutes": "soon"}, "must be a whole number"),
            ({"part": "nothing"}, "is no part of the settings"),
        ):
            answer = await visitor.post(PAGE, **fields)
            assert answer.status_code == 422
            assert words in text_of(answer)
    assert now_set(vault) == NotificationSettings()


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR, Role.DEVELOPER, Role.POLICY_EDITOR])
async def test_it_is_the_owners_page(vault: House, role: Role) -> None:
    async with signed_in(vault, role) as (visitor, _):
        assert (await visitor.get(PAGE)).status_code == 403
        assert (await visitor.post(PAGE, part="told", reminder_minutes="1")).status_code == 403
        assert (await visitor.post(f"{PAGE}/test", channel="email")).status_code == 403
