"""Registering a policy: sentences and rules in, an immutable version out, active at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, select, update

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Invalid, PolicyInvalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.store import schema
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.snapshots import bump_snapshot
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

_P = schema.policy_version


@dataclass(frozen=True, slots=True)
class Registration:
    """A policy as the caller wrote it: plain sentences, a definition in the rule language, or both."""

    policy_id: str
    description: str
    sentences: tuple[str, ...]
    tools: tuple[str, ...]
    definition: str | None = None


async def register_policy(
    vault: Vault, caller: ApiKey, registration: Registration, key: IdempotencyKey | None
) -> tuple[ActivePolicy, bool]:
    """Compiles, stores and activates a new version; the version, and whether this is a replay.

    Raises `PolicyInvalid` naming every problem with its line and column; then nothing changes. Durable on return, and
    every decision from now on is made by it.
    """
    caller.require(Scope.POLICY)
    if "\0" in registration.policy_id:  # an identifier, not text: it stands in a column of its own
        raise Invalid("must not hold the character U+0000", path="$.policy_id")
    stored = await vault.store.run(partial(_activate, caller, registration), key)
    if isinstance(stored, Replayed):
        return await vault.store.read(
            lambda connection: _load(connection, vault, caller.tenant_id, stored.reference)
        ), True
    return stored, False


def _activate(caller: ApiKey, registration: Registration, unit: Unit) -> Stored[ActivePolicy]:
    document = _compile(caller, registration, unit)
    tenant_id, policy_id = caller.tenant_id, registration.policy_id
    newest = unit.read(
        select(func.max(_P.c.version)).where(_P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id)
    ).scalar_one()
    active = ActivePolicy(document=document, version_id=new_id(), version=(newest or 0) + 1)
    unit.write(
        update(_P).where(_P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id, _P.c.active).values(active=False)
    )
    unit.insert(
        _P,
        (
            tenant_id,
            active.version_id,
            policy_id,
            active.version,
            jcs.canonicalize(document.to_json()).decode(),
            document.content_hash,
            unit.now,
            caller.key_id,
            True,
        ),
    )
    bump_snapshot(unit, tenant_id)
    record_administration(
        unit,
        tenant_id,
        EventKind.POLICY_ACTIVATED,
        reason=f"Policy {policy_id} version {active.version} was registered and activated.",
        decider=Decider(DeciderType.KEY, caller.key_id),
        metadata={
            "policy_id": policy_id,
            "policy_version_id": active.version_id,
            "policy_content_hash": document.content_hash,
            "version": active.version,
        },
    )
    return Stored(active, reference=active.version_id)


def _compile(caller: ApiKey, registration: Registration, unit: Unit) -> PolicyDocument:
    try:
        return draft_policy(
            policy_id=registration.policy_id,
            description=registration.description,
            sentences=registration.sentences,
            tools=registration.tools,
            definition=registration.definition,
            schemas=unit.tenant(caller.tenant_id).snapshot.schemas,
        )
    except PolicyError as error:
        raise PolicyInvalid(
            f"The policy was not registered. {error}",
            path="$.definition" if registration.definition is not None else "$.rules",
            problems=[problem.to_json() for problem in error.problems],
        ) from error


def _load(connection: object, vault: Vault, tenant_id: str, version_id: str) -> ActivePolicy:
    row = connection.execute(  # type: ignore[attr-defined]
        select(_P).where(_P.c.tenant_id == tenant_id, _P.c.policy_version_id == version_id)
    ).one()
    schemas = vault.store.tenant(tenant_id).snapshot.schemas
    return ActivePolicy(
        PolicyDocument.from_json(stored_object(row.document), schemas), row.policy_version_id, row.version
    )
