"""When a request is sent again: the pure policy first, then what senders make of it. Nothing here sleeps."""

from __future__ import annotations

import pytest
from fake_vault import FakeVault
from hypothesis import given
from hypothesis import strategies as st

from ledgix.client.errors import VaultBusy, VaultFailed, VaultRefused, VaultUnreachable
from ledgix.client.flow import NoReply, Reply
from ledgix.client.retry import Attempts, RetryPolicy, retry_after

POLICY = RetryPolicy()


def reply(status: int, after: str | None = None) -> Reply:
    return Reply(status, {} if after is None else {"retry-after": after}, b"")


outcomes = st.one_of(
    st.builds(NoReply, st.just("reset")),
    st.builds(reply, st.sampled_from([429, 500, 502, 503, 504]), st.none() | st.integers(0, 10**6).map(str)),
)
policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 5),
    max_busy=st.integers(0, 12),
    base_delay=st.floats(0, 5),
    max_delay=st.floats(0, 60),
)


@given(policies, st.lists(outcomes, min_size=30, max_size=30), st.floats(0, 1))
def test_attempts_and_delays_are_bounded(policy: RetryPolicy, trouble: list, luck: float) -> None:
    attempts, sent = Attempts(), 0
    for outcome in trouble:
        sent += 1
        again = policy.after(outcome, attempts, lambda low, high: low + luck * (high - low))
        if again is None:
            break
        asked = retry_after(outcome)
        if asked is None:
            step = attempts.busy if outcome == reply(429) else attempts.failures
            assert 0 <= again.seconds <= min(policy.max_delay, policy.base_delay * 2**step)
        else:
            assert min(asked, 60) <= again.seconds <= min(asked, 60) + policy.base_delay
        attempts = again.attempts
    assert again is None
    assert attempts.failures <= policy.max_retries
    assert attempts.busy <= policy.max_busy
    assert sent <= 1 + policy.max_retries + policy.max_busy


@given(st.integers(200, 499).filter(lambda status: status != 429))
def test_answers_that_repeating_cannot_mend_are_final(status: int) -> None:
    assert POLICY.after(reply(status, "1"), Attempts(), lambda low, high: high) is None


def test_429_does_not_use_up_the_retries() -> None:
    attempts = Attempts()
    for _ in range(10):
        again = POLICY.after(reply(429, "1"), attempts, lambda low, high: low)
        assert again is not None
        assert again.seconds == 1
        attempts = again.attempts
    assert attempts == Attempts(failures=0, busy=10)
    assert POLICY.after(reply(429, "1"), attempts, lambda low, high: low) is None
    assert POLICY.after(NoReply("reset"), attempts, lambda low, high: low) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0", 0), (" 3 ", 3), ("60000", 60000)]
    + [(text, None) for text in ("1.5", "-1", "soon", "", "\u0661", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 20)],
)
def test_retry_after_is_whole_seconds(text: str, seconds: int | None) -> None:
    assert retry_after(reply(429, text)) == seconds
    assert retry_after(reply(503, text)) == seconds
    assert retry_after(reply(500, text)) is None


def test_one_idempotency_key_over_all_attempts_and_one_decision(vault: FakeVault) -> None:
    vault.lose_request()
    vault.lose_answer()
    vault.fail(503, retry_after="2")
    clearance = vault.client().request_clearance("t", {"amount": 1})
    posts = [seen for seen in vault.seen if seen.method == "POST"]
    assert len(posts) == 4
    assert len({(seen.headers["idempotency-key"], seen.body) for seen in posts}) == 1
    assert clearance.request_id == vault.only().request_id
    assert 2 <= vault.time.slept[2] <= 2.5


def test_two_requests_have_two_idempotency_keys(vault: FakeVault) -> None:
    client = vault.client()
    client.request_clearance("t", {"amount": 1})
    client.request_clearance("t", {"amount": 1})
    keys = [seen.headers["idempotency-key"] for seen in vault.seen if seen.method == "POST"]
    assert len(set(keys)) == 2


def test_giving_up_says_what_happened(vault: FakeVault) -> None:
    client = vault.client(max_retries=1)
    for _ in range(2):
        vault.lose_request()
    with pytest.raises(VaultUnreachable, match="LEDGIX_VAULT_URL"):
        client.ledger()
    for _ in range(2):
        vault.fail(500)
    with pytest.raises(VaultFailed) as failed:
        client.ledger()
    assert failed.value.status == 500
    for _ in range(11):
        vault.fail(429, retry_after="400")
    with pytest.raises(VaultBusy) as busy:
        client.ledger()
    assert busy.value.retry_after == 400
    assert all(60 <= seconds <= 60.5 for seconds in vault.time.slept[-10:])


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"code":"unauthenticated","detail":"No such key."}', "LEDGIX_VAULT_API_KEY"),
        (403, b'{"code":"missing_scope","detail":"This key lacks the scope policy."}', "scope policy"),
        (422, b'{"code":"invalid","path":"$.tool_args.x","detail":"must be a string"}', r"\$.tool_args.x must be"),
        (404, b"<html>", "no explanation"),
        (413, b"", "256 KiB"),
        (409, b'{"code":"review_already_decided","title":"Too late"}', "Too late"),
        (302, b"", "302"),
    ],
)
def test_a_refusal_says_what_to_do(vault: FakeVault, status: int, body: bytes, said: str) -> None:
    vault.fail(status, body=body)
    with pytest.raises(VaultRefused, match=said) as refused:
        vault.client().ledger()
    assert refused.value.status == status
    assert vault.time.slept == []
