"""What Prometheus fetches from a running gateway, read by Prometheus's own parser."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_testing import RunningGateway, Tool, code
from prometheus_client.parser import text_string_to_metric_families

from running_vault import eventually, free_port

GUIDE = Path(__file__).parents[3] / "docs" / "gateway-operations.md"
ROUTE = "POST /v1/charges/{charge_id}/refunds"


@pytest.fixture
def served(new_gateway: Callable[..., RunningGateway]) -> tuple[RunningGateway, str]:
    port = free_port()
    return new_gateway(metrics={"port": port}), f"http://127.0.0.1:{port}/metrics"


def fetched(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for one in families for each in one.samples}


def requests(url: str) -> dict[tuple[str, str, str], float]:
    """How many by route, verdict and code."""
    found = {}
    for (name, labels), value in fetched(url).items():
        if name == "ledgix_gateway_requests_total":
            said = dict(labels)
            found[said["route"], said["verdict"], said["code"]] = value
    return found


def test_what_became_of_requests(served: tuple[RunningGateway, str], tool: Tool) -> None:
    gateway, url = served
    token = gateway.token()
    assert gateway.refund(token).status_code == 200
    assert code(gateway.refund(token)) == "token_already_consumed"
    assert code(gateway.refund()) == "token_missing"
    assert code(gateway.send("GET", "/secret/42")) == "route_unmapped"
    gateway.until_ended(4)
    assert requests(url) == {
        (ROUTE, "forwarded", ""): 1,
        (ROUTE, "refused", "token_already_consumed"): 1,
        (ROUTE, "refused", "token_missing"): 1,
        ("", "refused", "route_unmapped"): 1,
    }
    eventually(lambda: fetched(url)[("ledgix_gateway_outcomes_recorded_total", ())] == 1)
    samples = fetched(url)
    assert samples[("ledgix_gateway_breaker_open", (("upstream", "payments"),))] == 0
    assert samples[("ledgix_gateway_request_seconds_count", (("route", ROUTE), ("verdict", "forwarded")))] == 1
    assert token not in str(samples)
    assert "42" not in str([labels for _, labels in samples])
    assert len(tool.seen) == 1


def test_the_public_address_tells_nothing(served: tuple[RunningGateway, str]) -> None:
    assert code(served[0].send("GET", "/metrics")) == "route_unmapped"


def test_the_guide_lists_them(served: tuple[RunningGateway, str]) -> None:
    gateway, url = served
    gateway.refund()
    gateway.until_ended(1)
    names = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name, _ in fetched(url)}
    listed = {name.removesuffix("_total") for name in re.findall(r"^\| `(ledgix_gateway_\w+)", GUIDE.read_text(), re.M)}
    assert listed == names
