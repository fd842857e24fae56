"""Waiting by the Vault's stream of events: sooner where there is one, never worse where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from fake_vault import API_KEY, FakeVault

from ledgix.client.errors import ClearanceDenied, ReviewTimedOut
from ledgix.client.news import MOST_STREAMS, is_settled

pytestmark = pytest.mark.anyio
SSE = "text/event-stream; charset=utf-8"
BEGIN = 'retry: 1000\n: here\n\nid: 0\nevent: clearance.decided\ndata: {"outcome":"pending"}\n\n'
Wait = Callable[[FakeVault, float | None], Any]


def told(outcome: str) -> str:
    return f'{BEGIN}id: 1\nevent: review.decided\ndata: {{"outcome":"{outcome}"}}\n\n'


def wait_sync(vault: FakeVault, timeout: float | None) -> Any:
    with vault.client() as client:
        return client.request_clearance("t", {}, review_timeout=timeout)


def wait_async(vault: FakeVault, timeout: float | None) -> Any:
    async def wait() -> Any:
        async with vault.async_client() as client:
            return await client.request_clearance("t", {}, review_timeout=timeout)

    return anyio.run(wait)


@pytest.fixture(params=[wait_sync, wait_async])
def wait(request: pytest.FixtureRequest) -> Wait:
    found: Wait = request.param
    return found


@pytest.fixture
def pending(vault: FakeVault) -> FakeVault:
    vault.decide = lambda _body: "pending"
    return vault


def when_followed(vault: FakeVault, outcome: str, text: str, status: int = 200, kind: str = SSE) -> None:
    """Once somebody follows, the request gets this outcome."""

    def answer() -> tuple[int, str, str]:
        vault.settle(vault.only().request_id, outcome)
        return status, kind, text

    vault.streams.append(answer)


def test_who_follows_never_sleeps(pending: FakeVault, wait: Wait) -> None:
    when_followed(pending, "approved", told("approved"))
    assert wait(pending, None).is_approved
    assert pending.time.slept == []
    (followed,) = pending.followed
    request_id = pending.only().request_id
    assert followed.path == f"/events?request_id={request_id}&after=-1"
    assert (followed.headers["x-vault-api-key"], followed.headers["accept"]) == (API_KEY, "text/event-stream")


def test_what_is_told_decides_nothing(pending: FakeVault, wait: Wait) -> None:
    """The stream may say what it wants: what counts is the answer about the request, with its token."""
    when_followed(pending, "denied", told("approved"))
    with pytest.raises(ClearanceDenied):
        wait(pending, None)
    assert len(pending.paths("/clearance-status")) == 1


def test_a_stream_that_promises_too_early_is_not_asked_again(pending: FakeVault, wait: Wait) -> None:
    when_followed(pending, "pending", told("approved"))
    pending.time.while_asleep = [lambda: None, lambda: pending.settle(pending.only().request_id, "approved")]
    assert wait(pending, None).is_approved
    assert pending.time.slept == [2.0, 2.0]
    assert len(pending.followed) == 1


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (404, "application/problem+json", "{}"),
        (429, "application/problem+json", "{}"),
        (500, "text/html", "<p>no"),
        (200, "text/html", told("approved")),
        (200, SSE, ""),
        (200, SSE, BEGIN),
        (200, SSE, "data: {\n\ndata: 7\n\ndata: {}\n\n"),
    ],
)
def test_without_a_stream_it_looks_at_intervals(
    pending: FakeVault, wait: Wait, status: int, kind: str, text: str
) -> None:
    when_followed(pending, "pending", text, status, kind)
    pending.time.while_asleep = [lambda: None, lambda: pending.settle(pending.only().request_id, "approved")]
    assert wait(pending, None).is_approved
    assert pending.time.slept == [2.0, 2.0]
    assert len(pending.followed) == 1


def test_a_stream_that_fails_costs_nothing(pending: FakeVault, wait: Wait) -> None:
    def broken() -> tuple[int, str, str]:
        raise httpx2.ConnectError("connection refused")

    pending.streams.append(broken)
    pending.time.while_asleep = [lambda: pending.settle(pending.only().request_id, "approved")]
    assert wait(pending, None).is_approved


def test_patience_ends_all_the_same(pending: FakeVault, wait: Wait) -> None:
    when_followed(pending, "pending", BEGIN)
    with pytest.raises(ReviewTimedOut):
        wait(pending, 5)
    assert sum(pending.time.slept) == 5


def test_a_stream_without_news_is_left_after_a_while(pending: FakeVault) -> None:
    """By the sync client's own timeout; then it looks, and follows again."""

    def silent() -> tuple[int, str, str]:
        pending.time.seconds += 10
        raise httpx2.ReadTimeout("silence")

    pending.streams.append(silent)
    when_followed(pending, "approved", told("approved"))
    assert wait_sync(pending, 60).is_approved
    assert (len(pending.followed), pending.time.slept) == (2, [])
    assert len(pending.paths("/clearance-status")) == 2


async def test_an_async_stream_without_news_is_left_after_a_while(
    pending: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgix.client.news.LONGEST_WAIT", 0.05)
    asgi = pending.asgi

    async def silent_at_first(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/events" and not pending.followed:
            pending.followed.append(scope)
            await anyio.sleep_forever()
        await asgi(scope, receive, send)

    monkeypatch.setattr(pending, "asgi", silent_at_first)
    when_followed(pending, "approved", told("approved"))
    async with pending.async_client() as client:
        assert (await client.request_clearance("t", {})).is_approved
    assert pending.time.slept == []


async def test_only_so_many_follow_at_once(pending: FakeVault) -> None:
    when_followed(pending, "approved", told("approved"))
    pending.time.while_asleep = [lambda: pending.settle(pending.only().request_id, "approved")]
    async with pending.async_client() as client:
        client._streams = MOST_STREAMS
        assert (await client.request_clearance("t", {})).is_approved
    assert (pending.followed, pending.time.slept) == ([], [2.0])


@pytest.mark.parametrize(
    ("line", "settled"),
    [
        ('data: {"outcome":"approved"}', True),
        ('data:{"outcome":"expired"}', True),
        ('data: {"outcome":"pending"}', False),
        ('data: {"outcome":null}', False),
        ('data: {"outcome":7}', False),
        ("data: {}", False),
        ("data: [", False),
        (': {"outcome":"approved"}', False),
        ("", False),
    ],
)
def test_what_a_line_says(line: str, settled: bool) -> None:
    assert is_settled(line) is settled
