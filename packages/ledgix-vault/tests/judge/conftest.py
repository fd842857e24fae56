"""A judge's server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vault_testing.fake_model import FakeModel, fake_model


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with fake_model() as running:
        yield running
