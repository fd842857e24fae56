"""Passwords that are quick to hash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

from ledgix_vault.tenancy import passwords


@contextmanager
def quick_passwords() -> Iterator[None]:
    """Argon2 as it is, with less work: hundreds of tests sign somebody in, and how slow it is isn't their question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield
