"""What the command line asks of an open Vault, whether `serve` holds it or the command itself.

Whoever can ask may do everything with the data directory anyway: the socket and the directory are the owner's alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict, Invalid, NotFound
from ledgix_vault.operations.create_tenant import create_tenant
from ledgix_vault.operations.import_tool_schemas import import_for_tenant
from ledgix_vault.operations.list_api_keys import last_uses
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.operations.manage_members import invite_for_tenant
from ledgix_vault.operations.reset_password import reset_password
from ledgix_vault.operations.suspend import release, suspend
from ledgix_vault.store.people import list_members
from ledgix_vault.store.suspensions import find_suspension
from ledgix_vault.tenancy.api_keys import ApiKey, days_from
from ledgix_vault.tenancy.people import read_email, read_role
from ledgix_vault.tenancy.scopes import read_scopes
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.tenancy.suspensions import SuspensionKind
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

Arguments = Mapping[str, Any]
Answer = dict[str, Any]
LONGEST_GLOB = 2048


async def perform(vault: Vault, command: str, arguments: Arguments) -> Answer:
    """Runs one command; what it changed is durable on return. Raises the operations' errors."""
    found = _COMMANDS.get(command)
    if found is None:
        raise NotFound(f"This Vault doesn't know the command {command!r}: is it another version?")
    return await found(vault, arguments)


async def _create_key(vault: Vault, arguments: Arguments) -> Answer:
    tenant = _tenant(vault, arguments.get("tenant"))
    agent_ids = tuple(_texts(arguments, "agent_ids"))
    days = _whole(arguments, "expires_in_days")
    key, secret = await create_api_key(
        vault,
        tenant.tenant_id,
        _text(arguments, "name"),
        read_scopes(arguments.get("preset"), _texts(arguments, "scopes")),
        agent_ids,
        SYSTEM,
        expires_at=None if days is None else days_from(vault.clock(), days),
    )
    return {"key_id": key.key_id, "api_key": secret, **_description(key, tenant)}


async def _rotate_key(vault: Vault, arguments: Arguments) -> Answer:
    tenant, old = _key(vault, _text(arguments, "key_id"))
    overlap = _whole(arguments, "overlap_seconds")
    key, secret = await rotate_api_key(vault, tenant.tenant_id, old.key_id, SYSTEM, overlap_seconds=overlap)
    return {"key_id": key.key_id, "api_key": secret, "replaces": old.key_id, **_description(key, tenant)}


async def _revoke_key(vault: Vault, arguments: Arguments) -> Answer:
    tenant, found = _key(vault, _text(arguments, "key_id"))
    key = await revoke_api_key(vault, tenant.tenant_id, found.key_id, SYSTEM)
    return {"key_id": key.key_id, **_description(key, tenant)}


async def _list_keys(vault: Vault, arguments: Arguments) -> Answer:
    asked = arguments.get("tenant")
    tenants = vault.store.tenants() if asked is None else [_tenant(vault, asked)]
    listed = []
    for tenant in tenants:
        for each in await last_uses(vault, tenant.tenant_id):
            used = None if each.last_used_at is None else rfc3339(each.last_used_at)
            state = str(each.key.state(vault.clock()))
            listed.append(
                {"key_id": each.key.key_id, **_description(each.key, tenant), "last_used_at": used, "state": state}
            )
    return {"keys": listed}


async def _create_tenant(vault: Vault, arguments: Arguments) -> Answer:
    created = await asyncio.to_thread(create_tenant, vault, _text(arguments, "name"))
    return {"tenant": created.tenant_id, "tenant_name": created.name, "api_key": created.api_key}


async def _list_tenants(vault: Vault, _arguments: Arguments) -> Answer:
    tenants = sorted(vault.store.tenants(), key=lambda tenant: tenant.tenant_id)
    return {
        "tenants": [
            {
                "tenant": tenant.tenant_id,
                "tenant_name": tenant.name,
                "keys": sum(key.is_valid(vault.clock()) for key in tenant.keys),
                "ledger_entries": vault.store.log(tenant.tenant_id).integrator.size,
            }
            for tenant in tenants
        ]
    }


async def _invite(vault: Vault, arguments: Arguments) -> Answer:
    tenant = _tenant(vault, arguments.get("tenant"))
    email, role = read_email(arguments.get("email")), read_role(arguments.get("role"))
    invitation, secret = await invite_for_tenant(vault, tenant.tenant_id, email, role)
    return {
        **invitation.to_json(vault.clock()),
        "link": f"{vault.settings.public_url}/app/join/{secret}",
        "tenant": tenant.tenant_id,
        "tenant_name": tenant.name,
    }


async def _list_people(vault: Vault, arguments: Arguments) -> Answer:
    asked = arguments.get("tenant")
    tenants = vault.store.tenants() if asked is None else [_tenant(vault, asked)]
    listed = []
    for tenant in tenants:
        found = await vault.store.read(partial(list_members, tenant_id=tenant.tenant_id))
        names = {"tenant": tenant.tenant_id, "tenant_name": tenant.name}
        listed += [{**member.to_json(), **names} for member in found]
    return {"members": listed}


async def _reset_password(vault: Vault, arguments: Arguments) -> Answer:
    email = read_email(arguments.get("email"))
    factors = arguments.get("factors") is True
    return {"email": email, "password": await reset_password(vault, email, factors=factors)}


async def _suspend(vault: Vault, arguments: Arguments) -> Answer:
    tenant, kind = _tenant(vault, arguments.get("tenant")), _text(arguments, "kind")
    if kind not in tuple(SuspensionKind):
        raise Invalid(f"must be one of {', '.join(SuspensionKind)}", path="$.kind")
    made, _ = await suspend(
        vault,
        tenant.tenant_id,
        SuspensionKind(kind),
        _text(arguments, "subject"),
        _text(arguments, "reason"),
        SYSTEM,
    )
    return {**made.to_json(), "tenant": tenant.tenant_id, "tenant_name": tenant.name}


async def _release(vault: Vault, arguments: Arguments) -> Answer:
    suspension_id, reason = _text(arguments, "suspension_id"), _text(arguments, "reason")
    for tenant in vault.store.tenants():
        find = partial(find_suspension, tenant_id=tenant.tenant_id, suspension_id=suspension_id)
        if await vault.store.read(find) is not None:
            released, _ = await release(vault, tenant.tenant_id, suspension_id, reason, SYSTEM)
            return {**released.to_json(), "tenant": tenant.tenant_id, "tenant_name": tenant.name}
    raise NotFound(f"There is no suspension {suspension_id!r}; `ledgix-vault suspensions` shows them.")


async def _list_suspensions(vault: Vault, arguments: Arguments) -> Answer:
    asked = arguments.get("tenant")
    tenants = vault.store.tenants() if asked is None else [_tenant(vault, asked)]
    return {
        "suspensions": [
            {**standing.to_json(), "tenant": tenant.tenant_id, "tenant_name": tenant.name}
            for tenant in tenants
            for standing in tenant.suspensions
        ]
    }


async def _import_schemas(vault: Vault, arguments: Arguments) -> Answer:
    """The JSON comes as text, so that its numbers are read exactly."""
    tenant = _tenant(vault, arguments.get("tenant"))
    tools_list, money = (_json(_text(arguments, name), name) for name in ("tools_list", "money"))
    imported = await import_for_tenant(vault, tenant.tenant_id, tools_list, money, SYSTEM)
    return {"tenant": tenant.tenant_id, "tenant_name": tenant.name, **imported.to_json()}


def _json(text: str, name: str) -> Json:
    try:
        return json.parse(text.encode())
    except JsonError as error:
        raise Invalid(str(error), path=f"$.{name}") from error


_COMMANDS: dict[str, Callable[[Vault, Arguments], Awaitable[Answer]]] = {
    "keys.create": _create_key,
    "keys.rotate": _rotate_key,
    "keys.revoke": _revoke_key,
    "keys.list": _list_keys,
    "people.invite": _invite,
    "people.list": _list_people,
    "people.reset_password": _reset_password,
    "suspensions.add": _suspend,
    "suspensions.release": _release,
    "suspensions.list": _list_suspensions,
    "schemas.import": _import_schemas,
    "tenants.create": _create_tenant,
    "tenants.list": _list_tenants,
}


def _description(key: ApiKey, tenant: TenantState) -> Answer:
    return {
        "name": key.name,
        "scopes": [str(scope) for scope in key.ordered_scopes],
        "agent_ids": list(key.agent_ids),
        "created_at": rfc3339(key.created_at),
        "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
        "expires_at": None if key.expires_at is None else rfc3339(key.expires_at),
        "tenant": tenant.tenant_id,
        "tenant_name": tenant.name,
    }


def _tenant(vault: Vault, asked: object) -> TenantState:
    """The tenant with this id or name; without one, the only tenant that there is."""
    tenants = vault.store.tenants()
    if asked is None:
        if len(tenants) != 1:
            names = ", ".join(sorted(tenant.name for tenant in tenants))
            raise Conflict(f"Say which tenant, with --tenant: {names}.", code="which_tenant")
        return tenants[0]
    for tenant in tenants:
        if asked in (tenant.tenant_id, tenant.name):
            return tenant
    raise NotFound(f"There is no tenant {asked!r}; `ledgix-vault tenants list` shows them.")


def _key(vault: Vault, key_id: str) -> tuple[TenantState, ApiKey]:
    for tenant in vault.store.tenants():
        for key in tenant.keys:
            if key.key_id == key_id:
                return tenant, key
    raise NotFound(f"There is no API key with the id {key_id!r}; `ledgix-vault keys list` shows them.")


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise Invalid("must be a string", path=f"$.{name}")
    return value


def _whole(arguments: Arguments, name: str) -> int | None:
    value = arguments.get(name)
    if value is not None and type(value) is not int:
        raise Invalid("must be a whole number", path=f"$.{name}")
    return value


def _texts(arguments: Arguments, name: str) -> list[str]:
    value = arguments.get(name, [])
    if not isinstance(value, list) or not all(
        isinstance(item, str) and 0 < len(item) <= LONGEST_GLOB for item in value
    ):
        raise Invalid("must be a list of non-empty strings", path=f"$.{name}")
    return value
