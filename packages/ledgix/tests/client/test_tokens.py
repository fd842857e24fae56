"""Verifying tokens: keys, replay, tenant, and what happens when keys can't be had."""

from __future__ import annotations

import threading

import pytest
from fake_log import TENANT
from fake_vault import START, FakeVault
from hypothesis import given
from hypothesis import strategies as st

from ledgix.client.core import Core
from ledgix.client.errors import ReplayMemoryFull, TokenReplayed, VaultUnreachable
from ledgix.client.flow import Reply, Request, Sleep
from ledgix.client.keyring import KeyRing, LookUp
from ledgix.client.replay import ReplayMemory
from ledgix.errors import TokenError
from ledgix.formats.keys import PrivateKey

JWKS = "/.well-known/jwks.json"


def token_of(vault: FakeVault, key: PrivateKey | None = None) -> str:
    """The token of a fresh approval that nobody but us has seen."""
    _, answer = vault._request({"tool_name": "t", "tool_args": {}, "agent_id": "a"})
    return vault.token(vault.requests[answer["request_id"]], key)


def test_a_presented_token_is_good_once(vault: FakeVault) -> None:
    client, token = vault.client(), token_of(vault)
    assert client.verify_token(token, once=False).tool == "t"
    assert client.verify_token(token).tool == "t"
    with pytest.raises(TokenReplayed):
        client.verify_token(token)
    assert client.verify_token(token, once=False).tool == "t"


def test_an_agent_and_its_tool_may_share_a_process(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t")
    assert client.verify_token(clearance.token).jti == clearance.claims.jti


def test_keys_are_fetched_once_and_again_after_their_time(vault: FakeVault) -> None:
    client = vault.client(jwks_ttl_seconds=100)
    for _ in range(5):
        client.verify_token(token_of(vault))
    assert len(vault.paths(JWKS)) == 1
    vault.time.seconds += 100
    client.verify_token(token_of(vault))
    assert len(vault.paths(JWKS)) == 2


def test_a_rotated_key_is_found_at_once(vault: FakeVault) -> None:
    client = vault.client()
    client.verify_token(token_of(vault))
    vault.token_key = PrivateKey.generate()
    vault.listed_keys.append(vault.token_key)
    assert client.verify_token(token_of(vault)).tool == "t"
    assert len(vault.paths(JWKS)) == 2


def test_a_flood_of_unknown_keys_is_one_fetch(vault: FakeVault) -> None:
    client = vault.client()
    client.verify_token(token_of(vault))
    for _ in range(20):
        with pytest.raises(TokenError):
            client.verify_token(token_of(vault, PrivateKey.generate()))
    assert len(vault.paths(JWKS)) == 2
    vault.time.seconds += 5
    with pytest.raises(TokenError):
        client.verify_token(token_of(vault, PrivateKey.generate()))
    assert len(vault.paths(JWKS)) == 3


def test_a_withdrawn_key_is_forgotten_with_the_next_fetch(vault: FakeVault) -> None:
    client = vault.client(jwks_ttl_seconds=100)
    old = token_of(vault)
    client.verify_token(old, once=False)
    vault.listed_keys = [PrivateKey.generate()]
    vault.time.seconds += 100
    with pytest.raises(TokenError):
        client.verify_token(old, once=False)


def test_stale_keys_are_not_used_when_no_new_ones_can_be_had(vault: FakeVault) -> None:
    client = vault.client(jwks_ttl_seconds=10, max_retries=0)
    client.verify_token(token_of(vault))
    vault.time.seconds += 10
    vault.lose_request()
    with pytest.raises(VaultUnreachable):
        client.verify_token(token_of(vault))


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "..", "é.é.é"])
def test_what_is_no_token_asks_nobody(vault: FakeVault, token: str) -> None:
    with pytest.raises(TokenError):
        vault.client().verify_token(token)
    assert vault.seen == []


def test_the_configured_tenant_is_compared(vault: FakeVault) -> None:
    assert vault.client(tenant=TENANT).verify_token(token_of(vault)).tenant == TENANT
    with pytest.raises(TokenError, match="tenant"):
        vault.client(tenant="globex").verify_token(token_of(vault))


def test_issuer_and_audience_are_compared(vault: FakeVault) -> None:
    for wrong in ({"jwt_issuer": "other"}, {"jwt_audience": "other"}):
        with pytest.raises(TokenError):
            vault.client(**wrong).verify_token(token_of(vault))


def test_expiry_allows_for_the_clocks_and_no_more(vault: FakeVault) -> None:
    client, token = vault.client(jwt_leeway=30), token_of(vault)
    vault.time.seconds = 300 + 29
    client.verify_token(token, once=False)
    vault.time.seconds = 300 + 30
    with pytest.raises(TokenError) as expired:
        client.verify_token(token, once=False)
    assert expired.value.code == "token_expired"


def test_a_jwks_of_nonsense_is_an_error_and_other_kinds_of_keys_are_ignored(vault: FakeVault) -> None:
    rsa = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"}
    vault.tamper_answer = lambda path, answer: {"keys": [rsa, *answer["keys"]]} if path == JWKS else answer
    assert vault.client().verify_token(token_of(vault)).tool == "t"
    vault.tamper_answer = lambda path, answer: (
        {"keys": [{**answer["keys"][0], "x": "AAAA"}]} if path == JWKS else answer
    )
    with pytest.raises(Exception, match="Ed25519"):
        vault.client().verify_token(token_of(vault))


# One fetch for many callers, driven by hand: no threads, no time.


def test_whoever_waits_for_a_fetch_shares_its_result(vault: FakeVault) -> None:
    core = Core.wire(vault.settings(), memories=vault.memories, clock=vault.time.clock)
    one, two = token_of(vault), token_of(vault)
    fetching, waiting = core.tokens.presented(one, once=True), core.tokens.presented(two, once=True)
    request = next(fetching)
    assert isinstance(request, Request)
    assert request.path == JWKS
    assert isinstance(next(waiting), Sleep)
    status, _, body = vault.handle("GET", JWKS, "", {}, b"")
    with pytest.raises(StopIteration):
        fetching.send(Reply(status, {}, body))
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert done.value.value.tool == "t"


def test_whoever_waits_for_a_failed_fetch_fails_with_it(vault: FakeVault) -> None:
    core = Core.wire(vault.settings(max_retries=0), memories=vault.memories, clock=vault.time.clock)
    fetching, waiting = (core.tokens.presented(token_of(vault), once=True) for _ in range(2))
    next(fetching), next(waiting)
    fetching.close()  # cancelled in mid-air
    with pytest.raises(VaultUnreachable):
        waiting.send(None)
    assert isinstance(next(core.tokens.presented(token_of(vault), once=True)), Request)


def test_the_ring_never_answers_known_for_stale_keys() -> None:
    key = PrivateKey.from_seed(b"k" * 32).public
    ring = KeyRing(time_to_live=10)
    assert ring.look_up(key.kid, 0) is LookUp.FETCH
    ring.store({key.kid: key}, 1)
    assert ring.look_up(key.kid, 10.9) is LookUp.KNOWN
    assert ring.look_up(key.kid, 11) is LookUp.FETCH


# Keys that are kept fresh


def test_who_refreshes_in_the_background_never_makes_a_token_wait(vault: FakeVault) -> None:
    client = vault.client(jwks_ttl_seconds=100)
    assert client.refresh_keys() == {vault.token_key.public.kid}
    for _ in range(4):
        vault.time.seconds += 50
        client.refresh_keys()
        before = len(vault.seen)
        client.verify_token(token_of(vault), once=False)
        assert len(vault.seen) == before  # nobody was asked
    assert len(vault.paths(JWKS)) == 5


def test_a_refresh_brings_new_keys_and_takes_withdrawn_ones(vault: FakeVault) -> None:
    client, old = vault.client(), token_of(vault)
    client.verify_token(old, once=False)
    vault.token_key = PrivateKey.generate()
    vault.listed_keys = [vault.token_key]
    assert client.refresh_keys() == {vault.token_key.public.kid}
    client.verify_token(token_of(vault))
    with pytest.raises(TokenError):
        client.verify_token(old, once=False)


def test_a_failed_refresh_keeps_the_keys_until_their_time_is_over(vault: FakeVault) -> None:
    client = vault.client(jwks_ttl_seconds=100, max_retries=0)
    client.refresh_keys()
    vault.time.seconds += 99
    vault.lose_request()
    with pytest.raises(VaultUnreachable):
        client.refresh_keys()
    assert client.verify_token(token_of(vault)).tool == "t"
    vault.time.seconds += 1
    vault.lose_request()
    with pytest.raises(VaultUnreachable):
        client.verify_token(token_of(vault))
    client.refresh_keys()
    assert client.verify_token(token_of(vault)).tool == "t"


def test_while_one_refreshes_tokens_are_checked_and_another_refresh_waits_for_it(vault: FakeVault) -> None:
    core = Core.wire(vault.settings(), memories=vault.memories, clock=vault.time.clock)
    token, jwks = token_of(vault), vault.handle("GET", JWKS, "", {}, b"")[2]
    first = core.tokens.refresh()
    assert isinstance(next(first), Request)
    with pytest.raises(StopIteration):
        first.send(Reply(200, {}, jwks))
    fetching, waiting = core.tokens.refresh(), core.tokens.refresh()
    assert isinstance(next(fetching), Request)
    assert isinstance(next(waiting), Sleep)
    with pytest.raises(StopIteration):  # without a step: fresh keys are used as they are
        next(core.tokens.presented(token, once=True))
    with pytest.raises(StopIteration):
        fetching.send(Reply(200, {}, jwks))
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert done.value.value == {vault.token_key.public.kid}


# Replay memory


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8), st.integers(1, 50))), st.integers(1, 4))
def test_an_unexpired_token_is_never_accepted_twice(visits: list[tuple[int, int, int]], capacity: int) -> None:
    memory, now, accepted = ReplayMemory(capacity), 0, {}
    for passed, jti, lifetime in visits:
        now += passed
        alive = {name for name, until in accepted.items() if until >= now}
        try:
            memory.claim(str(jti), until=now + lifetime, now=now)
        except TokenReplayed:
            assert str(jti) in alive
        except ReplayMemoryFull:
            assert len(alive) == capacity
        else:
            assert str(jti) not in alive
            assert len(alive) < capacity
            accepted[str(jti)] = now + lifetime


def test_of_many_threads_one_is_accepted() -> None:
    memory, gate, won = ReplayMemory(), threading.Barrier(16), []

    def present() -> None:
        gate.wait()
        try:
            memory.claim("jti", until=START + 300, now=START)
        except TokenReplayed:
            return
        won.append(True)

    threads = [threading.Thread(target=present) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
