"""Receivers for each test, and a Vault that may reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vault_testing.house import House
from vault_testing.receivers import Mailbox, Receiver, mail_server, receiver


@pytest.fixture
def other_side() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, dict[str, Any]]]:
    with mail_server() as found:
        yield found


@pytest.fixture
def box(mail: tuple[Mailbox, dict[str, Any]]) -> Mailbox:
    return mail[0]


@pytest.fixture
def vault(new_vault: Callable[..., House], other_side: Receiver, mail: tuple[Mailbox, dict[str, Any]]) -> House:
    url = f"http://{other_side.host}"
    return new_vault(
        notify_hosts=other_side.host, slack_api_url=f"{url}/api", public_url="https://vault.example", **mail[1]
    )
