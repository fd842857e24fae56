"""Tenants as stored: their keys, settings, tool schemas and active policies."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.notices.settings import NO_NOTIFICATIONS, NotificationSettings
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot
from ledgix_vault.policy.versions import VersionState
from ledgix_vault.store import schema
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.judge_settings import NO_JUDGE, JudgeSettings
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.tenancy.sign_on import NO_SINGLE_SIGN_ON, SingleSignOn
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.tenancy.suspensions import Suspension, SuspensionKind


def load_tenant_state(connection: Connection, tenant_id: str) -> TenantState:
    """Everything about one tenant that decisions need."""
    table = schema.tenant
    row = connection.execute(select(table).where(table.c.tenant_id == tenant_id)).one()
    keys = load_api_keys(connection, tenant_id)
    settings = ReviewSettings.from_json(stored_object(row.settings))
    schemas = load_tool_schemas(connection, tenant_id)
    return TenantState(
        tenant_id=tenant_id,
        name=row.name,
        settings=settings,
        snapshot=Snapshot(
            number=row.snapshot_number,
            policies=load_policies(connection, tenant_id, VersionState.ACTIVE),
            schemas=schemas,
            default=settings.default_verdict,
            shadows=load_policies(connection, tenant_id, VersionState.SHADOW),
        ),
        keys=tuple(key for key, _ in keys),
        key_hashes=tuple(secret_hash for _, secret_hash in keys),
        suspensions=load_standing_suspensions(connection, tenant_id),
        judge=load_judge_settings(connection, tenant_id),
        single_sign_on=load_single_sign_on(connection, tenant_id),
        notifications=load_notification_settings(connection, tenant_id),
    )


def tenant_names(connection: Connection) -> list[tuple[str, str]]:
    """(id, name) of every tenant, by id."""
    table = schema.tenant
    rows = connection.execute(select(table.c.tenant_id, table.c.name).order_by(table.c.tenant_id))
    return [(row.tenant_id, row.name) for row in rows]


def tenant_created_at(connection: Connection, tenant_id: str) -> int:
    """When a tenant was made (µs)."""
    table = schema.tenant
    return int(connection.execute(select(table.c.created_at).where(table.c.tenant_id == tenant_id)).scalar_one())


def load_api_keys(connection: Connection, tenant_id: str) -> list[tuple[ApiKey, bytes]]:
    """All keys of the tenant, revoked ones too, oldest first, each with the hash of its secret."""
    table = schema.api_key
    rows = connection.execute(
        select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.created_at, table.c.key_id)
    )
    return [(_api_key(row), bytes(row.secret_hash)) for row in rows]


def load_judge_settings(connection: Connection, tenant_id: str) -> JudgeSettings:
    """The tenant's judge; off if it never set one."""
    table = schema.judge_setting
    row = connection.execute(select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        return NO_JUDGE
    return JudgeSettings.from_json(stored_object(row.settings), bytes(row.sealed_key))


def load_single_sign_on(connection: Connection, tenant_id: str) -> SingleSignOn:
    """The tenant's provider; off if it never set one."""
    table = schema.single_sign_on
    row = connection.execute(select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        return NO_SINGLE_SIGN_ON
    return SingleSignOn.from_json(stored_object(row.settings), bytes(row.sealed_secret))


def load_notification_settings(connection: Connection, tenant_id: str) -> NotificationSettings:
    """By which channels the tenant is told; by none if it never set any."""
    table = schema.notification_setting
    row = connection.execute(select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        return NO_NOTIFICATIONS
    sealed = {place: b64decode(str(secret)) for place, secret in stored_object(row.sealed).items()}
    return NotificationSettings.from_json(stored_object(row.settings), sealed)


def load_tool_schemas(connection: Connection, tenant_id: str) -> dict[str, ToolSchema]:
    """The tenant's registered tool schemas by tool name."""
    table = schema.tool_schema
    rows = connection.execute(select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.tool_name))
    return {row.tool_name: ToolSchema.parse(row.tool_name, stored_object(row.json_schema)) for row in rows}


def load_policies(connection: Connection, tenant_id: str, state: VersionState) -> tuple[ActivePolicy, ...]:
    """The version of each policy that is in a state of which there is only one, by policy id."""
    table = schema.policy_version
    rows = connection.execute(
        select(table).where(table.c.tenant_id == tenant_id, table.c.state == str(state)).order_by(table.c.policy_id)
    )
    return tuple(
        ActivePolicy(
            # The schemas of today don't decide whether a version can be read.
            document=PolicyDocument.from_json(stored_object(row.document), {}),
            version_id=row.policy_version_id,
            version=row.version,
        )
        for row in rows
    )


def load_standing_suspensions(connection: Connection, tenant_id: str) -> tuple[Suspension, ...]:
    """What is suspended, oldest first."""
    table = schema.suspension
    rows = connection.execute(
        select(table)
        .where(table.c.tenant_id == tenant_id, table.c.released_at.is_(None))
        .order_by(table.c.suspended_at, table.c.suspension_id)
    )
    return tuple(suspension_of_row(row) for row in rows)


def suspension_of_row(row: Any) -> Suspension:
    """The suspension that a row is."""
    return Suspension(
        suspension_id=row.suspension_id,
        kind=SuspensionKind(row.kind),
        subject=row.subject,
        reason=row.reason,
        suspended_at=row.suspended_at,
        suspended_by=row.suspended_by,
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
    )


def stored_object(text: str) -> JsonObject:
    """A JSON object that this store wrote."""
    return json.parse_object(text.encode(), max_depth=64)


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        tenant_id=row.tenant_id,
        name=row.name,
        scopes=frozenset(Scope(name) for name in row.scopes.split()),
        agent_ids=tuple(_string_list(row.agent_ids)),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        lineage=row.lineage,
        expires_at=row.expires_at,
    )


def _string_list(text: str) -> list[str]:
    parsed = json.parse(text.encode())
    assert isinstance(parsed, list)
    return [str(item) for item in parsed]
