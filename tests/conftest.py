"""One Vault for all tests of a worker, a tenant of its own for each test, and fresh Vaults where settings matter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules that several test files share

from running_vault import RunningVault, Tenant, running_vault

TENANTS = 200


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningVault, list[Tenant]]]:
    with running_vault(tmp_path_factory.mktemp("shared"), TENANTS, checkpoint_interval=0.2) as shared:
        yield shared


@pytest.fixture(scope="session")
def vault(_shared: tuple[RunningVault, list[Tenant]]) -> RunningVault:
    """The running Vault; what a test does to it, all tests see."""
    return _shared[0]


@pytest.fixture(scope="session")
def new_tenant(_shared: tuple[RunningVault, list[Tenant]]) -> Callable[[], Tenant]:
    """Each call gives a tenant that nobody else has, without policies."""
    return _shared[1].pop


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant of this test's own, without policies."""
    return new_tenant()


@pytest.fixture
def other(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A second tenant."""
    return new_tenant()


@pytest.fixture
def refunds(tenant: Tenant) -> Tenant:
    """The test's tenant, where a refund of 45 is approved, of 450 reviewed and of 4500 denied."""
    tenant.register_refunds()
    return tenant


@pytest.fixture
def fresh_vault(tmp_path: Path) -> Iterator[Callable[..., tuple[RunningVault, list[Tenant]]]]:
    """`fresh_vault(tenants=1, jwt_ttl=1)`: a Vault of this test's own, with settings by name."""
    with ExitStack() as stack:

        def open_one(tenants: int = 1, **settings: Any) -> tuple[RunningVault, list[Tenant]]:
            return stack.enter_context(running_vault(tmp_path, tenants, **settings))

        yield open_one
