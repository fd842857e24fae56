"""The scene of the browser tests: two tenants alike, with people, policies, documents, and requests in every state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vault_testing.passwords import quick_passwords
from vault_testing.soft_passkey import SoftPasskey, b64url

from ledgix_vault.app import open_vault
from ledgix_vault.operations.accept_invitation import join_as_new
from ledgix_vault.operations.manage_factors import add_new_passkey, begin_new_passkey
from ledgix_vault.operations.manage_members import invite_for_tenant
from ledgix_vault.operations.use_session import use_session
from ledgix_vault.settings import Settings
from ledgix_vault.store.people import find_person_by_email
from ledgix_vault.store.sessions import list_sessions
from ledgix_vault.tenancy.people import Role
from ledgix_vault.vault import Vault
from ledgix_vault.web.dashboard.door import COOKIE
from running_vault import JsonObject, RunningVault, Tenant, running_vault, succeeded

PASSWORD = "correct horse battery staple"
NAMES = {
    Role.OWNER: "Olga Ortiz",
    Role.POLICY_EDITOR: "Pavel Ek",
    Role.REVIEWER: "Rosa Weber",
    Role.AUDITOR: "Amir Haddad",
    Role.DEVELOPER: "Dana Lindqvist",
}
TOOL = "stripe_refund"
HANDBOOK = """# Refunds

Refunds must not exceed $1000. Amounts above 100 USD need review by a person of the billing team.

# Gifts

Customers get a gift voucher when a parcel is late by more than ten days.
"""
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number", "minimum": 0},
        "currency": {"enum": ["USD", "EUR"]},
    },
    "required": ["amount"],
}


@dataclass(frozen=True)
class Person:
    """Somebody of a tenant, with a session that stands."""

    role: Role
    email: str
    password: str = field(repr=False)
    session: str = field(repr=False)


@dataclass(frozen=True)
class Side:
    """A tenant, its people by role, and the ids of what it has, by what they are ids of."""

    tenant: Tenant
    people: Mapping[str, Person]
    ids: dict[str, str]


@dataclass(frozen=True)
class Scene:
    """The side that tests look at, and another that they must never see."""

    vault: RunningVault
    ours: Side
    theirs: Side

    @property
    def url(self) -> str:
        return self.vault.url

    def cookies(self, role: str) -> dict[str, str]:
        """The cookies of one of our people."""
        return {COOKIE: self.ours.people[role].session}


@contextmanager
def set_scene(directory: Path, *, furnished: bool = True, **settings: Any) -> Iterator[Scene]:
    """A running Vault with its scene; without furniture there are people and nothing else."""
    sides: list[Side] = []

    def provision(tenants: list[Tenant]) -> None:
        with quick_passwords(), open_vault(Settings.load(data_dir=tenants[0].vault.data)) as opened:
            sides.extend(asyncio.run(_populate(opened.vault, tenants)))

    opened = running_vault(directory, 2, before=provision, **{"checkpoint_interval": 0.2, **settings})
    with opened as (vault, _):
        ours, theirs = sides
        for side, name in ((ours, "our"), (theirs, "their")) if furnished else ():
            furnish(side, name)
        yield Scene(vault, ours, theirs)


async def _populate(vault: Vault, tenants: Sequence[Tenant]) -> list[Side]:
    return await asyncio.gather(*[_side(vault, tenant) for tenant in tenants])


async def _side(vault: Vault, tenant: Tenant) -> Side:
    """Somebody of each role, and somebody who is invited."""
    place = f"{tenant.tenant_id[-6:]}.example"
    people = {}
    for role in Role:
        email = f"{NAMES[role].split()[0].lower()}@{place}"
        _, link = await invite_for_tenant(vault, tenant.tenant_id, email, role)
        session = await join_as_new(vault, link, NAMES[role], PASSWORD, "browser tests")
        people[str(role)] = Person(role, email, PASSWORD, session)
    invitation, link = await invite_for_tenant(vault, tenant.tenant_id, f"ines@{place}", Role.REVIEWER)
    ids = {"tenant_id": tenant.tenant_id, "invitation_id": invitation.invitation_id, "secret": link}
    reviewer = await vault.store.read(partial(find_person_by_email, email=people[Role.REVIEWER].email))
    assert reviewer is not None
    ids["person_id"] = reviewer.person_id
    sessions = await vault.store.read(partial(list_sessions, person_id=reviewer.person_id, now=vault.clock()))
    ids["session_id"] = sessions[0].session_id
    ids["credential_id"] = await _passkey(vault, tenant.tenant_id, f"nina@{place}")
    return Side(tenant, people, ids)


async def _passkey(vault: Vault, tenant_id: str, email: str) -> str:
    """The id of the passkey of somebody else, so that nobody else needs it to sign in."""
    _, link = await invite_for_tenant(vault, tenant_id, email, Role.AUDITOR)
    here = await use_session(vault, await join_as_new(vault, link, "Nina Roy", PASSWORD, "browser tests"))
    assert here is not None
    device = SoftPasskey(vault.settings.public_url, "127.0.0.1")
    begun = await begin_new_passkey(vault, here.member, here.session)
    credential = device.create(json.loads(begun.options))
    await add_new_passkey(vault, here.member, here.session, begun.secret, credential, "Laptop")
    return b64url(device.credential_id)


def furnish(side: Side, name: str) -> None:
    """Policies with a draft, a document, a schema, a suspension, and requests in every state; `name` is in all ids that
    the tenant chooses."""
    tenant, full = side.tenant, side.tenant.full
    refunds, mail, handbook = f"{name}-refunds", f"{name}-mail", f"{name}-handbook"
    for tool in (TOOL, f"{name}_refund"):
        succeeded(full.put(f"/tool-schemas/{tool}", SCHEMA))
    document = {"name": f"{handbook}.md", "text": HANDBOOK, "format": "markdown", "document_id": handbook}
    succeeded(full.post("/documents", document))
    rules = ["Refunds must not exceed $1000", "Amounts above 100 USD need review"]
    tenant.register(refunds, rules=rules, tools=[TOOL])
    succeeded(full.post(f"/policies/{refunds}/versions", {"rules": ["Refunds must not exceed $500"], "tools": [TOOL]}))
    tenant.register(mail, rules=["Be kind to customers."], tools=["send_email"])
    suspended = {"kind": "agent", "subject": "scraper-*", "reason": "It asked for the same page a thousand times."}
    side.ids["suspension_id"] = succeeded(full.post("/suspensions", suspended))["suspension_id"]
    side.ids.update(
        policy_id=refunds, version="2", document_id=handbook, document_version="1", key_id=tenant.agent.key_id
    )
    side.ids.update(key_id=tenant.agent.key_id, tool_name=f"{name}_refund")
    _ask_for_everything(side)
    for order, amount in (("A-1007", 250), ("A-1008", 780), ("A-1009", 120)):
        side.ids["request_id"] = pending(side, order, amount)


def _ask_for_everything(side: Side) -> None:
    tenant, agent = side.tenant, side.tenant.agent
    ask = partial(agent.ask, TOOL, agent_id="billing-bot", session_id="shift-7", human_principal="customer-1042")
    used = ask({"order_id": "A-1001", "amount": 45, "currency": "USD"})
    succeeded(tenant.gateway.consume(used["token"]))
    ask({"order_id": "A-1002", "amount": 18.5, "currency": "USD"})
    ask({"order_id": "A-1003", "amount": 4500, "currency": "USD"})
    agent.ask("fetch_page", {"url": "https://example.com"}, agent_id="scraper-2")
    for order, approved in (("A-1004", True), ("A-1005", False)):
        asked = ask({"order_id": order, "amount": 420, "currency": "USD"})
        said = "The parcel came back." if approved else "The customer was refunded last week."
        succeeded(tenant.reviewer.decide(asked["request_id"], approved=approved, reason=said))
    cancelled = ask({"order_id": "A-1006", "amount": 300, "currency": "USD"})
    succeeded(agent.decide(cancelled["request_id"], approved=False))
    agent.ask("send_email", {"to": "anna@example.com", "subject": "Your refund"}, agent_id="mail-bot")


def pending(side: Side, order: str, amount: float) -> str:
    """A request that waits for a person; its id."""
    arguments = {"order_id": order, "amount": amount, "currency": "USD"}
    asked = side.tenant.agent.ask(TOOL, arguments, agent_id="billing-bot", session_id="shift-7")
    assert asked["status"] == "pending_review", asked
    request_id: str = asked["request_id"]
    return request_id
