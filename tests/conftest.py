"""One Vault for all tests of a worker, a tenant of its own for each test, and fresh Vaults where settings matter."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules that several test files share
sys.path.insert(0, str(Path(__file__).parents[1] / "packages" / "ledgix-vault" / "tests"))  # and `vault_testing`
pytest.register_assert_rewrite("running_vault", "wire", "description", "reading", "clients")

from running_vault import RunningVault, Tenant, running_vault, succeeded  # noqa: E402 - by the path above
from wire import LARGE, MEDIUM, SMALL, TOOL, mint  # noqa: E402

TENANTS = 180
SCREENSHOTS = Path(__file__).parents[1] / "artefacts" / "screenshots"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the browser tests left to look at, or that they did not run."""
    if shutil.which("chromium") is None:
        terminalreporter.section("THE BROWSER TESTS DID NOT RUN: NO CHROMIUM (see tests/install-debian)")
    elif SCREENSHOTS.is_dir():
        terminalreporter.write_line(f"Screenshots of the dashboard are in {SCREENSHOTS}")


@pytest.fixture(scope="session")
def new_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Tenant]]:
    """Each call gives a tenant that nobody else has, without policies. They share one Vault as long as it has some."""
    unused: list[Tenant] = []
    with ExitStack() as stack:

        def take() -> Tenant:
            if not unused:
                opened = running_vault(tmp_path_factory.mktemp("shared"), TENANTS, checkpoint_interval=0.2)
                unused.extend(stack.enter_context(opened)[1])
            return unused.pop()

        yield take


@pytest.fixture(scope="module")
def module_tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant of this file's own, for tests that leave nothing behind that others mind."""
    return new_tenant()


@pytest.fixture
def vault(tenant: Tenant) -> RunningVault:
    """The running Vault of `tenant`; what a test does to it, all tests see."""
    return tenant.vault


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


@pytest.fixture
def busy(refunds: Tenant) -> Tenant:
    """A tenant whose log has every kind of event that contract section 6 tells apart."""
    approved = refunds.agent.ask(TOOL, {"amount": 45, "rate": 0.1, "note": "Grüße"}, session_id="s")
    succeeded(refunds.gateway.consume(approved["token"]))
    succeeded(mint(refunds, refunds.agent.ask(TOOL, SMALL)["request_id"]))
    refunds.agent.ask(TOOL, LARGE)
    for decision in (True, False):
        succeeded(refunds.reviewer.decide(refunds.agent.ask(TOOL, MEDIUM)["request_id"], approved=decision))
    succeeded(refunds.agent.decide(refunds.agent.ask(TOOL, MEDIUM)["request_id"], approved=False))
    refunds.set_reviews(quorum=2)
    succeeded(refunds.full.put("/tool-schemas/x", {"type": "object"}))
    return refunds
