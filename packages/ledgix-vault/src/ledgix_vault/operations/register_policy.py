"""Registering a policy: sentences and rules in, an immutable version out, active at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Invalid, PolicyInvalid
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.store.administration import add_policy_version, load_policy_version
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


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
        version = partial(load_policy_version, tenant_id=caller.tenant_id, version_id=stored.reference)
        return await vault.store.read(version), True
    return stored, False


def _activate(caller: ApiKey, registration: Registration, unit: Unit) -> Stored[ActivePolicy]:
    document = _compile(caller, registration, unit)
    tenant_id, policy_id = caller.tenant_id, registration.policy_id
    active = add_policy_version(unit, tenant_id, document, caller.key_id)
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
