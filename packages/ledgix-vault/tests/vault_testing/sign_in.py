"""What people do at the door beyond a password, as one call each."""

from __future__ import annotations

import json

import pyotp

from ledgix_vault.operations.change_single_sign_on import change_single_sign_on
from ledgix_vault.operations.manage_factors import (
    add_new_passkey,
    begin_new_passkey,
    confirm_app,
    read_app_secret,
    start_app,
)
from ledgix_vault.operations.single_sign_on import Arrived, Back, begin_single_sign_on, finish_single_sign_on
from ledgix_vault.operations.use_session import SignedInSession
from vault_testing.fake_provider import FakeProvider
from vault_testing.house import House
from vault_testing.soft_passkey import SoftPasskey


def code_of(house: House, secret: str, steps: int = 0) -> str:
    """What an app with this secret shows, some steps from now."""
    return pyotp.TOTP(secret).at(house.clock() // 1_000_000, counter_offset=steps)


async def add_app(house: House, here: SignedInSession) -> tuple[str, tuple[str, ...]]:
    """(secret, recovery codes) of a new app; its next code counts a minute later."""
    await start_app(house.core, here.member, here.session)
    secret = await read_app_secret(house.core, here.member, here.session)
    added = await confirm_app(house.core, here.member, here.session, code_of(house, secret))
    house.clock.advance(60)
    return secret, added.codes


async def add_passkey(house: House, here: SignedInSession, device: SoftPasskey) -> tuple[str, ...]:
    """Makes a passkey; the recovery codes that came with it."""
    begun = await begin_new_passkey(house.core, here.member, here.session)
    answer = device.create(json.loads(begun.options))
    return (await add_new_passkey(house.core, here.member, here.session, begun.secret, answer, "Laptop")).codes


async def come_by_single_sign_on(house: House, provider: FakeProvider, email: str) -> Arrived:
    """The first tenant offers single sign-on, and somebody comes by it."""
    offered = {
        "enabled": True,
        "issuer": provider.issuer,
        "client_id": "ledgix",
        "client_secret": "secret",
        "allowed_domains": ["example.com"],
        "default_role": "auditor",
    }
    await change_single_sign_on(house.core, house.owner, offered)
    away = await begin_single_sign_on(house.core, house.owner.tenant_id, "/app/", "192.0.2.1")
    state = provider.will_say(away.url, house.clock(), email=email)
    return await finish_single_sign_on(house.core, away.secret, Back("code", state, provider.issuer, ""), "", "")
