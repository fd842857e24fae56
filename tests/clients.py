"""Both clients, our own and the one in the field, with a tenant's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from ledgix_python import ClearanceRequest, LedgixClient, VaultConfig

from ledgix import ClientSettings, Ledgix, PendingReview, ReviewPending
from running_vault import Key, Tenant

ConnectPublished = Callable[..., LedgixClient]
ConnectOwn = Callable[..., Ledgix]


@contextmanager
def published_clients(tenant: Tenant) -> Iterator[ConnectPublished]:
    """Gives `ledgix-python` clients with the tenant's agent key, or another one of its keys."""
    with ExitStack() as opened:

        def connect(key: Key | None = None, **config: Any) -> LedgixClient:
            settings = {"review_poll_interval": 0.02, "review_timeout": 10, "retry_base_delay": 0.01, **config}
            secret = (key or tenant.agent).secret
            client = LedgixClient(VaultConfig(vault_url=tenant.url, vault_api_key=secret, **settings))
            return opened.enter_context(closing(client))

        yield connect


@contextmanager
def own_clients(tenant: Tenant) -> Iterator[ConnectOwn]:
    """Gives our clients with the tenant's agent key, or another one of its keys."""
    with ExitStack() as opened:

        def connect(key: Key | None = None, **settings: Any) -> Ledgix:
            return opened.enter_context(closing(Ledgix(settings_for(tenant, key, **settings))))

        yield connect


def settings_for(tenant: Tenant, key: Key | None = None, **settings: Any) -> ClientSettings:
    return ClientSettings(
        vault_url=tenant.url,
        vault_api_key=(key or tenant.agent).secret,
        **{"tenant": tenant.tenant_id, "review_poll_interval": 0.02, "review_timeout": 10, **settings},
    )


def refund(amount: Any, **more: Any) -> ClearanceRequest:
    """A refund as the published client asks for it."""
    return ClearanceRequest(tool_name="stripe_refund", tool_args={"amount": amount}, **more)


def detached(client: Ledgix, args: dict[str, Any] | None = None, **details: Any) -> PendingReview:
    """The handle of a fresh request that waits for a person."""
    with pytest.raises(ReviewPending) as pending:
        client.request_clearance("stripe_refund", args or {"amount": 450}, review_mode="detach", **details)
    review: PendingReview = pending.value.review
    return review
