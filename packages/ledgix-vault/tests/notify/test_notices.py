"""Quiet hours, distances between attempts, and settings as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix_vault.errors import Invalid
from ledgix_vault.limits.findings import Finding, Result, becomes_low
from ledgix_vault.notices.kinds import Channel, NoticeKind
from ledgix_vault.notices.quiet import DAYS, QuietHours
from ledgix_vault.notices.retry import GIVE_UP_AFTER, LONGEST_WAIT, next_attempt
from ledgix_vault.notices.settings import NO_NOTIFICATIONS, Hands, NotificationSettings
from ledgix_vault.policy.effect import Effect
from ledgix_vault.write_only import MASK

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


NIGHTS = QuietHours(enabled=True, begins="22:00", ends="07:00", time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHTS, "2026-03-10T20:59:59+00:00", "2026-03-10T20:59:59+00:00"),  # 21:59:59 in Berlin
        (NIGHTS, "2026-03-10T21:00:00+00:00", "2026-03-11T06:00:00+00:00"),
        (NIGHTS, "2026-03-11T05:59:59+00:00", "2026-03-11T06:00:00+00:00"),
        (NIGHTS, "2026-03-11T06:00:00+00:00", "2026-03-11T06:00:00+00:00"),
        (NIGHTS, "2026-03-28T23:00:00+00:00", "2026-03-29T05:00:00+00:00"),  # clocks go forward that night
        (QuietHours(enabled=False), "2026-03-10T23:00:00+00:00", "2026-03-10T23:00:00+00:00"),
        # A weekend that is quiet all day, from its first midnight to its last.
        (
            QuietHours(True, ("sat", "sun"), "00:00", "00:00", "UTC"),
            "2026-03-14T12:00:00+00:00",
            "2026-03-16T00:00:00+00:00",
        ),
        # The night of a Friday goes on into Saturday, which is no quiet day itself.
        (QuietHours(True, ("fri",), "22:00", "07:00", "UTC"), "2026-03-14T03:00:00+00:00", "2026-03-14T07:00:00+00:00"),
        (QuietHours(True, ("fri",), "22:00", "07:00", "UTC"), "2026-03-14T23:00:00+00:00", "2026-03-14T23:00:00+00:00"),
    ],
)
def test_quiet_hours(hours: QuietHours, now: str, until: str) -> None:
    assert hours.until(at(now)) == at(until)


def test_always_quiet_still_ends() -> None:
    always = QuietHours(True, DAYS, "00:00", "00:00", "UTC")
    assert always.until(at("2026-03-10T12:00:00+00:00")) <= at("2026-03-30T00:00:00+00:00")


@given(st.integers(1, 60), st.uuids().map(str))
def test_attempts_come_at_growing_distances_for_a_day(attempts: int, delivery_id: str) -> None:
    second = 1_000_000
    again = next_attempt(delivery_id, attempts, 0, 0)
    assert again is not None
    wait = min(10 * 2 ** (attempts - 1), LONGEST_WAIT)
    assert 0.75 * wait * second <= again <= 1.25 * wait * second
    assert next_attempt(delivery_id, attempts, 0, GIVE_UP_AFTER * second) is None


@pytest.mark.parametrize(
    ("used", "asked", "low"), [("0", "79.9", False), ("0", "80", True), ("79", "1", True), ("80", "1", False)]
)
def test_a_budget_becomes_low_once(used: str, asked: str, low: bool) -> None:
    finding = Finding("p", "l", Result.WITHIN, Effect.DENY, "day UTC", "100", used=used, asked=asked, budget="b")
    assert becomes_low(finding) is low


def hands(**more: Any) -> Hands:
    numbers = count()
    made = {
        "seal": lambda secret, place: f"{place}={secret}".encode(),
        "check_url": lambda url, path: None,
        "new_id": lambda: f"id-{next(numbers)}",
        "new_secret": lambda: "whsec_c2VjcmV0",
    }
    return Hands(**{**made, **more})


def test_settings_survive_being_stored() -> None:
    changes = {
        "email": {"enabled": True, "recipients": ["A@example.com", "b@example.com"], "digest_minutes": 60},
        "slack": {"enabled": True, "webhook_url": "https://hooks.slack.com/x", "channel": "#reviews"},
        "webhooks": [{"url": "https://example.com/a", "events": ["review.requested"], "enabled": True}],
        "quiet_hours": {"enabled": True, "time_zone": "America/New_York", "days": ["sun", "sat"]},
    }
    after, fresh = NO_NOTIFICATIONS.changed(changes, hands())
    assert fresh == {"id-0": "whsec_c2VjcmV0"}
    assert NotificationSettings.from_json(after.to_json(), after.sealed) == after
    shown = after.masked()
    assert "hooks.slack.com" not in str(shown)
    assert shown["slack"] == {"enabled": True, "channel": "#reviews", "webhook_url": MASK}
    # What is shown can be sent back, and nothing changes.
    assert after.changed(shown, hands())[0] == after


def test_a_webhook_is_known_by_its_id_or_its_address() -> None:
    one, _ = NO_NOTIFICATIONS.changed({"webhooks": [{"url": "https://example.com/a"}]}, hands())
    same, fresh = one.changed({"webhooks": [{"url": "https://example.com/a", "enabled": False}]}, hands())
    assert (fresh, same.webhooks[0].webhook_id, same.sealed) == ({}, "id-0", one.sealed)
    moved, fresh = one.changed({"webhooks": [{"webhook_id": "id-0", "url": "https://example.com/b"}]}, hands())
    assert (fresh, moved.webhooks[0].url, moved.sealed) == ({}, "https://example.com/b", one.sealed)
    gone, _ = one.changed({"webhooks": []}, hands())
    assert (gone.webhooks, gone.sealed) == ((), {})


def test_who_is_told() -> None:
    changes = {
        "email": {"enabled": True, "recipients": ["a@example.com"]},
        "events": ["kill_switch"],
        "webhooks": [
            {"url": "https://example.com/a", "events": ["review.decided"]},
            {"url": "https://example.com/b", "enabled": False},
        ],
    }
    settings, _ = NO_NOTIFICATIONS.changed(changes, hands())
    assert settings.targets(NoticeKind.KILL_SWITCH) == [(Channel.EMAIL, "a@example.com")]
    assert settings.targets(NoticeKind.REVIEW_DECIDED) == [(Channel.WEBHOOK, "id-0")]
    assert not settings.wants(NoticeKind.KEY_CREATED)
    assert not any(NO_NOTIFICATIONS.wants(kind) for kind in NoticeKind)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"email": []}, "$.email"),
        ({"email": {"enabled": 1}}, "$.email.enabled"),
        ({"email": {"recipients": ["a@b.c\nBcc: x@y.z"]}}, "$.email.recipients"),
        ({"email": {"recipients": ["a@b.c, x@y.z"]}}, "$.email.recipients"),
        ({"email": {"digest_minutes": 1441}}, "$.email.digest_minutes"),
        ({"slack": {"enabled": True}}, "$.slack.webhook_url"),
        ({"slack_app": {"enabled": True, "bot_token": "x"}}, "$.slack_app.signing_secret"),
        ({"slack_app": {"enabled": True, "bot_token": "x", "signing_secret": "y"}}, "$.slack_app.channel"),
        ({"webhooks": [{}]}, "$.webhooks[0].url"),
        ({"webhooks": [{"url": "https://a.example", "events": ["x"]}]}, "$.webhooks[0].events"),
        ({"webhooks": [{"url": "https://a.example", "webhook_id": "x"}]}, "$.webhooks[0].webhook_id"),
        ({"webhooks": [{"url": "https://a.example"}] * 21}, "$.webhooks"),
        ({"events": "all"}, "$.events"),
        ({"quiet_hours": {"from": "25:00"}}, "$.quiet_hours.from"),
        ({"quiet_hours": {"time_zone": "../../etc/passwd"}}, "$.quiet_hours.time_zone"),
        ({"quiet_hours": {"days": []}}, "$.quiet_hours.days"),
        ({"reminder_minutes": True}, "$.reminder_minutes"),
    ],
)
def test_what_is_wrong_is_named(changes: Any, path: str) -> None:
    def check(url: str, path: str) -> None:
        if not url:
            raise Invalid("must be an address", path=path)

    with pytest.raises(Invalid) as refused:
        NO_NOTIFICATIONS.changed(changes, hands(check_url=check))
    assert refused.value.path == path
