from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "client"))

from fake_vault import FakeVault

from ledgix.enforce import configure


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    fake = FakeVault()
    with fake.client() as client:
        configure(client=client, async_client=fake.async_client())
        yield fake


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
