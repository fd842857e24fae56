"""`GET /events` on the wire: what is told, to whom, and that nothing is missed across restarts."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from running_vault import Key, RunningVault, Tenant, succeeded
from streams import following
from wire import MEDIUM, SMALL, TOOL, problem

Opened = Callable[..., tuple[RunningVault, list[Tenant]]]
SHOWN = {"event_uuid", "request_id", "kind", "tool_name", "agent_id", "decision_status", "outcome", "accepted_at"}


def asks_only(tenant: Tenant) -> Key:
    made = succeeded(tenant.full.post("/api-keys", {"name": "asks", "scopes": ["clearance"]}))
    return tenant.vault.key(made["api_key"])


def test_an_event_is_told_as_it_happens(refunds: Tenant) -> None:
    with following(refunds.agent) as stream, following(refunds.full) as full:
        asked = refunds.agent.ask(TOOL, {"amount": 450, "note": "secret"}, agent_id="bot")
        event = next(stream)
        assert event.keys() == SHOWN
        assert (event["request_id"], event["tool_name"], event["agent_id"]) == (asked["request_id"], TOOL, "bot")
        assert (event["decision_status"], event["outcome"]) == ("approved_pending_review", "pending")
        assert next(full) == event | {"reason": asked["reason"]}
        succeeded(refunds.reviewer.decide(asked["request_id"], approved=True))
        decided = next(stream)
        token = refunds.agent.status(asked["request_id"])["token"]
        assert (decided["kind"], decided["outcome"]) == ("review.decided", "approved")
        succeeded(refunds.gateway.consume(token))
        assert next(stream)["kind"] == "token.consumed"
        assert "secret" not in str([event, decided])
        assert token not in str([event, decided])
    entries = {entry["event_uuid"]: entry for entry in refunds.entries()}
    assert entries[event["event_uuid"]]["seq"] == int(stream.last_id) - 1


def test_whoever_connects_again_misses_nothing(refunds: Tenant) -> None:
    with following(refunds.full) as stream:
        begin = stream.last_id
        first = refunds.agent.ask(TOOL, SMALL)
        assert next(stream)["request_id"] == first["request_id"]
    missed = [refunds.agent.ask(TOOL, SMALL)["request_id"] for _ in range(3)]
    with following(refunds.full, last_id=stream.last_id, after=0) as again:
        assert [next(again)["request_id"] for _ in missed] == missed
    with following(refunds.full, after=int(stream.last_id)) as again:
        assert next(again)["request_id"] == missed[0]
    assert begin == ""


def test_the_place_is_known_before_the_first_event(refunds: Tenant) -> None:
    with following(refunds.full) as stream:
        asked = threading.Timer(0, refunds.agent.ask, (TOOL, SMALL))
        asked.start()
        next(stream)
        asked.join()
    assert stream.comments == 1
    assert int(stream.last_id) == len(refunds.entries()) - 1


def test_with_clearance_alone_only_own_requests(refunds: Tenant) -> None:
    mine, another = asks_only(refunds), asks_only(refunds)
    with following(mine) as stream:
        theirs = another.ask(TOOL, MEDIUM)
        own = mine.ask(TOOL, MEDIUM)
        succeeded(refunds.reviewer.decide(own["request_id"], approved=False))
        told = [next(stream) for _ in range(2)]
        assert [event["kind"] for event in told] == ["clearance.decided", "review.decided"]
        assert {event["request_id"] for event in told} == {own["request_id"]}
    problem(mine.get("/events", request_id=theirs["request_id"]), 404, "not_found")
    problem(refunds.gateway.get("/events"), 403, "missing_scope")
    with following(mine, request_id=own["request_id"], after=-1) as stream:
        assert [next(stream)["kind"] for _ in range(2)] == ["clearance.decided", "review.decided"]


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "9" * 30, "²"])
def test_a_place_that_is_none_is_refused(module_tenant: Tenant, last_id: str) -> None:
    answer = module_tenant.full.send("GET", "/events", headers={"Last-Event-ID": last_id.encode()})
    assert problem(answer, 422, "invalid")["path"] == "Last-Event-ID"
    problem(module_tenant.full.get("/events", after=-2), 422, "invalid")


def test_streams_end_with_the_vault_and_go_on_after_it(fresh_vault: Opened) -> None:
    """Neither a stop nor a crash loses an event; a stop doesn't wait for streams."""
    vault, (tenant,) = fresh_vault(shutdown_grace=60)
    tenant.register_refunds()
    expected: list[Any] = []
    last_id = ""
    with following(tenant.full) as stream:
        expected.append(tenant.agent.ask(TOOL, SMALL)["request_id"])
        assert next(stream)["request_id"] == expected[-1]
        last_id = stream.last_id
        began = time.monotonic()
        vault.signal(signal.SIGTERM)
        assert list(stream) == []
        assert vault.wait() == 0
        assert time.monotonic() - began < 20
    for end in (vault.stop, vault.kill):
        vault.start()
        missed = [tenant.agent.ask(TOOL, SMALL)["request_id"] for _ in range(2)]
        end()
        vault.start()
        with following(tenant.full, last_id=last_id) as stream:
            assert [next(stream)["request_id"] for _ in missed] == missed
            last_id = stream.last_id
        vault.stop()
    vault.start()


def test_one_stream_too_many(fresh_vault: Opened) -> None:
    _, (tenant, other) = fresh_vault(2, streams_per_tenant=1)
    with following(tenant.full):
        refused = tenant.full.get("/events")
        problem(refused, 429, "too_many_streams")
        assert int(refused.headers["retry-after"]) > 0
        with following(other.full):
            pass
