"""Spans of the client where there is no exporter; `packages/ledgix-gateway/tests/test_tracing.py` has the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ledgix.client import tracing
from ledgix.client.flow import NoReply, Reply, Request

ASKED = Request("POST", "/request-clearance", {"X-Vault-API-Key": "secret"}, b"{}")
ANSWERS = [Reply(200, {}, b"{}"), Reply(503, {}, b""), NoReply("ConnectError: nobody")]


@pytest.fixture(params=["with the API", "without it"])
def tracer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "without it":
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    tracing._tracer.cache_clear()
    yield
    tracing._tracer.cache_clear()


@pytest.mark.usefixtures("tracer")
@pytest.mark.parametrize("answer", ANSWERS)
def test_without_a_trace_a_request_is_sent_as_it_is(answer: Reply | NoReply) -> None:
    with tracing.attempt(ASKED) as attempt:
        assert attempt.request == ASKED
        assert attempt.answered(answer) is answer


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/request-clearance", "/request-clearance"),
        ("/clearance-status/0d3ccf0e-aaaa", "/clearance-status"),
        ("/ledger?limit=5", "/ledger"),
        ("/policies/my%2Fpolicy/versions/3", "/policies"),
    ],
)
def test_an_endpoint_has_no_identifier(path: str, endpoint: str) -> None:
    assert tracing.endpoint_of(path) == endpoint
