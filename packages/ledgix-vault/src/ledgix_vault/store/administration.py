"""Writing what a tenant's administration changes: settings, tool schemas, keys, the tenant itself.

Whatever decides raises the snapshot's number with it, so that every decision from the next unit on is made by the new
state. The ledger event is the caller's part.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from ledgix.formats import jcs
from ledgix.formats.attestations import Attestation
from ledgix.formats.keys import PublicKey
from ledgix_vault.ids import new_id
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.store import schema
from ledgix_vault.store.signing_keys import signing_key_row
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.tenancy.judge_settings import JudgeSettings
from ledgix_vault.tenancy.settings import ReviewSettings

_T, _S, _K, _J = schema.tenant, schema.tool_schema, schema.api_key, schema.judge_setting


def tenant_exists(unit: Unit, name: str) -> bool:
    """Whether a tenant has this name."""
    return unit.read(select(_T.c.tenant_id).where(_T.c.name == name)).first() is not None


def add_tenant(unit: Unit, name: str, ledger_key: PublicKey) -> str:
    """A new tenant with default settings and an empty log that `ledger_key` signs; its id."""
    tenant_id = new_id()
    settings = jcs.canonicalize(ReviewSettings().to_json()).decode()
    unit.insert(_T, (tenant_id, name, unit.now, settings, 1))
    unit.insert(schema.signing_key, signing_key_row(ledger_key, tenant_id=tenant_id, active_from=unit.now))
    unit.open_log(tenant_id, ledger_key.kid)
    return tenant_id


def change_settings(unit: Unit, tenant_id: str, settings: ReviewSettings) -> None:
    """Replaces the tenant's settings."""
    stored = jcs.canonicalize(settings.to_json()).decode()
    unit.write(update(_T).where(_T.c.tenant_id == tenant_id).values(settings=stored))
    raise_snapshot_number(unit, tenant_id)


def change_judge_settings(unit: Unit, tenant_id: str, settings: JudgeSettings) -> None:
    """Replaces the tenant's judge."""
    unit.write(delete(_J).where(_J.c.tenant_id == tenant_id))
    unit.insert(_J, (tenant_id, jcs.canonicalize(settings.to_json()).decode(), settings.sealed_key))
    unit.tenant_changed(tenant_id)


def put_tool_schema(unit: Unit, tenant_id: str, parsed: ToolSchema) -> None:
    """Stores a tool's schema in place of an earlier one."""
    unit.write(delete(_S).where(_S.c.tenant_id == tenant_id, _S.c.tool_name == parsed.tool_name))
    unit.insert(_S, (tenant_id, parsed.tool_name, jcs.canonicalize(parsed.to_json()).decode(), unit.now))
    raise_snapshot_number(unit, tenant_id)


def add_api_key(unit: Unit, key: ApiKey, secret: str) -> None:
    """Stores a key, by the hash of its secret."""
    agent_ids = jcs.canonicalize(list(key.agent_ids)).decode()
    scopes = " ".join(sorted(key.scopes))
    unit.insert(
        _K,
        (
            key.tenant_id,
            key.key_id,
            key.name,
            hash_secret(secret),
            scopes,
            agent_ids,
            key.lineage,
            key.created_at,
            key.revoked_at,
            key.expires_at,
            None,
        ),
    )
    unit.tenant_changed(key.tenant_id)


def expire_api_key(unit: Unit, key: ApiKey) -> None:
    """Stores when a key ends."""
    unit.write(
        update(_K).where(_K.c.tenant_id == key.tenant_id, _K.c.key_id == key.key_id).values(expires_at=key.expires_at)
    )
    unit.tenant_changed(key.tenant_id)


def end_api_key(unit: Unit, key: ApiKey) -> None:
    """Revokes a key as of now."""
    unit.write(update(_K).where(_K.c.tenant_id == key.tenant_id, _K.c.key_id == key.key_id).values(revoked_at=unit.now))
    unit.tenant_changed(key.tenant_id)


def succeed_ledger_key(unit: Unit, tenant_id: str, old_key_id: str, fresh: PublicKey, attestation: Attestation) -> None:
    """Retires the key of the tenant's log; from now on `fresh`, which the old one attests, signs."""
    keys, log = schema.signing_key, schema.log
    unit.write(
        update(keys).where(keys.c.tenant_id == tenant_id, keys.c.key_id == old_key_id).values(retired_at=unit.now)
    )
    row = signing_key_row(fresh, tenant_id=tenant_id, active_from=unit.now, attestation=attestation)
    unit.insert(keys, row)
    unit.write(update(log).where(log.c.tenant_id == tenant_id).values(key_id=fresh.kid))
    unit.continue_log(tenant_id, fresh.kid)


def raise_snapshot_number(unit: Unit, tenant_id: str) -> None:
    """What decides has changed: decisions that were made outside this transaction are made again."""
    unit.write(update(_T).where(_T.c.tenant_id == tenant_id).values(snapshot_number=_T.c.snapshot_number + 1))
    unit.tenant_changed(tenant_id)
