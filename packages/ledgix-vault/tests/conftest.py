"""The Vault under test on both engines: `vault` is a fresh one for each test, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from vault_testing.house import House, Template, open_shared_database
from vault_testing.invariants import check_invariants
from vault_testing.passwords import quick_passwords
from vault_testing.postgres import NoPostgres, PostgresServer

from ledgix_vault import app

# The machine may be busy; a slow example is no failure.
settings.register_profile("ledgix", deadline=None, max_examples=50)
settings.load_profile("ledgix")

NO_POSTGRES = "PostgreSQL can't be run here, so half of the store's tests are missing"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole session (of each worker)."""
    try:
        server = PostgresServer.start()
    except NoPostgres as error:
        pytest.skip(f"{NO_POSTGRES}: {error}")
    yield server
    server.stop()


@pytest.fixture(autouse=True, scope="session")
def _shared_engines() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "open_database", open_shared_database)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template.make(tmp_path_factory.mktemp("sqlite") / "vault", None)


@pytest.fixture(scope="session")
def postgresql_template(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Template:
    return Template.make(tmp_path_factory.mktemp("postgresql") / "vault", postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def template(request: pytest.FixtureRequest) -> Template:
    """An initialised Vault with two tenants, on each engine."""
    made: Template = request.getfixturevalue(f"{request.param}_template")
    return made


@pytest.fixture
def new_vault(template: Template) -> Iterator[Callable[..., House]]:
    """`new_vault(group_limit=8)`: a fresh Vault with settings by name, once in a test."""
    with ExitStack() as stack:

        def make(**knobs: Any) -> House:
            return stack.enter_context(template.copy(**knobs))

        yield make


@pytest.fixture
def vault(new_vault: Callable[..., House]) -> Iterator[House]:
    """A fresh Vault. After the test every invariant must hold, now and for the next process."""
    house = new_vault()
    yield house
    if house.is_open:
        check_invariants(house, by_own_check=house.is_sqlite)  # its queries are the same on both


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    with quick_passwords():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """Whoever runs the tests may have a Vault of their own in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VAULT_")]:
            patch.delenv(name)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if any(NO_POSTGRES in str(skipped.longrepr) for skipped in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(f"{NO_POSTGRES}.", red=True, bold=True)
