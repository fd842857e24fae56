"""Invitations by mail: the link arrives, and where it doesn't the inviter hears why and has the link."""

from __future__ import annotations

import pytest
from vault_testing.house import PASSWORD, House
from vault_testing.receivers import Mailbox
from vault_testing.visitor import signed_in, text_of, visiting

from ledgix_vault.tenancy.people import Role

pytestmark = pytest.mark.anyio


async def test_the_link_that_is_mailed_lets_its_reader_in(vault: House, box: Mailbox) -> None:
    async with signed_in(vault, Role.OWNER) as (owner, _), visiting(vault) as guest:
        page = await owner.post("/app/settings/people/invite", email="guest@example.com", role="auditor")
        assert "The mail server took the mail with this link." in text_of(page)
        ((address, message),) = box.received
        assert (address, message["Subject"]) == ("guest@example.com", "You are invited to acme")
        body = message.get_body(("plain",))
        assert body is not None
        link = next(line for line in body.get_content().split() if "/app/join/" in line)
        path = link.removeprefix("https://vault.example")
        answer = await guest.post(path, name="Guest", password=PASSWORD)
        assert answer.status_code == 303
        assert "guest@example.com · auditor of acme" in text_of(await guest.get("/app/account"))


async def test_what_the_mail_server_refuses_is_told_and_the_link_is_there(vault: House, box: Mailbox) -> None:
    box.refuses = "550 No such mailbox"
    async with signed_in(vault, Role.OWNER) as (owner, _):
        page = await owner.post("/app/settings/people/invite", email="guest@example.com", role="auditor")
    assert "No mail was sent. The mail server says:" in text_of(page)
    assert "No such mailbox" in text_of(page)
    assert "/app/join/" in page.text
