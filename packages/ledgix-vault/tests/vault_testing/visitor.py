"""A person's browser without a window: the real application over HTTP, cookies and same-origin headers included."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any, cast

import httpx

from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.web.app import build_app
from ledgix_vault.worker import Worker
from vault_testing.house import PASSWORD, House

ORIGIN = "https://vault.test"


class Visitor:
    """One browser. `get` and `post` answer like httpx; pages' text is read with `text_of`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.client.get(path, **how)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Sends a form from our own page; lists are several fields of one name. Redirects aren't followed."""
        return await self.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN})

    async def sign_in(self, member: Member, password: str = PASSWORD) -> Member:
        """Signs a member in who was made by `House.member`."""
        answer = await self.post("/app/sign-in", email=member.email, password=password, next="/app/account")
        assert answer.status_code == 303, answer.text
        return member


@contextlib.asynccontextmanager
async def visiting(house: House) -> AsyncIterator[Visitor]:
    """Somebody who isn't signed in yet."""
    app = build_app(house.core, Worker(house.core, cast("Any", house.cells)))
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"Accept": "text/html"}, follow_redirects=False
    ) as client:
        yield Visitor(client)


@contextlib.asynccontextmanager
async def signed_in(
    house: House, role: Role, *, email: str = "", tenant: int = 0
) -> AsyncIterator[tuple[Visitor, Member]]:
    """A new member of this role, in a browser of their own."""
    async with visiting(house) as visitor:
        yield visitor, await visitor.sign_in(await house.member(role, email, tenant=tenant))


def text_of(answer: httpx.Response) -> str:
    """What the page says, without its marks, in one line."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
