"""Writing what a tenant's administration changes: settings, policies, tool schemas, keys, the tenant itself.

Whatever decides raises the snapshot's number with it, so that every decision from the next unit on is made by the new
state. The ledger event is the caller's part.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from ledgix.formats import jcs
from ledgix.formats.attestations import Attestation
from ledgix.formats.keys import PublicKey
from ledgix_vault.ids import new_id
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.store import schema
from ledgix_vault.store.signing_keys import signing_key_row
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.tenancy.judge_settings import JudgeSettings
from ledgix_vault.tenancy.settings import ReviewSettings

_T, _P, _S, _K = schema.tenant, schema.policy_version, schema.tool_schema, schema.api_key
_J = schema.judge_setting


@dataclass(frozen=True, slots=True)
class Owner:
    """The first person of a tenant; the password only as its argon2 hash."""

    email: str
    password_hash: str


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


def add_owner(unit: Unit, tenant_id: str, owner: Owner) -> None:
    """A person who owns the tenant."""
    person_id = new_id()
    unit.insert(schema.person, (person_id, owner.email, owner.password_hash, unit.now))
    unit.insert(schema.membership, (tenant_id, person_id, "owner"))


def change_settings(unit: Unit, tenant_id: str, settings: ReviewSettings) -> None:
    """Replaces the tenant's settings."""
    stored = jcs.canonicalize(settings.to_json()).decode()
    unit.write(update(_T).where(_T.c.tenant_id == tenant_id).values(settings=stored))
    _raise_snapshot_number(unit, tenant_id)


def change_judge_settings(unit: Unit, tenant_id: str, settings: JudgeSettings) -> None:
    """Replaces the tenant's judge."""
    unit.write(delete(_J).where(_J.c.tenant_id == tenant_id))
    unit.insert(_J, (tenant_id, jcs.canonicalize(settings.to_json()).decode(), settings.sealed_key))
    unit.tenant_changed(tenant_id)


def put_tool_schema(unit: Unit, tenant_id: str, parsed: ToolSchema) -> None:
    """Stores a tool's schema in place of an earlier one."""
    unit.write(delete(_S).where(_S.c.tenant_id == tenant_id, _S.c.tool_name == parsed.tool_name))
    unit.insert(_S, (tenant_id, parsed.tool_name, jcs.canonicalize(parsed.to_json()).decode(), unit.now))
    _raise_snapshot_number(unit, tenant_id)


def add_policy_version(unit: Unit, tenant_id: str, document: PolicyDocument, by: str) -> ActivePolicy:
    """A new version of the document's policy, active in place of the one before; `by` is who registered it."""
    mine = (_P.c.tenant_id == tenant_id, _P.c.policy_id == document.policy_id)
    newest = unit.read(select(func.max(_P.c.version)).where(*mine)).scalar_one()
    active = ActivePolicy(document=document, version_id=new_id(), version=(newest or 0) + 1)
    unit.write(update(_P).where(*mine, _P.c.active).values(active=False))
    stored = jcs.canonicalize(document.to_json()).decode()
    unit.insert(
        _P,
        (
            tenant_id,
            active.version_id,
            document.policy_id,
            active.version,
            stored,
            document.content_hash,
            unit.now,
            by,
            True,
        ),
    )
    _raise_snapshot_number(unit, tenant_id)
    return active


def load_policy_version(connection: Connection, tenant_id: str, version_id: str) -> ActivePolicy:
    """A version as it was registered, active or not."""
    row = connection.execute(select(_P).where(_P.c.tenant_id == tenant_id, _P.c.policy_version_id == version_id)).one()
    return ActivePolicy(PolicyDocument.from_json(stored_object(row.document), {}), version_id, row.version)


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
        ),
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


def _raise_snapshot_number(unit: Unit, tenant_id: str) -> None:
    unit.write(update(_T).where(_T.c.tenant_id == tenant_id).values(snapshot_number=_T.c.snapshot_number + 1))
    unit.tenant_changed(tenant_id)
