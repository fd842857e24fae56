"""A real Vault, a real gateway on a real socket, and a tool's server that counts what reaches it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

_ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(_ROOT / "tests"))
sys.path.insert(0, str(_ROOT / "packages" / "ledgix-vault" / "tests"))
pytest.register_assert_rewrite("running_vault", "description", "gateway_testing", "edge_testing")

from gateway_testing import RunningGateway, Tool, running_gateway, running_tool  # noqa: E402 - by the path above

from running_vault import RunningVault, Tenant, running_vault  # noqa: E402

settings.register_profile("ledgix", deadline=None, max_examples=50)
settings.load_profile("ledgix")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def vault_and_tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningVault, list[Tenant]]]:
    """One Vault for all tests of a worker, with two tenants whose policy approves 45, reviews 450, denies 4500."""
    with running_vault(tmp_path_factory.mktemp("vault"), tenants=2) as (vault, tenants):
        for tenant in tenants:
            tenant.register_refunds()
            tenant.register("reads", tools=["read_*", "upload", "form_pay"], definition=READS)
        yield vault, tenants


READS = """
rules:
  - id: harmless
    effect: approve
    when: ["true"]
"""


@pytest.fixture
def tenant(vault_and_tenants: tuple[RunningVault, list[Tenant]]) -> Tenant:
    return vault_and_tenants[1][0]


@pytest.fixture
def other_tenant(vault_and_tenants: tuple[RunningVault, list[Tenant]]) -> Tenant:
    return vault_and_tenants[1][1]


@pytest.fixture(scope="session")
def _shared_tool() -> Iterator[Tool]:
    with running_tool() as running:
        yield running


@pytest.fixture
def tool(_shared_tool: Tool) -> Tool:
    """The tool's server; it has seen nothing yet."""
    _shared_tool.reset()
    return _shared_tool


@pytest.fixture
def new_gateway(tenant: Tenant, tool: Tool, tmp_path: Path) -> Iterator[Callable[..., RunningGateway]]:
    """`new_gateway(mode="observe")`: a gateway in front of `tool`; members replace those of the usual configuration."""
    with ExitStack() as stack:

        def start(**more: Any) -> RunningGateway:
            return stack.enter_context(running_gateway(tenant, tool, tmp_path, **more))

        yield start


@pytest.fixture(scope="session")
def _shared_gateway(
    vault_and_tenants: tuple[RunningVault, list[Tenant]],
    _shared_tool: Tool,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningGateway]:
    with running_gateway(vault_and_tenants[1][0], _shared_tool, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def gateway(_shared_gateway: RunningGateway, tool: Tool) -> RunningGateway:
    """The usual gateway, in front of `tool`; no request has ended yet."""
    _shared_gateway.until_idle()
    _shared_gateway.ended.clear()
    return _shared_gateway
