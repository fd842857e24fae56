"""Contract section 2, what time does: on a Vault where an approval, a mint and a delegation live for one second."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from running_vault import Tenant, eventually, running_vault, succeeded
from wire import MEDIUM, SMALL, TOOL, decoded, delegated, jti_of, mint, moment, problem, well_formed


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tenant]]:
    settings = {"jwt_ttl": 1, "mint_window": 1, "delegation_window": 1, "jwt_issuer": "me", "jwt_audience": "you"}
    with running_vault(tmp_path_factory.mktemp("short-lived"), 20, **settings) as (_, made):
        yield made


@pytest.fixture
def tenant(tenants: list[Tenant]) -> Tenant:
    found = tenants.pop()
    found.register_refunds()
    return found


def denied(tenant: Tenant, request_id: str) -> dict[str, Any]:
    """The answer about a request as soon as it is a denial."""
    return eventually(lambda: found if (found := tenant.agent.status(request_id))["status"] == "denied" else None)


def test_settings_of_the_token(tenant: Tenant) -> None:
    token = tenant.agent.ask(TOOL, SMALL)["token"]
    claims = decoded(token)[1]
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("me", "you", 1)


def test_a_token_that_lapsed(tenant: Tenant) -> None:
    """Old clients run the tool unless they read `denied`; `outcome` tells the rest."""
    asked = tenant.agent.ask(TOOL, SMALL)
    answer = well_formed(denied(tenant, asked["request_id"]))
    assert (answer["reason_code"], answer["outcome"]) == ("approval_lapsed", "approved")
    problem(tenant.gateway.consume(asked["token"]), 401, "token_expired")
    assert tenant.events("token.consumed") == []


def test_after_a_review_the_tokens_life_begins_when_it_is_handed_out(tenant: Tenant) -> None:
    """The decision itself is older than a second when the asker comes for it."""
    asked, other = tenant.agent.ask(TOOL, MEDIUM)["request_id"], tenant.agent.ask(TOOL, SMALL)["request_id"]
    succeeded(tenant.reviewer.decide(asked, approved=True))
    denied(tenant, other)
    answer = tenant.agent.status(asked)
    assert answer["status"] == "approved"
    assert moment(answer["expires_at"]) > datetime.now(UTC)
    assert denied(tenant, asked)["reason_code"] == "approval_lapsed"


def test_an_approval_that_nobody_fetches_lapses_like_a_review(tenant: Tenant) -> None:
    tenant.set_reviews(review_expiry_seconds=1)
    asked, other = (tenant.agent.ask(TOOL, MEDIUM)["request_id"] for _ in range(2))
    succeeded(tenant.reviewer.decide(asked, approved=True))
    denied(tenant, other)
    tenant.agent.ask(TOOL, SMALL)
    answer = eventually(lambda: tenant.reviewer.read("/reviews", status="approved")["reviews"])
    assert answer[0]["outcome"] == "approved"
    eventually(lambda: tenant.agent.decide(asked, approved=True).status_code == 403)


def test_a_consumption_is_replayed_after_the_token_has_expired(tenant: Tenant) -> None:
    """A lost answer, and a retry that comes late: it must learn that it was the one who burned it."""
    token = tenant.agent.ask(TOOL, SMALL)["token"]
    first = tenant.gateway.consume(token, once="k")
    unused = tenant.agent.ask(TOOL, SMALL)
    denied(tenant, unused["request_id"])
    again = tenant.gateway.consume(token, once="k")
    assert (again.status_code, again.content) == (200, first.content)
    problem(tenant.gateway.consume(unused["token"], once="l"), 401, "token_expired")


def test_the_mint_window(tenant: Tenant) -> None:
    original = tenant.agent.ask(TOOL, SMALL)["request_id"]
    succeeded(mint(tenant, original))
    late = eventually(lambda: found if (found := mint(tenant, original)).status_code != 200 else None)
    problem(late, 403, "mint_window_passed")


def test_the_delegation_window(tenant: Tenant) -> None:
    jti = jti_of(tenant.agent.ask(TOOL, SMALL))
    assert delegated(tenant, jti)["status"] == "approved"
    eventually(lambda: delegated(tenant, jti)["reason_code"] == "delegation_invalid")


def test_an_expired_review(tenant: Tenant) -> None:
    """Read as a denial, told apart by `outcome`; written once, whoever notices first."""
    tenant.set_reviews(review_expiry_seconds=1)
    decided, left_alone, looked_at = (tenant.agent.ask(TOOL, MEDIUM)["request_id"] for _ in range(3))
    answer = well_formed(denied(tenant, looked_at))
    assert (answer["outcome"], answer["reason_code"]) == ("expired", "review_expired")
    late = tenant.reviewer.decide(decided, approved=True)
    assert late.status_code == 409
    assert late.json()["code"] in {"review_expired", "review_already_decided"}  # the worker may have been quicker
    assert tenant.agent.status(decided)["outcome"] == "expired"
    eventually(lambda: len(tenant.events("review.expired")) == 3)
    assert {entry["request_id"] for entry in tenant.events("review.expired")} == {looked_at, decided, left_alone}
