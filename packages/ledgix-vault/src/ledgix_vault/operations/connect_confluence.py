"""Setting where a tenant's Confluence is and as whom it is asked."""

from __future__ import annotations

from functools import partial

import httpx2

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.documents.confluence import ConfluenceAccess
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.outbound.guard import Trust, check_url
from ledgix_vault.sources.document import hash_bytes
from ledgix_vault.store.documents import find_confluence_connection, put_confluence_connection
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

LONGEST = 2_000


async def connect_confluence(vault: Vault, caller: Caller, access: ConfluenceAccess) -> None:
    """Stores it in place of what was set, the token sealed by the Vault's keys. Durable on return."""
    caller.require(Scope.SETTINGS)
    _check(access, allow_private=vault.settings.confluence_allow_private)
    sealed = vault.keys.seal.close(access.token, caller.tenant_id)
    await vault.store.run(partial(_connect, caller, access, sealed))


async def confluence_connection(vault: Vault, caller: Caller) -> tuple[str, str]:
    """(base URL, email); nobody ever gets the token back. Raises `NotFound`."""
    caller.require(Scope.SETTINGS)
    found = await vault.store.read(partial(find_confluence_connection, tenant_id=caller.tenant_id))
    if found is None:
        raise NotFound("No Confluence is set for this tenant.")
    return found[0], found[1]


def _check(access: ConfluenceAccess, *, allow_private: bool) -> None:
    for name in ("base_url", "email", "token"):
        value = getattr(access, name)
        if not 1 <= len(value) <= LONGEST or not value.isprintable() or not value.isascii():
            raise Invalid(f"is required: 1 to {LONGEST} printable ASCII characters", path=f"$.{name}")
    try:
        url = httpx2.URL(access.base_url)
    except httpx2.InvalidURL as error:
        raise Invalid("must be the address of a Confluence", path="$.base_url") from error
    if url.query or url.fragment:
        raise Invalid("must have neither query nor fragment", path="$.base_url")
    check_url(url, Trust(anywhere=allow_private), "$.base_url")


def _connect(caller: Caller, access: ConfluenceAccess, sealed: bytes, unit: Unit) -> Stored[None]:
    put_confluence_connection(unit, caller.tenant_id, access.base_url, access.email, sealed)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.CONFLUENCE_CONNECTED,
        reason=f"Confluence at {access.base_url} was connected.",
        decider=decider_of(caller),
        metadata={
            "base_url": access.base_url,
            "email": access.email,
            "sealed_token_sha256": hash_bytes(sealed),
        },
    )
    return Stored(None)
